"""ONVIF cameras of the network are listed with their streams; answers of strangers have no other effect."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.examples import first_quick
from tests.live.capturing import here, run_frametally
from tests.live.onvif_camera import END, NOT_SUPPORTED, Answer, Answerer, OnvifCamera, envelope, match
from tests.live.showing import Speaker
from tests.web.conftest import Place

from frametally.console import output
from frametally.errors import Misconfigured, Retryable
from frametally_live.camera_answers import CameraSearch, OfferedCamera
from frametally_live.cameras.camera_access import login_of
from frametally_live.discovery import probe, search
from frametally_live.feed_records import Feed

Find = Callable[..., CameraSearch]
GATE = "rtsp://127.0.0.1:8554/gate"
LOGINS = '{"127.0.0.1": "viewer:ge:he/im@"}'
PASSWORD = "ge:he/im@"  # noqa: S105 - of a test
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
FILE_DTD = b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'


def first_case_quick(cases: list[tuple[Any, ...]]) -> list[Any]:
    """Cases of several values; `make test` only tries the first."""
    return [cases[0], *(pytest.param(*case, marks=pytest.mark.thorough) for case in cases[1:])]


@pytest.fixture(autouse=True)
def listen_until_all_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """End a search once its last question is answered, instead of after a time: no more answers
    would come."""
    send, answers = probe._send, probe._answers

    def send_and_ask_for_the_end(asking: socket.socket, questions: Sequence[bytes]) -> None:
        send(asking, questions)
        asking.sendto(END, probe.MULTICAST)

    def answers_until_the_end(
        asking: socket.socket, questions: Sequence[bytes]
    ) -> Iterator[tuple[bytes, str]]:
        rounds_left = probe._ROUNDS
        for data, host in answers(asking, questions):
            if data != END:
                yield data, host
                continue
            rounds_left -= 1
            if not rounds_left:
                return

    monkeypatch.setattr(probe, "_send", send_and_ask_for_the_end)
    monkeypatch.setattr(probe, "_answers", answers_until_the_end)
    monkeypatch.setattr(probe, "_AGAIN_S", 0.0)


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Find:
    """Search where a device answers, instead of by multicast."""

    def finds(place: tuple[str, int], *cameras: Feed, **settings: Any) -> CameraSearch:
        monkeypatch.setattr(probe, "MULTICAST", place)
        return search.search_cameras(here(tmp_path, **settings), cameras, with_settings=True)

    return finds


def only(found: CameraSearch) -> OfferedCamera:
    assert len(found.cameras) == 1, found
    return found.cameras[0]


@pytest.mark.parametrize(
    "options",
    first_quick(
        [
            {"password": PASSWORD},
            {"media": 2},
            {"faults": {"GetServices": Answer(500, envelope(NOT_SUPPORTED))}},
            {},
            {"password": PASSWORD, "ahead_s": 86_400 * 400},
            {"password": PASSWORD, "ahead_s": -7200, "media": 2},
            {"password": PASSWORD, "by_http": True},
            {"faults": {"GetSnapshotUri": Answer(500, envelope(NOT_SUPPORTED))}},
        ]
    ),
)
def test_a_device_is_listed_with_its_maker_and_streams_and_its_login_is_never_sent_in_clear_text(
    find: Find, options: dict[str, Any]
) -> None:
    with OnvifCamera(GATE, **options) as camera:
        offer = only(find(camera.answerer.place, live_logins=LOGINS))
    assert offer.problem is None
    assert (offer.name, offer.source, offer.maker, offer.model) == ("Gate 1", "Gate 1", "Cyberdyne", "T-800")
    streams = [(one.name, one.address, one.code, one.width_px, one.height_px) for one in offer.streams]
    assert streams == [
        ("mainStream", GATE, "H264", 1920, 1080),
        ("subStream", f"{GATE}?sub", "H264", 640, 360),
    ]
    has_snapshot = "GetSnapshotUri" not in options.get("faults", {})
    assert offer.snapshot == (camera.url if has_snapshot else "")
    assert set(camera.answerer.probes) == {"dn:NetworkVideoTransmitter", "tds:Device"}
    sent = b"".join([*camera.bodies, *(head.encode() for head in camera.heads)])
    assert PASSWORD.encode() not in sent
    assert b"Basic" not in sent


def test_a_device_that_needs_a_login_gives_one_line_and_a_refused_login_is_not_tried_again(
    find: Find,
) -> None:
    with OnvifCamera(GATE, password=PASSWORD) as camera:
        offer = only(find(camera.answerer.place))
        setting = 'FRAMETALLY_LIVE_LOGINS={"127.0.0.1": "<user>:<password>"}'
        assert offer.problem == f"127.0.0.1 requires a user name and password: set {setting}"
        assert (offer.name, offer.model, offer.streams) == ("Gate 1", "T-800", [])
        camera.questions.clear()
        wrong = only(find(camera.answerer.place, live_logins='{"127.0.0.1": "viewer:wrong"}'))
        assert wrong.problem is not None
        assert "refuses the user name or password" in wrong.problem
        assert camera.questions == ["GetSystemDateAndTime", "GetDeviceInformation"]


def test_a_login_is_sent_only_to_its_own_host(find: Find, tmp_path: Path) -> None:
    logins = '{"Gate 1": "viewer:ge:he/im@", "10.1.2.3": "viewer:ge:he/im@"}'
    elsewhere = Feed("1", "camera", "gate-1", "Gate 1", address="rtsp://10.1.2.3/gate")
    added = elsewhere._replace(address=GATE)
    with OnvifCamera(GATE, password=PASSWORD) as camera:  # it calls itself Gate 1
        offer = only(find(camera.answerer.place, elsewhere, live_logins=logins))
        assert "requires a user name and password" in (offer.problem or "")
        assert not any(b"Username" in body for body in camera.bodies)
        assert offer.source == "Gate 1 127.0.0.1", "another source has that name"
        same = only(find(camera.answerer.place, added, live_logins=logins))
    assert (same.problem, same.cameras) == (None, ["Gate 1"])
    part = here(tmp_path, live_logins=LOGINS).live_logins  # type: ignore[attr-defined]
    assert login_of(part, "gate-1", "127.0.0.1") is not None
    assert login_of(part, "gate-1", "10.1.2.3") is None
    assert login_of(part, "gate-1") is None


class Trap(Speaker):
    """A folder that no one may read."""

    def __init__(self) -> None:
        super().__init__(lambda connection: None)


@pytest.mark.parametrize(
    ("xaddrs", "line"),
    first_case_quick(
        [
            ("http://localhost:{port}/onvif", "names an address of another host, localhost"),
            ("http://127.0.0.2:{port}/onvif", "names an address of another host, 127.0.0.2"),
            ("http://[::ffff:127.0.0.1]:{port}/", "names an address of another host, ::ffff:127.0.0.1"),
            ("http://8.8.8.8/onvif", "names an address of another host, 8.8.8.8"),
            ("http://169.254.169.254/latest", "names an address of another host, 169.254.169.254"),
            (
                "file:///etc/passwd",
                "names an address that frametally does not use: 'file:///etc/passwd' is not",
            ),
            (
                "http://viewer:geheim/@127.0.0.1:{port}/",
                "names an address with a log-in that cannot be left out",
            ),
            ("rtsp://127.0.0.1:{port}/", "names an address of rtsp://, not of http://"),
            ("http://127.0.0.1:99999/", "names an address that frametally does not use: the port in"),
            (
                "x" * 5000,
                "names an address that frametally does not use: a camera's address can have at most 2000",
            ),
            (" ", "names no address of its own"),
        ]
    ),
)
def test_an_answer_that_leads_elsewhere_gives_one_line_and_no_other_request(
    find: Find, xaddrs: str, line: str
) -> None:
    with Trap() as trap, Answerer(lambda asked: [match(asked, xaddrs.format(port=trap.port))]) as stranger:
        offer = only(find(stranger.place))
    assert (offer.problem or "").startswith(f"127.0.0.1 {line}")
    assert "geheim" not in str(offer)
    assert (offer.streams, trap.visits) == ([], 0)


@pytest.mark.parametrize(
    "datagram",
    first_quick([BOMB, FILE_DTD, b"hello", b'<?xml version="1.0" encoding="utf-7"?><x/>', b"<x>" * 20_000]),
)
def test_an_answer_without_safe_xml_gives_one_line(find: Find, datagram: bytes) -> None:
    with Answerer(lambda _: [datagram]) as stranger:
        assert only(find(stranger.place)).problem == "127.0.0.1 sends XML that cannot be read"


def test_an_answer_to_somebody_elses_probe_is_ignored(find: Find) -> None:
    with Trap() as trap, Answerer(lambda _: [match("urn:uuid:0", f"http://127.0.0.1:{trap.port}/")]) as other:
        assert find(other.place) == CameraSearch(cameras=[], has_more=False)
    assert trap.visits == 0


def test_where_cameras_are_not_allowed_no_device_is_contacted_and_the_line_names_the_setting(
    find: Find,
) -> None:
    with OnvifCamera(GATE) as camera:
        offer = only(find(camera.answerer.place, live_allow="10.0.0.0/8"))
    remedy = "if this address is right, set FRAMETALLY_LIVE_ALLOW=10.0.0.0/8,127.0.0.1"
    assert offer.problem == f"frametally does not allow cameras at 127.0.0.1 (allowed: 10.0.0.0/8); {remedy}"
    assert camera.questions == []


@pytest.mark.parametrize(
    ("question", "answer", "line"),
    first_case_quick(
        [
            ("GetDeviceInformation", Answer(200, b"hello"), "sends XML that cannot be read"),
            ("GetDeviceInformation", Answer(200, BOMB), "sends XML that cannot be read"),
            ("GetDeviceInformation", Answer(500, b"hello"), "answers 500"),
            ("GetDeviceInformation", Answer(404), "does not know this path (404): check the address"),
            ("GetDeviceInformation", Answer(200, b" " * (600 << 10)), "sends an answer of more than 512 KiB"),
            (
                "GetDeviceInformation",
                Answer(400, envelope(NOT_SUPPORTED)),
                "refuses the question: Action not [31msup",
            ),
            (
                "GetProfiles",
                Answer(200, envelope("<x>" * 50_000 + "</x>" * 50_000)),
                "has no profile, and so no",
            ),
            ("GetProfiles", Answer(200, envelope("")), "has no profile, and so no stream"),
            ("GetServices", Answer(200, envelope("")), "has no media service, and so no stream"),
            (
                "GetServices",
                Answer(
                    200,
                    envelope(
                        "<Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace>"
                        "<XAddr>http://localhost:{port}/</XAddr></Service>"
                    ),
                ),
                "names an address of another host, localhost",
            ),
            (
                "GetStreamUri",
                Answer(200, envelope("<Uri>rtsp://10.9.9.9/a</Uri>")),
                "names an address of another host",
            ),
            ("GetStreamUri", Answer(200, envelope("<Uri>file:///etc/passwd</Uri>")), "names an address that"),
            (
                "GetStreamUri",
                Answer(200, envelope("<Uri>rtsp://127.0.0.1/?user=a&amp;password=geheim</Uri>")),
                "names an address that frametally does not use: "
                "this address contains a user name or password, which everyone who can see",
            ),
            (
                "GetDeviceInformation",
                Answer(302, head=("Location", "http://localhost:{port}/")),
                "redirects to another address (302): use that one instead",
            ),
        ]
    ),
)
def test_a_nonsense_answer_gives_one_line_and_no_other_device_is_contacted(
    find: Find, question: str, answer: Answer, line: str
) -> None:
    with Trap() as trap:
        port = str(trap.port)
        fault = answer._replace(
            body=answer.body.replace(b"{port}", port.encode()),
            head=(answer.head[0], answer.head[1].replace("{port}", port)),
        )
        with OnvifCamera(GATE, faults={question: fault}) as camera:
            offer = only(find(camera.answerer.place))
    assert (offer.problem or "").startswith(f"127.0.0.1 {line}")
    assert (offer.problem or "").isprintable()
    assert "geheim" not in str(offer)
    assert trap.visits == 0


@pytest.mark.parametrize(
    "challenge", ["Digest realm=", "Digest", 'Digest realm="r", nonce="n", qop="x"', "Basic"]
)
def test_an_invalid_challenge_or_one_for_the_plain_password_gives_one_line(
    find: Find, challenge: str
) -> None:
    asks = Answer(401, head=("WWW-Authenticate", challenge))
    with OnvifCamera(GATE, faults={"GetDeviceInformation": asks}) as camera:
        offer = only(find(camera.answerer.place, live_logins=LOGINS))
    assert (offer.problem or "").startswith("127.0.0.1 ")
    assert "Authorization" not in "".join(camera.heads)


@pytest.mark.parametrize("year", ["9999", "0", "x", "9" * 5000])
def test_a_nonsense_clock_is_not_used(find: Find, year: str) -> None:
    time = "<T><Hour>23</Hour><Minute>59</Minute><Second>59</Second></T>".replace("T>", "Time>")
    date = f"<Date><Year>{year}</Year><Month>12</Month><Day>31</Day></Date>"
    clock = Answer(200, envelope(f"<UTCDateTime>{time}{date}</UTCDateTime>"))
    with OnvifCamera(GATE, password=PASSWORD, faults={"GetSystemDateAndTime": clock}) as camera:
        assert only(find(camera.answerer.place, live_logins=LOGINS)).problem is None


def test_a_login_in_a_streams_address_is_left_out(find: Find) -> None:
    uri = Answer(200, envelope("<Uri>rtsp://viewer:geheim@127.0.0.1:8554/gate</Uri>"))
    with OnvifCamera(GATE, faults={"GetStreamUri": uri}) as camera:
        offer = only(find(camera.answerer.place))
    assert [one.address for one in offer.streams] == [GATE, GATE]


def test_slow_devices_are_cut_off_and_the_others_are_listed(
    find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_DEVICE_S", 1.0)
    slow = Answer(200, envelope("<x/>"), piece_bytes=1, pause_s=0.2)
    with (
        OnvifCamera(GATE, name="slow", faults={"GetDeviceInformation": slow}) as camera,
        OnvifCamera(GATE, name="quick") as other,
        Answerer(
            lambda asked: [match(asked, camera.url), match(asked, other.url, endpoint="urn:uuid:2")]
        ) as both,
    ):
        found = find(both.place)
    assert [(one.problem, len(one.streams)) for one in found.cameras] == [
        (None, 2),
        ("127.0.0.1 did not answer within 1 s", 0),
    ]


def test_a_search_ends_in_time_whatever_answers(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_ASK_S", 0.0)
    with OnvifCamera(GATE) as camera:
        offer = only(find(camera.answerer.place))
    assert offer.problem == "127.0.0.1 was not asked, as others took too long: search again"
    assert camera.questions == []


@pytest.mark.parametrize(("of_host", "most"), first_case_quick([(10_000, 200), (8, 8)]))
def test_only_a_limited_number_of_answers_is_read(
    find: Find, monkeypatch: pytest.MonkeyPatch, of_host: int, most: int
) -> None:
    monkeypatch.setattr(probe, "_MOST_OF_HOST", of_host)
    monkeypatch.setattr(probe, "LISTEN_S", 0.6)  # the end may be lost among so many
    with Answerer(lambda asked: [match(asked, f"file:///{number}") for number in range(1500)]) as stranger:
        found = find(stranger.place)
    assert len(found.cameras) <= most
    assert found.has_more
    assert all(one.problem for one in found.cameras)


def test_names_from_strangers_are_plain_text(find: Find) -> None:
    name = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%1B%5B31m%0A%E2%80%AEx" + "y" * 500
    with OnvifCamera(GATE, name=name) as camera:
        offer = only(find(camera.answerer.place))
    assert offer.name.startswith("<img src=x onerror=alert(1)>[31m xyyy")
    assert offer.name.isprintable()
    assert len(offer.name) <= 100


def test_a_machine_without_a_network_gets_a_clear_error(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", list)
    with pytest.raises(
        Retryable, match=r"this machine has no network to search for cameras \(no interface\)"
    ):
        find(("127.0.0.1", 9))


def test_an_unreadable_setting_is_reported_before_any_device_is_contacted(find: Find) -> None:
    with OnvifCamera(GATE) as camera, pytest.raises(Misconfigured, match="FRAMETALLY_LIVE_LOGINS"):
        find(camera.answerer.place, live_logins="geheim")
    assert camera.answerer.probes == []


def test_the_command_lists_cameras_as_a_table_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = here(tmp_path)
    monkeypatch.setattr(output.out(), "width", 200)  # pytest's workers report 80 columns
    monkeypatch.setenv("FRAMETALLY_LIVE_ALLOW", "127.0.0.1")
    with OnvifCamera(GATE) as camera:
        monkeypatch.setattr(probe, "MULTICAST", camera.answerer.place)
        table = run_frametally("live", "discover", settings=settings)
        (offer,) = json.loads(run_frametally("live", "discover", "--json", settings=settings))["cameras"]
        monkeypatch.setenv("FRAMETALLY_LIVE_ALLOW", "")
        refused = run_frametally("live", "discover", settings=settings)
    (row, _) = (line for line in table.splitlines() if "Gate 1" in line)
    assert row.split("   ")[0].strip() == "Gate 1"
    for text in ("Cyberdyne T-800", "mainStream", "1920 x 1080 H264", GATE):
        assert text in row
    assert (offer["name"], offer["streams"][0]["address"]) == ("Gate 1", GATE)
    assert "set FRAMETALLY_LIVE_ALLOW=127.0.0.1" in refused
    with Answerer(lambda _: []) as nobody:
        monkeypatch.setattr(probe, "MULTICAST", nobody.place)
        assert "no cameras found" in run_frametally("live", "discover", settings=settings)
    assert not list(settings.data_dir.glob("*.sqlite")), "a search makes no database"


def test_the_api_lists_cameras_only_for_those_who_may_add_them_and_records_the_search(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    here = place.settings.model_copy(update={"live_allow": "127.0.0.1"})
    nowhere = place.settings.model_copy(update={"live_allow": ""})
    place.search_cameras = partial(search.search_cameras, here)
    client = place.app().test_client()
    with OnvifCamera(GATE) as camera:
        monkeypatch.setattr(probe, "MULTICAST", camera.answerer.place)
        found = client.post("/api/v1/cameras/search")
        foreign = client.post("/api/v1/cameras/search", headers={"Origin": "https://evil.example"})
        elsewhere = place.app(web_uploads=False).test_client().post("/api/v1/cameras/search")
        questions = len(camera.questions)
        place.search_cameras = partial(search.search_cameras, nowhere)
        refused = place.app().test_client().post("/api/v1/cameras/search")
        assert len(camera.questions) == questions
    assert found.status_code == 200
    assert [one["streams"][0]["address"] for one in found.json["cameras"]] == [GATE]
    assert (foreign.status_code, elsewhere.status_code) == (403, 403)
    (offer,) = refused.json["cameras"]
    assert (
        offer["problem"]
        == "frametally does not allow cameras at 127.0.0.1. Ask an administrator to allow this address."
    )
    assert "FRAMETALLY_" not in refused.text
    assert "set FRAMETALLY_LIVE_ALLOW=127.0.0.1" in caplog.text
    assert client.get("/api/v1/cameras").json["cameras"] == []
    assert "cameras/search" in client.get("/api/v1/audit").text


def test_the_second_of_two_simultaneous_searches_is_refused(place: Place) -> None:
    is_searching, may_end = threading.Event(), threading.Event()

    def search_slowly(_: Sequence[Feed]) -> CameraSearch:
        is_searching.set()
        assert may_end.wait(60)
        return CameraSearch(cameras=[], has_more=False)

    place.search_cameras = search_slowly
    app = place.app()
    first = threading.Thread(target=lambda: app.test_client().post("/api/v1/cameras/search"))
    first.start()
    assert is_searching.wait(60)
    second = app.test_client().post("/api/v1/cameras/search")
    may_end.set()
    first.join()
    assert (second.status_code, second.json["remedy"]) == (409, "Try again in 15 seconds.")
