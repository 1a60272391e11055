"""Stored videos by HTTP: whole, in parts, to be kept, with pictures; none of it read for who has gone."""

from __future__ import annotations

import hashlib
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from flask import Flask
from tests.videos.video_records import make_facts, make_video
from tests.web.raw_client import Client

from frametally import keys
from frametally.errors import Retryable
from frametally.ports.object_store import ObjectStore
from frametally_videos.ports.video_catalogue import Artifact
from frametally_videos.records import VideoFacts

if TYPE_CHECKING:
    from tests.web.conftest import Place

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
def asking(place: Place, serving: Callable[[Flask], str]) -> Iterator[Callable[..., Client]]:
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


def test_a_video_comes_back_as_it_went_in_and_in_the_part_that_is_asked_for(
    place: Place, ask: Client
) -> None:
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


def test_conditions_and_impossible_ranges_are_answered_by_the_rfc(place: Place, ask: Client) -> None:
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
def test_a_head_says_what_a_get_would_and_sends_no_byte(place: Place, ask: Client, name: str) -> None:
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
def test_the_original_is_to_be_kept_under_its_own_name_whatever_that_is(
    place: Place, ask: Client, file_name: str, plain: str, encoded: str
) -> None:
    video = store_video(place, file_name=file_name)
    answer = ask("GET", f"{video.at}/original")
    assert (answer.status, answer.body) == (200, video.data)
    said = answer.headers["content-disposition"]
    assert said == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    assert "set-cookie" not in answer.headers


def test_what_no_browser_plays_says_so_and_can_be_kept(place: Place, ask: Client) -> None:
    why = "Browsers play no MPEG-4 Part 2."
    facts = make_facts(plays_in_browsers=False, why_not=why, content_type="video/x-msvideo")
    video = store_video(place, facts=facts)
    for at in (f"{video.at}/playable", f"/processed_videos/{video.id}"):
        refused = ask("GET", at)
        assert (refused.status, refused.json["detail"]) == (404, why)
        assert f"{video.at}/original" in refused.json["remedy"]
    kept = ask("GET", f"{video.at}/original")
    assert (kept.status, kept.headers["content-type"]) == (200, "video/x-msvideo")


def test_bytes_that_are_no_video_by_their_facts_are_sent_as_bytes(place: Place, ask: Client) -> None:
    video = store_video(place, b"<script>alert(1)</script>", facts=make_facts(content_type="text/html"))
    assert ask("GET", f"{video.at}/playable").headers["content-type"] == "application/octet-stream"


def test_an_answer_is_kept_for_ever_only_by_an_address_that_names_its_bytes(
    place: Place, ask: Client
) -> None:
    video = store_video(place)
    for_ever, ask_again = "private, max-age=31536000, immutable", "private, no-cache"
    for query, said in ((f"?v={video.sha256}", for_ever), ("", ask_again), ("?v=other", ask_again)):
        assert ask("GET", f"{video.at}/playable{query}").headers["cache-control"] == said
        assert ask("GET", f"/processed_videos/{video.id}{query}").headers["cache-control"] == ask_again


def test_the_seeds_address_of_a_processed_video_plays(place: Place, ask: Client) -> None:
    video = store_video(place)
    at = f"/processed_videos/{video.id}"
    assert ask("GET", at, Range="bytes=5-9").body == video.data[5:10]
    assert ask("GET", at, Range="bytes=5-9", If_Range='"x"').status == 200
    assert ask("HEAD", at).headers["content-length"] == str(len(video.data))
    assert ask("GET", at, Range="bytes=99999999-").status == 416
    assert ask("POST", at).status == 405


def test_pictures_of_a_video_come_by_the_name_of_their_recipe(place: Place, ask: Client) -> None:
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


PATHS = ("original", "playable", "poster", "sprite", "sprite.vtt")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "video_id",
    [str(uuid.UUID(int=99, version=4)), "x", "..", "%2e%2e", "contents", "a%00b", "A" * 3000, "%F0%9F%90%88"],
)
def test_what_is_no_video_is_not_there(place: Place, ask: Client, video_id: str) -> None:
    store_video(place)
    for at in (*(f"/api/v1/videos/{video_id}/{name}" for name in PATHS), f"/processed_videos/{video_id}"):
        answer = ask("GET", at)
        assert answer.status == 404, at
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.thorough
def test_a_video_that_is_being_removed_is_not_shown_and_one_that_is_gone_says_so(
    place: Place, ask: Client
) -> None:
    leaving = store_video(place, state="deleting")
    gone = store_video(place, b"gone", number=2)
    place.store.delete(keys.original_key(gone.id))
    for video, said in ((leaving, "being removed"), (gone, "no more")):
        for method in ("GET", "HEAD"):
            answer = ask(method, f"{video.at}/playable")
            assert answer.status == 404
        assert said in ask("GET", f"{video.at}/playable").json["detail"]


def test_a_parameter_that_is_none_is_refused(place: Place, ask: Client) -> None:
    video = store_video(place)
    assert ask("GET", f"{video.at}/playable?verson=1").json["parameter"] == "verson"


def test_a_store_that_is_away_is_told_before_the_first_byte_and_cuts_an_answer_short_after_it(
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
    """A store that counts the bytes that are read of it; each of its objects is large and lies nowhere."""

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
def test_of_an_abandoned_answer_no_more_than_16_mb_are_read_on(
    place: Place, serving: Callable[[Flask], str], taken: int
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
def test_who_takes_nothing_is_read_ahead_for_no_further_than_that(
    place: Place, serving: Callable[[Flask], str]
) -> None:
    counting = CountingStore(place.store, TWO_GIB)
    record = make_video(size_bytes=TWO_GIB)
    place.catalogue.put_video(record, "v1")
    place.store = counting
    host = urlsplit(serving(place.app())).netloc
    with socket.create_connection(host.split(":"), timeout=30) as client:  # type: ignore[arg-type]
        client.sendall(f"GET /processed_videos/{record.id} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        client.recv(1000)
        assert settled(lambda: counting.read) <= 16_000_000


def test_many_play_at_once_and_each_gets_its_bytes(place: Place, serving: Callable[[Flask], str]) -> None:
    video = store_video(place, hashlib.sha512(b"x").digest() * 50_000)
    url = serving(place.app())
    clients = [Client(url) for _ in range(40)]
    for number, one in enumerate(clients):
        one.connection.request("GET", f"{video.at}/playable", headers={"Range": f"bytes={number}-"})
    for number, one in enumerate(clients):
        assert one.connection.getresponse().read() == video.data[number:]
        one.close()
