"""Webhooks: signed, retried, never to internal addresses, and never longer or larger than allowed."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.alerts.alert_place import AlertPlace, alert_place, waiting_alert
from tests.alerts.hook_server import Hook, hook_server

from frametally.errors import Misconfigured
from frametally.settings.loading import load_settings
from frametally_alerts.channels import webhook
from frametally_alerts.channels.channel_kinds import channels_of
from frametally_alerts.channels.delivery import AlertSender, SentReport
from frametally_alerts.rules import AlertMessage

SECRET = "kept-from-all-logs"  # noqa: S105


@contextmanager
def hooked(folder: Path, hook: Hook, **settings: Any) -> Iterator[tuple[AlertPlace, AlertSender, list[str]]]:
    """A place with one alert that waits for a webhook, the sender, and the sender's messages."""
    with hook_server(hook) as port:
        url = settings.pop("url", f"http://127.0.0.1:{port}/alerts?of=frametally")
        given = {
            "alert_channels": json.dumps({"ops": url}),
            "alert_secret": SECRET,
            "alert_allow": "127.0.0.1",
        }
        with waiting_alert(folder, **{**given, **settings}) as waiting:
            yield waiting


def waiting(place: AlertPlace) -> AlertMessage:
    [message] = place.book.messages(10)[0]
    return message


def test_an_alert_is_posted_once_and_signed(tmp_path: Path) -> None:
    hook = Hook()
    with hooked(tmp_path, hook) as (place, sender, _):
        assert sender.send() == SentReport(sent=1)
        assert sender.send() == SentReport()
        message = waiting(place)
    [posted] = hook.posted
    assert posted.path == "/alerts?of=frametally"
    assert posted.headers["Frametally-Message"] == posted.json["id"] == message.id
    assert posted.json["alert"]["value"] == 4
    assert posted.json["text"] == "busy: count (gate): 4 (threshold: at least 1)"
    stamp, mac = (part.split("=")[1] for part in posted.headers["Frametally-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + posted.body, hashlib.sha256).hexdigest()
    assert mac == expected
    assert abs(time.time() - int(stamp)) < 600


def test_without_a_secret_nothing_is_posted_and_messages_wait(tmp_path: Path) -> None:
    hook = Hook()
    with hooked(tmp_path, hook, alert_secret="") as (place, sender, lines):
        assert sender.send() == SentReport(put_off=1)
        assert waiting(place).state == "queued"
    assert hook.posted == []
    assert "FRAMETALLY_ALERT_SECRET" in lines[0]


def endless_body(connection: socket.socket) -> None:
    """Ten gigabytes, as fast as the client reads."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    for _ in range(10_000):
        connection.sendall(bytes(1_000_000))


def endless_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"a" * 60_000 + b"\r\n")


def trickle(connection: socket.socket) -> None:
    """Never ends, and never pauses long enough between two bytes for a time-out."""
    while True:
        connection.sendall(b"H")
        time.sleep(0.05)


def test_only_the_status_of_a_ten_gigabyte_answer_is_read(tmp_path: Path) -> None:
    hook = Hook()
    hook.answers = [endless_body]
    with hooked(tmp_path, hook) as (_, sender, _lines):
        assert sender.send() == SentReport(sent=1)


@pytest.mark.thorough
@pytest.mark.parametrize("answer", [endless_head, trickle, b"", b"no HTTP at all\r\n\r\n"])
def test_an_invalid_or_endless_answer_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(webhook, "_TRY_S", 1.0)
    hook = Hook()
    hook.answers = [answer]
    with hooked(tmp_path, hook) as (place, sender, lines):
        assert sender.send() == SentReport(put_off=1)
        message = waiting(place)
        assert (message.state, message.attempts) == ("queued", 1)
        assert sender.send() == SentReport()  # its pause
    assert "did not respond" in lines[0]
    assert "\n" not in lines[0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/", "https://example.org/"]
)
def test_redirects_are_not_followed(tmp_path: Path, target: str) -> None:
    hook = Hook()
    hook.answers = [f"HTTP/1.1 307 Elsewhere\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()]
    with hooked(tmp_path, hook) as (place, sender, lines):
        assert sender.send() == SentReport(put_off=1)
        assert waiting(place).state == "queued"
    assert len(hook.posted) == 1
    assert "frametally does not follow redirects" in lines[0]


@pytest.mark.parametrize(("status", "report"), [(503, SentReport(put_off=1)), (422, SentReport(failed=1))])
def test_a_permanent_refusal_fails_the_message_and_any_other_keeps_it_waiting(
    tmp_path: Path, status: int, report: SentReport
) -> None:
    hook = Hook()
    hook.answers = [f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()]
    with hooked(tmp_path, hook) as (place, sender, _):
        assert sender.send() == report
        message = waiting(place)
    assert message.state == ("failed" if report.failed else "queued")
    assert message.reason is not None
    assert str(status) in message.reason


@pytest.mark.thorough
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"],  # noqa: S104
)
def test_private_addresses_are_refused_unless_allowed(tmp_path: Path, host: str) -> None:
    hook = Hook()
    with hooked(tmp_path, hook, url=f"http://{host}:9/", alert_allow="") as (place, sender, lines):
        assert sender.send() == SentReport(put_off=1)
        assert waiting(place).state == "queued"
    assert "FRAMETALLY_ALERT_ALLOW" in lines[0] or "frametally does not allow alert channels at" in lines[0]


def test_the_checked_address_is_the_one_connected_to_even_if_the_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, dialled = [], []

    def rebinding(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def create_connection(address: tuple[str, int], *_: Any) -> socket.socket:
        dialled.append(address[0])
        raise ConnectionRefusedError(111, "Connection refused")

    hook = Hook()
    with hooked(tmp_path, hook, url="http://rebinding.example.org/", alert_allow="") as (_, sender, _lines):
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        monkeypatch.setattr(socket, "create_connection", create_connection)
        assert sender.send() == SentReport(put_off=1)
    assert (asked, dialled) == (["rebinding.example.org"], ["93.184.216.34"])


def test_the_tls_certificate_must_match_the_host_name(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    for name, issuer in (("ca.pem", authority), ("other.pem", other)):
        issuer.cert_pem.write_to_path(str(tmp_path / name))
    hook = Hook()
    with hook_server(hook, context=context) as port:
        for name, report in (("other.pem", SentReport(put_off=1)), ("ca.pem", SentReport(sent=1))):
            given = {"url": f"https://127.0.0.1:{port}/", "ca_file": tmp_path / name}
            with hooked(tmp_path / name.replace(".", "-"), Hook(), **given) as (_, sender, lines):
                assert sender.send() == report
            assert bool(lines) == bool(report.put_off)
    assert len(hook.posted) == 1


def test_one_unavailable_channel_does_not_delay_the_others(tmp_path: Path) -> None:
    hook = Hook()
    with hook_server(hook) as port:
        channels = {"away": "http://127.0.0.1:1/", "here": f"http://127.0.0.1:{port}/"}
        with alert_place(
            tmp_path, alert_channels=json.dumps(channels), alert_secret=SECRET, alert_allow="127.0.0.1"
        ) as place:
            for name in channels:
                place.rule_of(name)
            place.count({0: 4})
            place.look()
            sender = AlertSender(place.ports.settings, place.book, lambda _: None)
            assert sender.send() == SentReport(sent=1, put_off=1)
            assert place.book.waiting() == {"away": 1}


@pytest.mark.parametrize(
    "channels",
    [
        "no JSON",
        '["https://host"]',
        '{"<b>": "https://host"}',
        '{"ops": "ftp://host"}',
        '{"ops": "https://"}',
        '{"ops": "https://user:hunter2@host/"}',
        '{"ops": "https://host:99999/hunter2"}',
        '{"ops": "https://host/hunter2 x"}',
        '{"ops": "mqtt://host"}',
        '{"ops": "mqtt://host/hunter2/#"}',
        '{"ops": "mailto:hunter2"}',
    ],
)
def test_errors_of_invalid_channels_do_not_reveal_secrets(channels: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        channels_of(load_settings(alert_channels=channels))
    assert "FRAMETALLY_ALERT_CHANNELS" in str(refused.value)
    assert "hunter2" not in str(refused.value)
