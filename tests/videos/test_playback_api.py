"""Stored videos by HTTP: whole, in parts, as downloads, with pictures; not read for clients that
have gone."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import cv2
import msgspec
import numpy as np
import pytest
from tests.kit.clips import grey_jpeg
from tests.videos.video_records import make_facts, make_video
from tests.web.conftest import FRAME_PX, MODEL, START_MS, Place, Serving
from tests.web.raw_client import Client

from frametally import keys
from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Retryable
from frametally.media.manifests import find_manifest, list_manifests
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally_videos.catalogue.catalogue_rows import Artifact
from frametally_videos.records import VideoFacts, VideoRecord
from frametally_web.serving import DashboardServer

TWO_GIB = 2**31


class Footage(NamedTuple):
    """A stored video."""

    id: str
    data: bytes
    sha256: str

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'

    @property
    def at(self) -> str:
        return f"/api/v1/videos/{self.id}"


def store_video(
    place: Place, data: bytes = b"", *, facts: VideoFacts | None = None, number: int = 1, **values: Any
) -> Footage:
    data = data or bytes(range(256)) * 4000
    sha256 = hashlib.sha256(data).hexdigest()
    record = make_video(number, facts=facts, sha256=sha256, size_bytes=len(data), **values)
    place.store.put(keys.original_key(record.id), data)
    place.catalogue.put_video(record, "v1")
    return Footage(record.id, data, sha256)


@pytest.fixture
def asking(place: Place, serving: Serving) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(**settings: Any) -> Client:
        clients.append(Client(serving(place.app(**settings))))
        return clients[-1]

    yield make
    for one in clients:
        one.close()


@pytest.fixture
def ask(asking: Callable[..., Client]) -> Client:
    return asking()


def test_a_server_that_stops_during_playback_leaves_no_connection_open(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client accepts no more of it, so neither the answer nor its connection ends."""
    monkeypatch.setattr("frametally_web.serving._LAST_ANSWERS_S", 0.1)
    video = store_video(place, bytes(30_000_000))
    server = DashboardServer(place.app(), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    with socket.create_connection((server.host, server.port)) as client:
        client.sendall(f"GET {video.at}/playable HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        client.recv(1000)
        [connection] = server._server.server_state.connections
        theirs = connection.transport.get_extra_info("socket")
        server.stop()
        thread.join()
        assert theirs.fileno() == -1, "it is closed"


def test_a_video_is_served_byte_for_byte_whole_or_in_the_requested_range(place: Place, ask: Client) -> None:
    video = store_video(place)
    size = len(video.data)
    whole = ask("GET", f"{video.at}/playable")
    assert (whole.status, whole.body) == (200, video.data)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["content-length"] == str(size)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["etag"] == video.etag
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in whole.headers
    for asked, first, end in (
        ("bytes=0-", 0, size),
        ("bytes=300000-900000", 300_000, 900_001),
        ("bytes=-5", size - 5, size),
    ):
        part = ask("GET", f"{video.at}/playable", Range=asked)
        assert (part.status, part.body) == (206, video.data[first:end])
        assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
        assert part.headers["content-length"] == str(end - first)
        assert part.headers["etag"] == video.etag


def test_conditions_and_impossible_ranges_are_answered_as_the_rfc_says(place: Place, ask: Client) -> None:
    video = store_video(place)
    at = f"{video.at}/playable"
    kept = ask("GET", at, If_None_Match=video.etag)
    assert (kept.status, kept.body, kept.headers["etag"]) == (304, b"", video.etag)
    assert "cache-control" in kept.headers
    assert ask("GET", at, If_Range=video.etag, Range="bytes=0-1").status == 206
    assert ask("GET", at, If_Range='"other"', Range="bytes=0-1").status == 200
    behind = ask("GET", at, Range="bytes=99999999-")
    assert (behind.status, behind.headers["content-range"]) == (416, f"bytes */{len(video.data)}")
    assert behind.headers["content-type"] == "application/problem+json"
    assert behind.json["remedy"]
    assert ask("GET", at, Range="bytes=0-1,5-6").status == 200
    assert ask("GET", at, Range="nonsense").status == 200
    assert ask("GET", at, If_Match='"other"').status == 412


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["original", "playable"])
def test_head_gives_the_headers_of_get_without_a_body(place: Place, ask: Client, name: str) -> None:
    video = store_video(place)
    got = ask("GET", f"{video.at}/{name}")
    head = ask("HEAD", f"{video.at}/{name}", Range="bytes=0-1")
    assert (head.status, head.body) == (200, b"")
    for header in ("content-length", "content-type", "etag", "accept-ranges", "cache-control"):
        assert head.headers[header] == got.headers[header]
    assert ask("HEAD", f"{video.at}/{name}", If_None_Match=video.etag).status == 304
    assert ask("GET", f"{video.at}/{name}", Range="bytes=0-1").status == 206  # on the same connection


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("file_name", "plain", "encoded"),
    [
        ("gate 1.mp4", "gate 1.mp4", "gate%201.mp4"),
        ('a"b\\c.mp4', "a_b_c.mp4", "a%22b%5Cc.mp4"),
        ("Stra\u00dfe.mp4", "Stra_e.mp4", "Stra%C3%9Fe.mp4"),
        ("a\r\nSet-Cookie: x=1.mp4", "a__Set-Cookie_ x_1.mp4", "a%0D%0ASet-Cookie%3A%20x%3D1.mp4"),
        ("../../etc/passwd", ".._.._etc_passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("\u202egpj.mp4", "_gpj.mp4", "%E2%80%AEgpj.mp4"),
        ("\U0001f408" * 255, "_" * 255, "%F0%9F%90%88" * 255),
        ("a;b,c='x'.mp4", "a_b_c__x_.mp4", "a%3Bb%2Cc%3D%27x%27.mp4"),
    ],
)
def test_the_original_is_downloaded_under_its_own_name_whatever_it_is(
    place: Place, ask: Client, file_name: str, plain: str, encoded: str
) -> None:
    video = store_video(place, file_name=file_name)
    answer = ask("GET", f"{video.at}/original")
    assert (answer.status, answer.body) == (200, video.data)
    said = answer.headers["content-disposition"]
    assert said == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    assert "set-cookie" not in answer.headers


def test_a_video_that_no_browser_plays_gives_the_reason_and_can_be_downloaded(
    place: Place, ask: Client
) -> None:
    why = "Browsers play no MPEG-4 Part 2."
    facts = make_facts(plays_in_browsers=False, why_not=why, content_type="video/x-msvideo")
    video = store_video(place, facts=facts)
    for at in (f"{video.at}/playable", f"/processed_videos/{video.id}"):
        refused = ask("GET", at)
        assert (refused.status, refused.json["detail"]) == (404, why)
        assert f"{video.at}/original" in refused.json["remedy"]
    kept = ask("GET", f"{video.at}/original")
    assert (kept.status, kept.headers["content-type"]) == (200, "video/x-msvideo")


def test_bytes_whose_type_is_not_a_videos_are_served_as_plain_bytes(place: Place, ask: Client) -> None:
    video = store_video(place, b"<script>alert(1)</script>", facts=make_facts(content_type="text/html"))
    assert ask("GET", f"{video.at}/playable").headers["content-type"] == "application/octet-stream"


def test_only_an_address_that_names_the_bytes_can_be_cached_permanently(place: Place, ask: Client) -> None:
    video = store_video(place)
    for_ever, ask_again = "private, max-age=31536000, immutable", "private, no-cache"
    for query, said in ((f"?v={video.sha256}", for_ever), ("", ask_again), ("?v=other", ask_again)):
        assert ask("GET", f"{video.at}/playable{query}").headers["cache-control"] == said
        assert ask("GET", f"/processed_videos/{video.id}{query}").headers["cache-control"] == ask_again


def test_the_earlier_apis_address_of_a_processed_video_plays(place: Place, ask: Client) -> None:
    video = store_video(place)
    at = f"/processed_videos/{video.id}"
    assert ask("GET", at, Range="bytes=5-9").body == video.data[5:10]
    assert ask("GET", at, Range="bytes=5-9", If_Range='"x"').status == 200
    assert ask("HEAD", at).headers["content-length"] == str(len(video.data))
    assert ask("GET", at, Range="bytes=99999999-").status == 416
    assert ask("POST", at).status == 405


def test_preview_pictures_are_served_by_the_name_of_their_recipe(place: Place, ask: Client) -> None:
    video = store_video(place)
    for name in ("poster", "sprite", "sprite.vtt"):
        missing = ask("GET", f"{video.at}/{name}")
        assert (missing.status, "yet" in missing.json["detail"]) == (404, True)
    previews = []
    for kind, name, media_type in (
        ("poster", "poster-0a1b2c3d.jpg", "image/jpeg"),
        ("sprite", "sprite-11111111.jpg", "image/jpeg"),
        ("sprite_vtt", "sprite-11111111.vtt", "text/vtt"),
    ):
        key = keys.preview_key(video.id, name)
        place.store.put(key, name.encode())
        previews.append(Artifact(kind, key, media_type, len(name)))  # type: ignore[arg-type]
    place.catalogue.set_artifacts(video.id, previews)
    poster = ask("GET", f"{video.at}/poster?v=0a1b2c3d")
    assert (poster.status, poster.body) == (200, b"poster-0a1b2c3d.jpg")
    assert poster.headers["content-type"] == "image/jpeg"
    assert poster.headers["etag"] == '"0a1b2c3d"'
    assert "immutable" in poster.headers["cache-control"]
    assert "immutable" not in ask("GET", f"{video.at}/poster?v=ffffffff").headers["cache-control"]
    assert ask("GET", f"{video.at}/poster", If_None_Match='"0a1b2c3d"').status == 304
    parts = ask("GET", f"{video.at}/sprite.vtt?v=11111111")
    assert parts.headers["content-type"].startswith("text/vtt")
    assert parts.body == b"sprite-11111111.vtt"
    assert ask("GET", f"{video.at}/sprite?v=11111111").body == b"sprite-11111111.jpg"


def test_a_poster_is_served_smaller_on_request(place: Place, ask: Client) -> None:
    video = store_video(place)
    key = keys.preview_key(video.id, "poster-0a1b2c3d.jpg")
    jpeg = grey_jpeg(960, 540, 90)
    place.store.put(key, jpeg)
    place.catalogue.set_artifacts(video.id, [Artifact("poster", key, "image/jpeg", len(jpeg))])
    for asked, width_px in (("", 960), ("&w=640", 640), ("&w=320", 320), ("&w=1280", 960)):
        poster = ask("GET", f"{video.at}/poster?v=0a1b2c3d{asked}")
        assert (poster.status, poster.headers["content-type"]) == (200, "image/jpeg")
        assert "immutable" in poster.headers["cache-control"]
        assert cv2.imdecode(np.frombuffer(poster.body, np.uint8), cv2.IMREAD_COLOR).shape[1] == width_px
    assert "immutable" not in ask("GET", f"{video.at}/poster?v=ffffffff&w=320").headers["cache-control"]
    assert ask("GET", f"{video.at}/poster?w=100").status == 400
    place.store.delete(key)
    assert ask("GET", f"{video.at}/poster?w=320").status == 404
    assert ask("GET", f"{video.at}/sprite?w=320").status == 400


PATHS = ("original", "playable", "poster", "sprite", "sprite.vtt")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "video_id",
    [str(uuid.UUID(int=99, version=4)), "x", "..", "%2e%2e", "contents", "a%00b", "A" * 3000, "%F0%9F%90%88"],
)
def test_an_unknown_video_is_not_found(place: Place, ask: Client, video_id: str) -> None:
    store_video(place)
    for at in (*(f"/api/v1/videos/{video_id}/{name}" for name in PATHS), f"/processed_videos/{video_id}"):
        answer = ask("GET", at)
        assert answer.status == 404, at
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.thorough
def test_a_video_being_deleted_is_not_shown_and_a_deleted_one_is_gone(place: Place, ask: Client) -> None:
    leaving = store_video(place, state="deleting")
    gone = store_video(place, b"gone", number=2)
    place.store.delete(keys.original_key(gone.id))
    for video, said in ((leaving, "being deleted"), (gone, "no longer")):
        for method in ("GET", "HEAD"):
            assert ask(method, f"{video.at}/playable").status == 404
        assert said in ask("GET", f"{video.at}/playable").json["detail"]


def test_an_unknown_parameter_is_refused(place: Place, ask: Client) -> None:
    video = store_video(place)
    assert ask("GET", f"{video.at}/playable?verson=1").json["parameter"] == "verson"


def test_an_unavailable_store_gives_an_error_before_the_first_byte_and_a_truncated_answer_after_it(
    place: Place, ask: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = store_video(place, bytes(3_000_000))
    read, calls = place.store.get_range, [0]

    def away_after(most: int) -> Callable[..., bytes]:
        def get_range(*asked: Any) -> bytes:
            calls[0] += 1
            if calls[0] > most:
                raise Retryable("the bucket at s3.internal is away")
            return read(*asked)

        return get_range

    monkeypatch.setattr(place.store, "get_range", away_after(0))
    refused = ask("GET", f"{video.at}/playable")
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert b"s3.internal" not in refused.body
    calls[0] = 0
    monkeypatch.setattr(place.store, "get_range", away_after(2))
    ask.connection.request("GET", f"{video.at}/playable")
    answer = ask.connection.getresponse()
    assert answer.status == 200
    with pytest.raises(Exception, match=r"IncompleteRead|bytes read"):
        answer.read()


class CountingStore:
    """A store that counts the bytes that are read; each of its objects is large, and only simulated."""

    def __init__(self, store: ObjectStore, size: int) -> None:
        self.store = store
        self.size = size
        self.read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        part = min(next_byte, self.size) - first_byte
        self.read += part
        return bytes(part)


def settled(value: Callable[[], int]) -> int:
    """Return what a number is once it does not grow any more."""
    seen, since = value(), time.monotonic()
    while time.monotonic() - since < 1.0:
        time.sleep(0.05)
        if value() != seen:
            seen, since = value(), time.monotonic()
    return seen


@pytest.mark.thorough
@pytest.mark.parametrize("taken", [0, 1_000_000, 30_000_000])
def test_at_most_16_mb_are_read_after_a_client_abandons_an_answer(
    place: Place, serving: Serving, taken: int
) -> None:
    counting = CountingStore(place.store, TWO_GIB)
    record = make_video(size_bytes=TWO_GIB)
    place.catalogue.put_video(record, "v1")
    place.store = counting
    host = urlsplit(serving(place.app())).netloc
    for _ in range(5):
        before = counting.read
        with socket.create_connection(host.split(":"), timeout=30) as client:  # type: ignore[arg-type]
            client.sendall(f"GET /processed_videos/{record.id} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            got = 0
            while got < taken:
                got += len(client.recv(65536))
        assert settled(lambda: counting.read) - before - got <= 16_000_000


@pytest.mark.thorough
def test_at_most_16_mb_are_read_ahead_for_a_client_that_reads_nothing(place: Place, serving: Serving) -> None:
    counting = CountingStore(place.store, TWO_GIB)
    record = make_video(size_bytes=TWO_GIB)
    place.catalogue.put_video(record, "v1")
    place.store = counting
    host = urlsplit(serving(place.app())).netloc
    with socket.create_connection(host.split(":"), timeout=30) as client:  # type: ignore[arg-type]
        client.sendall(f"GET /processed_videos/{record.id} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        client.recv(1000)
        assert settled(lambda: counting.read) <= 16_000_000


@pytest.fixture
def files(place: Place, tmp_path: Path) -> FileStore:
    """The place's store, whose files the kernel sends."""
    place.store = FileStore(tmp_path.joinpath("a store").as_uri())
    return place.store


def test_a_file_is_sent_without_being_read_and_the_connection_stays_usable(
    place: Place, files: FileStore, ask: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = store_video(place, hashlib.sha512(b"x").digest() * 150_000)
    read: list[int] = []

    def get_range(key: str, first_byte: int, next_byte: int) -> bytes:
        read.append(next_byte - first_byte)
        return FileStore.get_range(files, key, first_byte, next_byte)

    monkeypatch.setattr(files, "get_range", get_range)
    for first, end in ((0, len(video.data)), (7, len(video.data) - 9), (1_000_000, 1_000_001)):
        part = ask("GET", f"{video.at}/playable", Range=f"bytes={first}-{end - 1}")
        assert (part.status, part.body == video.data[first:end]) == (206, True)
    assert sum(read) < len(video.data)  # of the two and a bit that arrived


def test_a_slow_client_gets_the_whole_file_and_then_the_next_answer(
    place: Place, files: FileStore, serving: Serving
) -> None:
    video = store_video(place, hashlib.sha512(b"y").digest() * 100_000)
    host = urlsplit(serving(place.app())).netloc
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host.split(":")[0], int(host.split(":")[1])))
        asked = f"GET {video.at}/playable HTTP/1.1\r\nHost: {host}\r\n"
        client.sendall(f"{asked}\r\n{asked}Range: bytes=5-9\r\nConnection: close\r\n\r\n".encode())
        came = bytearray()
        while data := client.recv(30_000):
            came += data
            if len(came) < 1_000_000:
                time.sleep(0.001)
    first, rest = bytes(came).split(b"\r\n\r\n", 1)
    assert first.startswith(b"HTTP/1.1 200")
    assert rest.startswith(video.data + b"HTTP/1.1 206")
    assert rest.endswith(b"\r\n\r\n" + video.data[5:10])


@pytest.mark.parametrize("loss", ["cut", "gone"])
def test_a_file_lost_while_it_is_sent_truncates_the_answer_and_nothing_else_is_sent(
    place: Place, files: FileStore, ask: Client, tmp_path: Path, loss: str
) -> None:
    video = store_video(place, hashlib.sha512(b"z").digest() * 600_000)
    ask.connection.request("GET", f"{video.at}/playable")
    answer = ask.connection.getresponse()
    came = answer.read(1)
    file = tmp_path / "a store" / keys.original_key(video.id)
    if loss == "gone":
        file.unlink()
    else:
        os.truncate(file, 30_000_000)
    with pytest.raises(http.client.IncompleteRead) as cut:
        answer.read()
    came += cut.value.partial
    assert video.data.startswith(came)
    assert len(came) < len(video.data)


def test_many_clients_play_at_once_and_each_gets_its_bytes(place: Place, serving: Serving) -> None:
    video = store_video(place, hashlib.sha512(b"x").digest() * 50_000)
    url = serving(place.app())
    clients = [Client(url) for _ in range(40)]
    for number, one in enumerate(clients):
        one.connection.request("GET", f"{video.at}/playable", headers={"Range": f"bytes={number}-"})
    for number, one in enumerate(clients):
        assert one.connection.getresponse().read() == video.data[number:]
        one.close()


NEVER = "0b5d8a0e-3c1f-4f57-9a55-7a3f5d1f8c11"


@pytest.fixture
def video(place: Place) -> VideoRecord:
    """Two minutes, a frame every five seconds, the first 200 ms after its start; counted."""
    place.film({"car": 4, "bus": 2})
    (manifest,) = list_manifests(place.store)
    first_ms = START_MS + 200
    manifest = msgspec.structs.replace(
        manifest, first_captured_at_ms=first_ms, last_captured_at_ms=START_MS + 115_200
    )
    place.store.put(keys.media_key(manifest.sha256), encode(manifest))
    record = make_video(sha256=manifest.sha256, source=manifest.source, facts=make_facts(duration_s=120.0))
    place.catalogue.put_video(record, "v1")
    return record


@pytest.fixture
def ask_abroad(place: Place, serving: Serving) -> Iterator[Client]:
    client = Client(serving(place.app(web_allowed_origins="https://intranet.example")))
    yield client
    client.close()


def at(record: VideoRecord, query: str = "") -> str:
    return f"/api/v1/videos/{record.id}/detections{query}"


def test_boxes_come_a_minute_at_a_time_with_the_position_of_the_next(
    video: VideoRecord, ask_abroad: Client
) -> None:
    first = ask_abroad("GET", at(video)).json
    assert (first["model"], first["width_px"], first["height_px"]) == (MODEL, *FRAME_PX)
    assert [one["position_s"] for one in first["frames"]] == [float(second) for second in range(0, 60, 5)]
    assert first["frames"][1]["captured_at_ms"] == START_MS + 5200
    assert first["next_s"] == 60.0
    second = ask_abroad("GET", at(video, f"?from_s={first['next_s']:g}")).json
    assert [one["position_s"] for one in second["frames"]] == [float(one) for one in range(60, 120, 5)]
    assert second["next_s"] is None
    part = ask_abroad("GET", at(video, "?from_s=4.999&to_s=10.001")).json
    assert [one["position_s"] for one in part["frames"]] == [5.0, 10.0]
    again = ask_abroad("GET", at(video, "?from_s=5&to_s=10")).json
    assert [one["position_s"] for one in again["frames"]] == [5.0]


@pytest.mark.parametrize(("pace", "fps"), [("speed 50", 25.0), ("frame 2", 25.0)])
def test_boxes_of_a_time_lapse_are_at_the_positions_where_the_video_shows_them(
    place: Place, video: VideoRecord, ask_abroad: Client, pace: str, fps: float
) -> None:
    """Two minutes of event time are 2.4 s of a video that plays 50 times as fast, or has a frame each 2 s."""
    manifest = find_manifest(place.store, video.sha256)
    assert manifest is not None
    assert video.facts.fps == fps
    place.store.put(keys.media_key(video.sha256), encode(msgspec.structs.replace(manifest, pace=pace)))
    found = ask_abroad("GET", at(video)).json
    assert [one["position_s"] for one in found["frames"]] == [
        pytest.approx(second / 50) for second in range(0, 120, 5)
    ]
    assert found["next_s"] is None
    part = ask_abroad("GET", at(video, "?from_s=0.2&to_s=0.31")).json
    assert [one["captured_at_ms"] for one in part["frames"]] == [START_MS + 10_200, START_MS + 15_200]


def test_only_boxes_that_count_are_returned(place: Place, video: VideoRecord, ask_abroad: Client) -> None:
    boxes = [box for frame in ask_abroad("GET", at(video)).json["frames"] for box in frame["boxes"]]
    assert boxes
    assert {label for label, *_ in boxes} == {"car", "bus"}
    # The one below the threshold of the count is in every frame, and never drawn.
    assert all(confidence >= 0.25 for _, confidence, *_ in boxes)
    assert all(len(box) == 6 for box in boxes)


def test_frames_of_other_media_of_the_source_are_left_out(
    place: Place, video: VideoRecord, ask_abroad: Client
) -> None:
    place.film({"car": 9}, start_ms=START_MS + 1000, seed=2)
    positions = [one["position_s"] for one in ask_abroad("GET", at(video)).json["frames"]]
    assert positions == [float(second) for second in range(0, 60, 5)]


@pytest.mark.thorough
def test_after_a_correction_only_frames_of_the_new_revision_are_drawn(
    place: Place, video: VideoRecord, ask_abroad: Client
) -> None:
    manifest = find_manifest(place.store, video.sha256)
    assert manifest is not None
    place.store.put(
        keys.media_key(video.sha256),
        encode(msgspec.structs.replace(manifest, revision=manifest.revision + 1)),
    )
    assert ask_abroad("GET", at(video)).json["frames"] == []


def test_there_are_no_boxes_before_detection(place: Place, ask_abroad: Client) -> None:
    record = make_video()
    place.catalogue.put_video(record, "v1")
    answer = ask_abroad("GET", at(record))
    assert answer.status == 200
    assert answer.json == {"model": None, "width_px": 640, "height_px": 360, "frames": [], "next_s": None}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *(
            ("?from_s=-1", "from_s"),
            ("?from_s=x", "from_s"),
            ("?from_s=nan", "from_s"),
            ("?from_s=1e9", "from_s"),
        ),
        *(("?from_s=10&to_s=10", "to_s"), ("?from_s=10&to_s=5", "to_s"), ("?to_s=61", "to_s")),
        *(("?to_s=inf", "to_s"), ("?from_s=1&from_s=2", "from_s"), ("?model=nobody", "model")),
        *(("?frm_s=1", "frm_s"), (f"?from_s={'9' * 400}", "from_s"), ("?from_s=%00", "from_s")),
    ],
)
def test_an_invalid_parameter_of_the_boxes_is_refused_by_name(
    video: VideoRecord, ask_abroad: Client, query: str, parameter: str
) -> None:
    answer = ask_abroad("GET", at(video, query))
    assert (answer.status, answer.json["parameter"]) == (400, parameter)
    assert answer.json["remedy"]


def test_there_are_no_boxes_beyond_the_end(video: VideoRecord, ask_abroad: Client) -> None:
    for query in ("?from_s=5000", "?from_s=999999999", "?from_s=999999999.999999999&to_s=1000000000"):
        answer = ask_abroad("GET", at(video, query))
        if answer.status == 200:
            assert (answer.json["frames"], answer.json["next_s"]) == ([], None)
        else:
            assert answer.status == 400


def test_an_unknown_video_has_no_boxes(ask_abroad: Client) -> None:
    for video_id in (NEVER, "x"):
        assert ask_abroad("GET", f"/api/v1/videos/{video_id}/detections").status == 404


def test_an_unchanged_answer_is_not_sent_again_and_a_new_one_is_compressed(
    video: VideoRecord, ask_abroad: Client
) -> None:
    plain: Any = ask_abroad("GET", at(video))
    again = ask_abroad("GET", at(video), If_None_Match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    packed = ask_abroad("GET", at(video), Accept_Encoding="gzip")
    assert gzip.decompress(packed.body) == plain.body
    assert {"Accept-Encoding", "Origin", "Referer"} == set(packed.headers["vary"].split(", "))
