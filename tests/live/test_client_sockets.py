"""`/ws/{client_id}`: each client gets news of all its videos, of no others, and again after reconnecting."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import pytest
from flask import Flask
from tests.kit.waiting import until
from tests.live.watching import closed_by, described, open_socket
from tests.videos.test_library_api import stored
from tests.videos.video_records import make_video
from tests.web.conftest import Place, Serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Origin

from frametally_videos import web as videos_web
from frametally_videos.records import VideoFields
from frametally_web.api.asyncapi import describe_messages
from frametally_web.app import parts_of

if TYPE_CHECKING:
    from frametally_videos.sockets.client_sockets import ClientSockets

ANNA, BELA = "anna-client-1", "bela_client-2"
LONG_S = 60.0


class Listener:
    """A client that keeps every message."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[dict[str, Any]] = []

    def next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.connection.recv(LONG_S))
        described("client", message["type"]).validate(message)
        self.messages.append(message)
        return message

    def until(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while not is_it(message := self.next()):
            pass
        return message

    def closed_by(self) -> int | None:
        return closed_by(self.connection)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check for news more often than twice a second, because each test waits for some."""
    monkeypatch.setattr("frametally_videos.sockets.client_sockets._LOOK_EVERY_S", 0.05)


@pytest.fixture
def app(place: Place) -> Flask:
    return place.app()


@pytest.fixture
def sockets(app: Flask) -> ClientSockets:
    return cast("ClientSockets", parts_of(app).sockets[""])


@pytest.fixture
def listen(app: Flask, serving: Serving) -> Iterator[Callable[..., Listener]]:
    with listening(serving(app)) as make:
        yield make


@contextmanager
def listening(url: str) -> Iterator[Callable[..., Listener]]:
    """Creates clients of a dashboard, which all close at the end."""
    with ExitStack() as stack:

        def make(client_id: str, **options: Any) -> Listener:
            opened = open_socket(f"{url.replace('http', 'ws', 1)}/ws/{client_id}", **options)
            return Listener(stack.enter_context(opened))

        yield make


def uploaded(place: Place, number: int, client_id: str) -> str:
    (video_id,) = stored(place, make_video(number, fields=VideoFields(client_id=client_id)))
    return video_id


def test_each_client_receives_only_its_own_news(place: Place, listen: Callable[..., Listener]) -> None:
    of_anna, of_bela, of_nobody = (uploaded(place, 1, ANNA), uploaded(place, 2, BELA), uploaded(place, 3, ""))
    anna, bela = listen(ANNA), listen(BELA)
    for listener, client_id, video_id in ((anna, ANNA, of_anna), (bela, BELA, of_bela)):
        hello = listener.next()
        assert (hello["type"], hello["client_id"]) == ("hello", client_id)
        assert [video["video_id"] for video in hello["videos"]] == [video_id]
    jobs = {}
    for video_id in (of_anna, of_bela, of_nobody):
        jobs[video_id] = place.catalogue.queue(video_id, "enhance", '{"gamma":2}').id
    while (job := place.catalogue.claim("w", ["enhance"], lease_s=60)) is not None:
        place.catalogue.renew(job, lease_s=60, progress=0.5)
        place.catalogue.end(job, "done")
        place.catalogue.set_video(job.video_id, state="ready")
    later = uploaded(place, 4, ANNA)
    for listener, video_id in ((anna, of_anna), (bela, of_bela)):
        done = listener.until(lambda one: one["type"] == "job" and one["state"] == "done")
        assert done["job_id"] == jobs[video_id]
        assert done["result_url"] == f"/processed_videos/{video_id}"
    anna.until(lambda one: one["type"] == "video" and one["video_id"] == later)
    place.catalogue.remove_video(of_bela)
    bela.until(lambda one: one["type"] == "video" and one["state"] == "removed")
    for listener, own, other in ((anna, {of_anna, later}, BELA), (bela, {of_bela}, ANNA)):
        told = json.dumps(listener.messages)
        assert {one["video_id"] for one in listener.messages if "video_id" in one} <= own
        assert not any(video_id in told for video_id in {of_anna, of_bela, of_nobody, later} - own)
        assert other not in told


def test_the_sent_messages_and_the_described_ones_are_the_same(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_videos.web._PING_S", 0.1)
    video_id = uploaded(place, 1, ANNA)
    place.catalogue.queue(video_id, "enhance", '{"gamma":2}')
    with listening(serving(place.app())) as listen:
        _hear_of_all(place, listen(ANNA), video_id)


def _hear_of_all(place: Place, listener: Listener, video_id: str) -> None:
    assert listener.until(lambda one: one["type"] == "hello")["jobs"]  # pings may arrive before
    assert place.catalogue.claim("w", ["enhance"], lease_s=60) is not None
    listener.until(lambda one: one["type"] == "job")
    place.catalogue.set_video(video_id, state="ready")
    listener.until(lambda one: one["type"] == "video")
    listener.until(lambda one: one["type"] == "ping")
    answer = {"type": "pong"}
    described("client", "pong").validate(answer)
    listener.connection.send(json.dumps(answer))
    listener.next()
    sent = {message["type"] for message in listener.messages}
    assert sent | {"pong"} == set(describe_messages()["channels"]["client"]["messages"])
    assert not described("client", "job").is_valid(listener.messages[0])


def test_a_reconnecting_client_receives_the_whole_state(
    place: Place, listen: Callable[..., Listener]
) -> None:
    video_id = uploaded(place, 1, ANNA)
    first = listen(ANNA)
    first.next()
    first.connection.socket.close()
    place.catalogue.set_video(video_id, state="failed", reason="It is cut.")
    job = place.catalogue.queue(video_id, "checks")
    second = listen(ANNA)
    known = {video_id: ("received", None), job.id: ("", None)}
    while (told := known[video_id], known[job.id]) != (("failed", "It is cut."), ("queued", None)):
        message = second.next()
        assert (message["type"] == "hello") == (len(second.messages) == 1), told
        for one in [*message.get("videos", []), *message.get("jobs", []), message]:
            known[one.get("job_id") or one.get("video_id")] = (one.get("state"), one.get("reason"))


def test_two_sockets_of_one_client_both_receive_everything(
    place: Place, listen: Callable[..., Listener]
) -> None:
    video_id = uploaded(place, 1, ANNA)
    both = [listen(ANNA), listen(ANNA)]
    for one in both:
        assert one.next()["type"] == "hello"
    place.catalogue.set_video(video_id, state="ready")
    for one in both:
        assert one.until(lambda message: message.get("state") == "ready")["video_id"] == video_id


@pytest.mark.thorough
@pytest.mark.parametrize("client_id", ["", "a" * 65, "has%20space", "stream", "a/b-c-d-e-f", "ä-ä-ä-ä-ä"])
def test_a_socket_without_a_client_id_is_closed(listen: Callable[..., Listener], client_id: str) -> None:
    listener = listen(client_id)
    assert listener.closed_by() == 1008
    why = "a parameter is unknown" if client_id == "stream" else "the client ID is not valid"
    assert why in (listener.connection.close_reason or "")


def test_a_socket_from_another_sites_page_is_closed(place: Place, listen: Callable[..., Listener]) -> None:
    uploaded(place, 1, ANNA)
    assert listen(ANNA, origin="https://evil.example").closed_by() == 1008
    assert listen(ANNA, additional_headers={"Sec-Fetch-Site": "cross-site"}).closed_by() == 1008


def test_a_socket_for_another_host_name_is_closed(app: Flask, serving: Serving) -> None:
    """Like a page whose host name resolves to this machine (DNS rebinding)."""
    address = urlsplit(serving(app))
    with (
        socket.create_connection((address.hostname, address.port)) as raw,
        open_socket(f"ws://evil.example:{address.port}/ws/{ANNA}", sock=raw) as connection,
    ):
        assert Listener(connection).closed_by() == 1008


def test_an_allowed_sites_page_receives_news(place: Place, serving: Serving) -> None:
    url = serving(place.app(web_allowed_origins="https://good.example")).replace("http", "ws", 1)
    with open_socket(f"{url}/ws/{ANNA}", origin=Origin("https://good.example")) as connection:
        assert Listener(connection).next()["type"] == "hello"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("hello", 1003),
        ('{"type":"ack"}', 1003),
        ('{"type":"pong","n":1}', 1003),
        (b'{"type":"pong"}', 1003),
        ('{"type":"pong"}' + " " * 1100, 1003),
        ("[" * 1000, 1003),
    ],
)
def test_a_client_that_sends_anything_else_is_disconnected(
    listen: Callable[..., Listener], said: str | bytes, code: int
) -> None:
    listener = listen(ANNA)
    listener.next()
    listener.connection.send('{"type":"pong"}')
    listener.connection.send(said)
    assert listener.closed_by() == code


def test_a_message_that_is_far_too_large_is_not_read(listen: Callable[..., Listener]) -> None:
    listener = listen(ANNA)
    listener.next()
    listener.connection.send("x" * 100_000)
    assert listener.closed_by() == 1009


def test_a_client_that_sends_too_much_is_disconnected(listen: Callable[..., Listener]) -> None:
    listener = listen(ANNA)
    listener.next()
    with pytest.raises(ConnectionClosed):
        for _ in range(100_000):
            listener.connection.send('{"type":"pong"}')
    assert listener.closed_by() == 1008


@pytest.mark.thorough
def test_a_client_can_have_four_sockets(listen: Callable[..., Listener]) -> None:
    four = [listen(ANNA) for _ in range(4)]
    for one in four:
        assert one.next()["type"] == "hello"
    assert listen(ANNA).closed_by() == 1013
    assert listen(BELA).next()["type"] == "hello"
    four[0].connection.close()
    until(lambda: _hears(listen))


def test_the_number_of_sockets_of_all_clients_is_limited(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_videos.web._MOST_SOCKETS", 3)
    with listening(serving(place.app())) as listen:
        three = [listen(f"client-{number:04d}") for number in range(3)]
        for one in three:
            assert one.next()["type"] == "hello"
        assert listen(ANNA).closed_by() == 1013
        three[0].connection.close()
        until(lambda: _hears(listen))
        assert listen(BELA).closed_by() == 1013


def test_pings_are_sent_during_silence_and_news_needs_none(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = uploaded(place, 1, ANNA)
    monkeypatch.setattr("frametally_videos.web._PING_S", 0.2)
    with listening(serving(place.app())) as listen:
        silent = listen(ANNA)
        assert [silent.next()["type"] for _ in range(3)] == ["hello", "ping", "ping"]
    monkeypatch.setattr("frametally_videos.web._PING_S", 3600)
    with listening(serving(place.app())) as listen:
        listener = listen(ANNA)
        assert listener.next()["type"] == "hello"
        place.catalogue.set_video(video_id, state="ready")
        assert listener.next()["type"] == "video"


def test_the_limits_are_five_hundred_sockets_and_a_ping_every_twenty_seconds() -> None:
    assert (videos_web._MOST_SOCKETS, videos_web._PING_S) == (500, 20.0)


def _hears(listen: Callable[..., Listener]) -> bool:
    try:
        return bool(listen(ANNA).next()["type"] == "hello")
    except ConnectionClosed:
        return False


@pytest.mark.thorough
def test_two_hundred_closed_sockets_leave_nothing_behind(
    place: Place, listen: Callable[..., Listener], sockets: ClientSockets
) -> None:
    before = threading.active_count()
    came = [listen(f"client-{number:04d}") for number in range(200)]
    for one in came:
        one.next()
    assert sockets.open == 200
    for number, one in enumerate(came):
        if number % 2:
            one.connection.close()
        else:
            one.connection.socket.close()
    until(lambda: sockets.open == 0)
    assert not sockets.is_watching
    until(lambda: threading.active_count() <= before + 40)


def test_a_client_that_does_not_read_gets_the_last_state_after_few_messages(
    place: Place, listen: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes follow each other fast: the client ends with the last state, after few messages."""
    monkeypatch.setattr("frametally_videos.sockets.client_sockets._LOOK_EVERY_S", 0.5)
    ids = [uploaded(place, number, ANNA) for number in range(1, 4)]
    slow = listen(ANNA)
    slow.next()
    for number in range(300):
        place.catalogue.set_video(ids[number % 3], state="producing", progress=number / 300)
    place.catalogue.set_video(ids[0], state="ready")
    slow.until(lambda one: one["type"] == "video" and one["state"] == "ready")
    assert len(slow.messages) < 100


def test_a_pages_address_opens_no_socket(app: Flask, serving: Serving) -> None:
    url = serving(app).replace("http", "ws", 1)
    with pytest.raises(InvalidStatus), open_socket(url + "/"):
        pass
