"""Turns pixels into announced frames: encodes, stores and announces them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from frametally import keys
from frametally.errors import FrametallyError, Misconfigured, Poison
from frametally.files.jpeg_header import has_all_bytes
from frametally.files.opencv import Pixels, decode_image
from frametally.media.screening import Screen, screen_of, screened
from frametally.media.stored_images import announcement_of
from frametally.packs.pack_changes import add_frames
from frametally.packs.pack_format import PACK_BYTES
from frametally.packs.pack_keys import pack_of
from frametally.packs.packed_store import plain_of
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.meters import METERS
from frametally.process.reports import log_step
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement, TimeSource, encode
from frametally.settings.loading import Settings
from frametally.telemetry.traces import TRACES
from frametally_producer.reading.pixels import encode_jpeg, shrink

_WORKERS = 2
_IN_FLIGHT, _IN_FLIGHT_BYTES = 4, 64 << 20
"""Most frames waiting to be encoded and put, and bytes of their pixels; a larger frame is handled alone."""

_PACKED_AT_ONCE_BYTES = 4 << 20
"""Packs of earlier times are put when this many bytes wait; the newest one when `PACK_BYTES` do."""

_ANNOUNCE_FRAMES, _ANNOUNCE_S = 100, 1.0
"""A batch of announcements is published at this many frames, or when its first one is this old."""


class NewFrame(NamedTuple):
    """A frame to store and announce.

    Attributes:
        medium_hex: The medium's part of `keys.image_key`.
        pixels: Upright, shape (height, width, 3), dtype uint8, channels blue, green, red; or a JPEG that
            frametally has encoded, to store unchanged, unless the source's `Screen` has not changed it yet.
        refused: Called with the reason if the frame cannot be encoded and is left out.
        keep_in: Folder in which the stored picture is also kept as a file, or None.
    """

    media: str
    medium_hex: str
    source: str
    frame_index: int
    captured_at_ms: int
    time_source: TimeSource
    pixels: Pixels | bytes
    refused: Callable[[str], None]
    keep_in: Path | None = None


class _Encoded(NamedTuple):
    """A frame waiting for the others of its pack."""

    pack: str
    frame: NewFrame
    name: keys.ImageName
    screen: Screen | None
    jpeg: bytes


class _Putting(NamedTuple):
    """A frame on its way into the store."""

    result: Future[FrameAnnouncement | _Encoded]
    pixel_bytes: int
    refused: Callable[[str], None]


@dataclass
class FrameWriter:
    """Stores and announces frames, in this order of effects.

    1. A worker thread encodes the frame, changes it by the source's `Screen`, and puts it if absent.
    2. All frames of a batch are written to the disk together: the next power cut takes none of them.
    3. Their announcements are published, in the order in which frames were added.
    4. `on_announced` is called, which notes it in the medium's manifest.

    So every announced frame exists, and every noted one is announced. A crash in between repeats a put or an
    announcement, which changes nothing, because a frame's identity is its key.

    Attributes:
        pack_ms: Event time of one pack, whose frames are put together: an encoded frame waits for the others.
            With 0, each frame is an object.
        is_new: Whether the store cannot have any frame of the medium, so that none is looked up.
    """

    settings: Settings
    store: ObjectStore
    log: FrameLog
    patience: Patience
    topic: str
    on_announced: Callable[[list[FrameAnnouncement]], None]
    pack_ms: int = 0
    is_new: bool = False

    def __post_init__(self) -> None:
        """Start without frames; use the writer in a `with` statement."""
        TRACES.begin(self.settings.traces_url)
        self._began_ns: dict[str, int] = {}  # of frames in progress, for their traces
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="frame-writer")
        self._putting: deque[_Putting] = deque()
        self._packs: dict[str, list[_Encoded]] = {}  # by pack
        self._batch: list[FrameAnnouncement] = []
        self._batch_since_s = 0.0

    def add(self, frame: NewFrame) -> None:
        """Queue `frame` to be stored and announced soon.

        It waits for an unavailable store or log, and loses no frame. Raises `GivenUp` if a stop is requested
        while waiting, and `Misconfigured` if the store, the log or `keep_in` cannot be written.
        """
        putting = self._pool.submit(self._put, frame)
        self._putting.append(_Putting(putting, _size(frame.pixels), frame.refused))
        while len(self._putting) > _IN_FLIGHT or sum(p.pixel_bytes for p in self._putting) > _IN_FLIGHT_BYTES:
            self._collect_one()
        self._put_packs(_PACKED_AT_ONCE_BYTES, keep_newest=True)
        self._put_packs(PACK_BYTES)
        if self._batch and (
            len(self._batch) >= _ANNOUNCE_FRAMES or time.monotonic() - self._batch_since_s >= _ANNOUNCE_S
        ):
            self._announce()

    def flush(self) -> None:
        """Store and announce all added frames now. Raises as `add`."""
        while self._putting:
            self._collect_one()
        self._put_packs()
        if self._batch:
            self._announce()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Flush, unless there was an error."""
        if error is not None and not isinstance(error, FrametallyError):
            self.patience.end()  # do not wait for a thread that waits for the store
        try:
            if error is None:
                self.flush()
        finally:
            self._pool.shutdown(cancel_futures=True)
            TRACES.flush()

    def _collect_one(self) -> None:
        # A frame that cannot be put stays first, so that no later frame is announced before it.
        first = self._putting[0]
        try:
            result = first.result.result()
        except Poison as error:
            self._putting.popleft()
            first.refused(str(error))
            return
        self._putting.popleft()
        if isinstance(result, _Encoded):
            self._packs.setdefault(result.pack, []).append(result)
            return
        if not self._batch:
            self._batch_since_s = time.monotonic()
        self._batch.append(result)

    def _put_packs(self, least_bytes: int = 0, *, keep_newest: bool = False) -> None:
        """Put and announce the frames waiting for their packs, if they have at least `least_bytes`."""
        packs = list(self._packs)[: -1 if keep_newest else None]
        if sum(len(encoded.jpeg) for waiting in self._packs.values() for encoded in waiting) < least_bytes:
            return
        for pack in packs:
            self._packs[pack] = [now for encoded in self._packs[pack] for now in self._screened_now(encoded)]
            jpegs = {encoded.name.file_name: encoded.jpeg for encoded in self._packs[pack]}
            with METERS.timed("put"):
                stored = self.patience.until_done("the object store", partial(self._add, pack, jpegs))
            failpoints.passing("producer.put")
            for _, frame, name, *_ in self._packs.pop(pack):
                self._batch.append(self._stored_frame(frame, name, stored[name.file_name]))
            self._announce()

    def _screen_of(self, frame: NewFrame) -> Screen | None:
        find = partial(screen_of, self.settings, self.store, frame.source)
        return self.patience.until_done("the object store", find)

    def _screened_now(self, encoded: _Encoded) -> Iterator[_Encoded]:
        """Yield a frame that waited for its pack, changed if its source got a rule meanwhile."""
        screen = None if encoded.screen else self._screen_of(encoded.frame)
        try:
            yield encoded._replace(screen=screen, jpeg=screen.frame(encoded.jpeg)) if screen else encoded
        except Poison as error:
            encoded.frame.refused(str(error))

    def _add(self, pack: str, jpegs: dict[str, bytes]) -> dict[str, bytes]:
        return add_frames(self.store, pack, jpegs).stored

    def _stored_frame(self, frame: NewFrame, name: keys.ImageName, data: bytes) -> FrameAnnouncement:
        if frame.keep_in is not None:
            _keep(frame.keep_in / name.file_name, data)
        return announcement_of(
            data, name, media=frame.media, source=frame.source, time_source=frame.time_source
        )

    def _announce(self) -> None:
        messages = [(keys.frame_log_key(a.source, a.captured_at_ms), encode(a)) for a in self._batch]
        began_s = time.monotonic()
        self.patience.until_done("the object store", self.store.sync)
        self.patience.until_done("the log", lambda: self.log.publish(self.topic, messages))
        METERS.took("announce", time.monotonic() - began_s, frames=len(messages))
        for announcement in self._batch if TRACES.is_on else ():  # the root spans
            path = announcement.image_path
            TRACES.tell(path, "frame", self._began_ns.pop(path, 0), is_root=True)
        log_step("announced", media=(frame.media for frame in self._batch), frames=len(self._batch))
        failpoints.passing("producer.published")
        announced, self._batch = self._batch, []
        self.on_announced(announced)
        failpoints.passing("producer.noted")

    def _put(self, frame: NewFrame) -> FrameAnnouncement | _Encoded:
        name = keys.ImageName(frame.captured_at_ms, frame.medium_hex, frame.frame_index)
        key = keys.image_key(frame.source, *name)
        if TRACES.is_on:
            self._began_ns[key] = time.time_ns()
        picture = frame.pixels
        if not isinstance(picture, bytes):
            with METERS.timed("encode"):
                picture = stored_jpeg(picture, self.settings)
        screen = self._screen_of(frame)
        jpeg = picture if screen is None else screened(screen, picture)
        pack = pack_of(key, self.pack_ms) if self.pack_ms else None
        if pack is not None and (self.is_new or not self._is_stored(key)):
            return _Encoded(pack, frame, name, screen, jpeg)
        with METERS.timed("put"), TRACES.timed(key, "put"):
            data = self.patience.until_done("the object store", lambda: self._put_once(key, jpeg))
        failpoints.passing("producer.put")
        return self._stored_frame(frame, name, data)

    def _is_stored(self, key: str) -> bool:
        head = partial(self.store.head, key)
        return self.patience.until_done("the object store", head) is not None

    def _put_once(self, key: str, data: bytes) -> bytes:
        """Put a frame if absent, and return the stored bytes; repeating it changes nothing."""
        # `_announce` syncs a whole batch. New frames are not looked up in packs.
        store = plain_of(self.store) if self.is_new else self.store
        if not store.put(key, data, if_absent=True, durable=False):
            stored = self._stored(key)
            if stored is not None:
                return stored
            self.store.put(key, data, durable=False)
        return data

    def _stored(self, key: str) -> bytes | None:
        """Return the existing object, which the announcement has to describe, or None if it is unusable.

        It differs from the new one if other settings or libraries made it. A power cut may have left an
        incomplete one, as a frame is synced only with its batch.
        """
        try:
            data = self.store.get(key)
            decode_image(data, self.settings.max_image_megapixels * 1_000_000)
            if not has_all_bytes(data):
                return None
        except (ObjectMissing, Poison):
            return None
        return data


def _size(pixels: Pixels | bytes) -> int:
    return len(pixels) if isinstance(pixels, bytes) else pixels.nbytes


def stored_jpeg(pixels: Pixels, settings: Settings) -> bytes:
    """Encode a frame for the store. Raises `Poison` if a JPEG cannot hold it."""
    return encode_jpeg(shrink(pixels, settings.max_side_px), settings.jpeg_quality)


def _keep(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be written ({error.strerror}); make its folder writable"
        ) from error
