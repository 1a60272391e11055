"""Where cameras may be, for any typed address and any answer; no text contains a password."""

from __future__ import annotations

import ipaddress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.errors import Misconfigured, Poison
from frametally.process.allowed_addresses import AllowedPlaces, read_address
from frametally.settings.fields import SecretStr
from frametally.settings.loading import load_settings
from frametally_live.cameras.camera_access import login_of, without_login
from frametally_live.settings import LiveSettings

ALLOWED = load_settings().part(LiveSettings).live_allow
USUAL = AllowedPlaces(ALLOWED)
ALL = AllowedPlaces("0.0.0.0/0,::/0,anywhere.example.org")


@pytest.mark.parametrize(
    ("text", "scheme", "place"),
    [
        ("rtsp://192.168.1.20/stream?channel=1", "rtsp", "192.168.1.20:554"),
        (" rtsps://gate.example.org:8322/a ", "rtsps", "gate.example.org:8322"),
        ("HTTP://10.0.0.7/video.mjpg", "http", "10.0.0.7:80"),
        ("https://[fd12::7]/live.m3u8", "https", "[fd12::7]:443"),
    ],
)
def test_a_camera_address_is_read(text: str, scheme: str, place: str) -> None:
    address = read_address(text)
    assert (address.scheme, address.place, address.text) == (scheme, place, text.strip())


def test_a_device_is_read_only_where_devices_may_be_named() -> None:
    assert read_address("/dev/video0", devices=True).text == "/dev/video0"
    for text, devices in (("/dev/video0", False), ("/dev/video0/../sda", True), ("/dev/sda", True)):
        with pytest.raises(Poison, match="not a camera's address"):
            read_address(text, devices=devices)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "not a camera's address"),
        ("gate-1", "not a camera's address"),
        ("file:///etc/passwd", "not a camera's address"),
        ("concat:rtsp://10.0.0.1/a|file:///etc/passwd", "not a camera's address"),
        ("rtsp:///stream", "not a camera's address"),
        ("rtsp://ga te/stream", "no spaces"),
        ("rtsp://gate/\nstream", "no spaces"),
        ("rtsp://10.0.0.1\\@evil.example/", "no spaces"),
        ("rtsp://gate:0/stream", "is not between 1 and 65535"),
        ("rtsp://gate:70000/stream", "is not between 1 and 65535"),
        ("rtsp://[::1/stream", "not a camera's address"),
        ("rtsp://-x-/stream", "not a host name"),
        (f"rtsp://gate/{'a' * 3000}", "at most 2000 characters"),
    ],
)
def test_an_invalid_address_gives_one_line(text: str, line: str) -> None:
    with pytest.raises(Poison, match=line) as told:
        read_address(text)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:geheim@10.0.0.1/stream",
        "rtsp://geheim@10.0.0.1/stream",
        "http://10.0.0.1/video.cgi?user=admin&pwd=geheim",
        "rtsp://10.0.0.1/user=admin&password=geheim&channel=1",
        "rtsp://admin:geheim@[::1/stream",
    ],
)
def test_an_address_with_a_login_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(Poison) as told:
        read_address(text)
    assert "geheim" not in str(told.value)
    assert told.value.__suppress_context__ or told.value.__context__ is None


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "169.254.1.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "0.0.0.0",  # noqa: S104 - it is refused
        "::",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b:1::a9fe:a9fe",
    ],
)
def test_metadata_services_and_link_local_addresses_are_always_refused(ip: str) -> None:
    for host in (ip, "anywhere.example.org"):
        with pytest.raises(Poison, match="frametally does not allow cameras at"):
            ALL.check(host, [ip])


@pytest.mark.thorough
@given(st.ip_addresses())
def test_only_allowed_addresses_can_be_cameras(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    private = [ipaddress.ip_network(text) for text in ALLOWED.split(",")]
    try:
        USUAL.check(str(ip), [str(ip)])
    except Poison:
        return
    plain = ip if isinstance(ip, ipaddress.IPv4Address) else ip.ipv4_mapped or ip.sixtofour or ip
    assert any(plain in network for network in private) or ip in ipaddress.ip_network("64:ff9b::/96")


def test_this_machine_is_allowed_only_if_the_setting_names_it() -> None:
    with pytest.raises(Poison) as refused:
        USUAL.check("localhost", ["127.0.0.1"])
    value = str(refused.value).rpartition("FRAMETALLY_LIVE_ALLOW=")[2]
    AllowedPlaces(value).check("localhost", ["127.0.0.1"])
    AllowedPlaces(value).check("gate.example.org", ["192.168.1.20"])
    AllowedPlaces("127.0.0.1").check("localhost", ["127.0.0.1"])
    AllowedPlaces("localhost").check("LOCALHOST.", ["127.0.0.1", "::1"])


def test_every_address_of_a_host_name_must_be_allowed() -> None:
    USUAL.check("gate.example.org", ["192.168.1.20"])
    with pytest.raises(Poison, match=r"does not allow cameras at gate.example.org \(203.0.113.9\)"):
        USUAL.check("gate.example.org", ["192.168.1.20", "203.0.113.9"])


@pytest.mark.parametrize("allow", ["192.168.1.0/33", "10.0.0", "gate one", "http://gate"])
def test_an_invalid_list_of_addresses_gives_one_line_that_names_the_setting(allow: str) -> None:
    with pytest.raises(Misconfigured, match="FRAMETALLY_LIVE_ALLOW"):
        AllowedPlaces(f"10.0.0.0/8, {allow}")


def test_a_login_is_found_by_its_source_however_the_source_is_written() -> None:
    login = login_of(SecretStr('{"Gate 1": "admin:a:b@c/d"}'), "gate-1")
    assert (login.user, login.password.get_secret_value()) == ("admin", "a:b@c/d")
    assert login_of(SecretStr('{"Gate 1": "admin:x"}'), "gate-2") is None
    assert login_of(SecretStr(""), "gate-1") is None


@pytest.mark.parametrize("logins", ["geheim", '{"gate-1": ["geheim"]}', '{"gate-1": "geheim"}', "[]"])
def test_invalid_logins_give_one_line_that_does_not_repeat_them(logins: str) -> None:
    with pytest.raises(Misconfigured, match="FRAMETALLY_LIVE_LOGINS") as told:
        login_of(SecretStr(logins), "gate-1")
    assert "geheim" not in str(told.value)


@given(st.text(st.characters(codec="utf-8", exclude_characters="[]*:/@.01rtspa "), min_size=1))
def test_a_login_does_not_show_its_password_and_can_be_put_into_a_url_whatever_it_contains(
    password: str,
) -> None:
    login = login_of(SecretStr(msgspec.json.encode({"g": f"admin:{password}"}).decode()), "g")
    assert without_login(f"rtsp://{login.in_url}@10.0.0.1/a") == "rtsp://10.0.0.1/a"
    assert login.password.get_secret_value() == password
    assert "password=SecretStr(" in repr(login)


def test_a_login_in_a_url_is_left_out() -> None:
    assert without_login("rtsp://a:b@c/d and http://e/f") == "rtsp://c/d and http://e/f"
