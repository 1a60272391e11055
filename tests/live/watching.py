"""Helpers for tests of viewers: feeds in a real book, and results as from the consumer."""

from __future__ import annotations

import functools
import json
import struct
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import pytest
from jsonschema_rs import Validator, validator_for
from tests.fakes.records import make_frame, make_segment
from tests.videos.test_library_api import stored
from tests.web.conftest import Place
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections, encode
from frametally_live.feed_records import Feed, FeedTold
from frametally_videos.records import VideoRecord
from frametally_web.api.asyncapi import describe_messages

LONG_S = 60.0
LEASE_S = 600.0
START_MS = 1_767_222_000_000
JPEG = b"\xff\xd8" + bytes(46_000)
"""As large as a frame of the demo clip; it is not decoded here."""
CAR = Detection(label="car", confidence=0.9, box=(1.0, 2.0, 30.0, 20.0))


open_socket = partial(connect, proxy=None, open_timeout=LONG_S)
"""Opens a WebSocket, however busy the machine is."""


@functools.cache
def described(channel: str, name: str) -> Validator:
    """A check of a socket's messages against their description."""
    document = describe_messages()
    assert name in document["channels"][channel]["messages"]
    payload = document["components"]["messages"][name]["payload"]
    return validator_for({**payload, "components": document["components"]})


def closed_by(connection: ClientConnection) -> int | None:
    """Return the code that a socket is closed by."""
    with pytest.raises(ConnectionClosed):
        while True:
            connection.recv(LONG_S)
    return connection.close_code


class Shown(NamedTuple):
    """A received frame: its header, and its JPEG."""

    header: dict[str, Any]
    jpeg: bytes


class Watcher:
    """A viewer; `frame` and `state` return the next of each, and keep all."""

    def __init__(self, connection: ClientConnection) -> None:
        """Start to read from an open socket."""
        self.connection = connection
        self.states: list[dict[str, Any]] = []
        self.frames: list[Shown] = []

    def next(self, timeout_s: float = LONG_S) -> dict[str, Any] | Shown:
        """Return the next message of any kind. Raises `TimeoutError`."""
        message = self.connection.recv(timeout_s)
        if isinstance(message, str):
            told: dict[str, Any] = json.loads(message)
            if told["type"] == "state":
                self.states.append(told)
            return told
        (length,) = struct.unpack(">I", message[:4])
        shown = Shown(json.loads(message[4 : 4 + length]), message[4 + length :])
        self.frames.append(shown)
        return shown

    def frame(self) -> Shown:
        """Return the next frame."""
        while not isinstance(one := self.next(), Shown):
            pass
        return one

    def state(self, is_it: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Return the next state that is the one."""
        while isinstance(one := self.next(), Shown) or not is_it(one):
            pass
        return one

    def say(self, **message: object) -> None:
        """Send a message."""
        self.connection.send(json.dumps(message))

    def ack(self, shown: Shown) -> None:
        """Acknowledge a frame, if the server still listens; earlier messages can still be read."""
        with suppress(ConnectionClosed):
            self.say(type="ack", n=shown.header["n"])

    def closed_by(self) -> int | None:
        """Return the code that it is closed by."""
        return closed_by(self.connection)


Watch = Callable[..., Watcher]


class Scene:
    """A place with a real log and store, with feeds whose results the test sends."""

    def __init__(self, place: Place) -> None:
        """Nothing runs yet."""
        folder = place.settings.data_dir
        place.store = open_object_store(f"{(folder / 'store').as_uri()}")
        place.log.close()
        place.log = open_frame_log(f"sqlite:///{folder / 'log.sqlite'}")
        self.place = place
        self.topic = place.settings.results_topic
        self._written = 0
        place.log.create_topic(self.topic, 3)

    def stream(self, record: VideoRecord, **values: Any) -> Feed:
        """Have a video streamed by another worker."""
        stored(self.place, record)
        feed = Feed(str(uuid.uuid4()), "video", record.source, record.source_name, record.id, **values)
        return self.held(self.place.feeds.start_stream(feed, most=100))

    def camera(self, source: str) -> Feed:
        """Have a camera run."""
        feed = self.place.feeds.put_camera(Feed(str(uuid.uuid4()), "camera", source, source.title()))
        assert feed is not None
        return self.held(feed)

    def held(self, feed: Feed) -> Feed:
        """Claim the last request, and report that it runs."""
        claimed = self.place.feeds.claim_feed("worker", [feed.kind], lease_s=LEASE_S)
        assert claimed is not None
        assert claimed.id == feed.id
        self.tell(claimed, state="running")
        return claimed

    def tell(self, feed: Feed, **told: Any) -> None:
        """Report a feed's state."""
        assert self.place.feeds.renew_feed(feed, FeedTold(**told), lease_s=LEASE_S)

    def end(self, feed: Feed, **told: Any) -> None:
        """Report that a feed has ended."""
        assert self.place.feeds.release_feed(feed, FeedTold(**told))

    def result(self, number: int, *, media: str, source: str, **values: Any) -> FrameDetections:
        """The detections in the frame of a number, ten a second."""
        values.setdefault("detections", [CAR])
        return make_frame(START_MS + 100 * number, number, source=source, media=media, **values)

    def show(self, *results: FrameDetections, jpeg: bytes = JPEG) -> None:
        """Put frames, and send their results as the consumer does."""
        for one in results:
            self.place.store.put(one.image_path, jpeg)
        self.publish(*results)

    def write(self, *results: FrameDetections, jpeg: bytes = JPEG) -> None:
        """Put frames and a segment of their results, and enter it in the ledger."""
        for one in results:
            self.place.store.put(one.image_path, jpeg)
        first, self._written = self._written, self._written + len(results)
        model, topic = results[0].model, self.place.settings.live_topic
        segment = make_segment(results, [], first, model=model, log_id="log", topic=topic)
        self.place.store.put(keys.segment_key(model, "log", topic, 0, first), segment)
        self.place.ledger.refresh(self.place.store, NoProgress())

    def publish(self, *results: FrameDetections) -> None:
        """Send results for frames, which may or may not be stored."""
        messages = [(keys.frame_log_key(one.source, one.captured_at_ms), encode(one)) for one in results]
        self.place.log.publish(self.topic, messages)
