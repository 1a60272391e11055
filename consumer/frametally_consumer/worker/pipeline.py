"""Runs the threads behind a worker's main thread: two load, one detects, one collects, one writes.

Several batches are in progress at once: while one is being written, the next is detected and the one after it
is loaded. The detector gets a chunk's first picture while it is still working on the previous chunk's last
ones. Frames of a partition keep their order because chunks are fed and collected in submission order.
Segments keep theirs because the main thread writes the next batch of a partition only after the previous one
is done. Work in progress is limited by number and by bytes, so memory use is bounded.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from msgspec import UNSET

from frametally.errors import Poison
from frametally.files.blank_pictures import blank_reason
from frametally.files.opencv import Pixels
from frametally.media.screening import ScreenNote, note_in
from frametally.ports.frame_log import LogRecord
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.meters import METERS
from frametally.process.retrying import GivenUp, Patience
from frametally.records import DeadLetter, Detection, FrameAnnouncement, FrameDetections
from frametally.rules.blank_stretches import Blank
from frametally.segments.chain import ChainEnd, PutResult
from frametally.segments.dead_letters import as_dead_letter
from frametally.segments.stored_frame import (
    BadFrame,
    decode_frame,
    decoded_bytes,
    parse_announcement,
    picture_digest,
    read_picture,
)
from frametally.telemetry.traces import TRACES
from frametally_consumer.detectors.protocol import Detector, least_px, start
from frametally_consumer.worker.assigned import AssignedPartition, Batch, Outcome
from frametally_consumer.worker.first_frames import FirstFrames


class Loaded(NamedTuple):
    """An announced frame with its picture, (height, width, 3) uint8 BGR, perhaps at a reduced scale.

    `note` is what was detected before the picture was changed and stored.
    """

    announcement: FrameAnnouncement
    image: Pixels
    note: ScreenNote | None = None


Loading = Future[Loaded | DeadLetter | None]
"""A message whose picture is being loaded; the result is None if it is no longer wanted."""


class Started(NamedTuple):
    """An announced frame whose picture the detector has; `shows` is the field of its line."""

    announcement: FrameAnnouncement
    shows: Blank | None
    found: Future[list[Detection]]
    picture_digest: str


def feed(
    detector: Detector, chunk: deque[Loading], first: FirstFrames | None = None
) -> list[Started | DeadLetter | None]:
    """Pass the pictures of a chunk to the detector, in order, each as soon as it is loaded.

    `chunk` is emptied, so that no picture is kept longer than needed. `first` checks each result.
    """
    return [_started(detector, chunk.popleft().result(), first) for _ in range(len(chunk))]


def _started(
    detector: Detector, loaded: Loaded | DeadLetter | None, first: FirstFrames | None
) -> Started | DeadLetter | None:
    if not isinstance(loaded, Loaded):
        return loaded
    frame = loaded.announcement
    if (note := loaded.note) is not None and note.model == detector.model_id:
        earlier: Future[list[Detection]] = Future()
        earlier.set_result(list(note.detections))
        return Started(frame, note.shows or None, earlier, note.picture_digest)
    began_s = time.monotonic()
    detections = start(detector, loaded.image, frame_px=(frame.width_px, frame.height_px))
    detections.add_done_callback(partial(_measure, frame.image_path, time.time_ns(), began_s))
    shows = blank_reason(loaded.image)
    if first is not None and shows is None:
        first.watch(frame.source, detections)
    return Started(frame, shows, detections, picture_digest(frame.sha256))


def _measure(key: str, began_ns: int, began_s: float, detections: Future[list[Detection]]) -> None:
    """Record how long the detector had a picture, including the wait for earlier ones."""
    if not detections.cancelled() and detections.exception() is None:
        METERS.took("detect", time.monotonic() - began_s, frames=1)
        TRACES.tell(key, "detect", began_ns)


def collect(
    model: str,
    chunk: Sequence[Started | DeadLetter | None],
    tell: Callable[[FrameDetections], None] | None = None,
) -> list[Outcome | None]:
    """Return the result of each message of a chunk once all are done, None if it is no longer wanted.

    Each frame's detections go to `tell` as soon as they are known.
    """
    outcomes: list[Outcome | None] = []
    for item in chunk:
        if isinstance(item, Started):
            frame = _detections(item, model)
            if tell is not None:
                tell(frame)
            outcomes.append(frame)
        else:
            outcomes.append(item)
    failpoints.passing("consumer.detected")
    return outcomes


def _detections(item: Started, model: str) -> FrameDetections:
    frame = item.announcement
    return FrameDetections(
        image_path=frame.image_path,
        source=frame.source,
        frame_index=frame.frame_index,
        captured_at_ms=frame.captured_at_ms,
        time_source=frame.time_source,
        width_px=frame.width_px,
        height_px=frame.height_px,
        media=frame.media,
        model=model,
        detections=item.found.result(),
        shows=item.shows or UNSET,
        picture_digest=item.picture_digest,
    )


def parse(record: LogRecord) -> FrameAnnouncement | DeadLetter:
    """Return the announcement in a message, or its dead letter."""
    try:
        return parse_announcement(record.value)
    except BadFrame as error:
        return as_dead_letter(offset=record.offset, message=record.value, frame=None, error=error)


def load(
    record: LogRecord,
    frame: FrameAnnouncement,
    *,
    model: str,
    store: ObjectStore,
    max_pixels: int,
    least_px: tuple[int, int] | None,
    patience: Patience,
    give_up: Callable[[], bool],
) -> Loaded | DeadLetter | None:
    """Return the announced frame with its picture, or its dead letter, or None if it is no longer wanted.

    While the store is unavailable, it waits until `give_up()` is true. For `max_pixels` and `least_px`, see
    `decode_frame`; `model` is the detector's.
    """

    def read() -> Loaded:
        data = read_picture(store, frame)
        image = decode_frame(frame, data, max_pixels=max_pixels, least_px=least_px)
        try:
            return Loaded(frame, image, None if frame.screened is UNSET else note_in(data))
        except Poison as error:
            raise BadFrame("decode", "undecodable", f"{frame.image_path}: {error}") from error

    try:
        with METERS.timed("fetch"), TRACES.timed(frame.image_path, "fetch"):
            loaded = patience.until_done("fetch", read, give_up)
    except GivenUp:
        return None
    except BadFrame as error:
        return as_dead_letter(offset=record.offset, message=record.value, frame=frame, error=error)
    failpoints.passing("consumer.loaded")
    if loaded.note is not None and loaded.note.model not in ("", model):
        patience.say_once_a_minute(
            f"screened {frame.source}",
            f"{frame.source}: {model} looks at frames that were changed before they were stored "
            f"({frame.screened}), so its counts may be too low",
        )
    return loaded


T = TypeVar("T")

_LOADERS = 2
CHUNK_MESSAGES = 16
"""How many messages are detected together if single results are not urgent."""
_MOST_MESSAGES = 4 * CHUNK_MESSAGES
_MOST_BYTES = 192 * 1024 * 1024
"""Most bytes of JPEGs and their pixels. A chunk has at most half, so that the next can be loaded meanwhile; a
picture of the largest allowed size goes through alone.
"""


class Taken(NamedTuple):
    """A message taken from the log, and its partition."""

    assigned: AssignedPartition
    record: LogRecord


class Pipeline:
    """Work in progress. Its methods are for the main thread, which alone receives results."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        detector: Detector,
        max_pixels: int,
        patience: Patience,
        tell: Callable[[FrameDetections], None] | None = None,
    ) -> None:
        """Start the threads; a picture of more than `max_pixels`, width times height, is rejected.

        Each frame's result goes to `tell`, if given, as soon as it is known: frames then only wait for others
        in the detector.
        """
        self._store = store
        self._detector = detector
        self._max_pixels = max_pixels
        self._least_px = least_px(detector)
        self._patience = patience
        self._tell = tell
        self._chunk_messages = CHUNK_MESSAGES if tell is None else 1
        self._loaders = ThreadPoolExecutor(_LOADERS, "loading")
        self._feeding = ThreadPoolExecutor(1, "feeding")
        self._collecting = ThreadPoolExecutor(1, "collecting")
        self._writing = ThreadPoolExecutor(1, "writing")
        self._ended: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs = 0
        self._messages = 0
        self._bytes = 0
        self.first_frames: FirstFrames | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no work is in progress."""
        return self._jobs == 0

    @property
    def messages(self) -> int:
        """How many messages are being loaded or detected."""
        return self._messages

    def submit(
        self, messages: Sequence[Taken], then: Callable[[Taken, Outcome | None], None]
    ) -> Sequence[Taken]:
        """Load and detect as many of these messages as there is room for; return the others.

        They are in the order of the log. `then` gets the outcome of each in the same order, None in a dropped
        partition.
        """
        while messages and self._messages < _MOST_MESSAGES:
            chunk: list[tuple[Taken, Loading]] = []
            chunk_bytes = 0
            for message in messages[: self._chunk_messages]:
                frame = parse(message.record)
                size = 0
                if not isinstance(frame, DeadLetter):
                    size = decoded_bytes(frame, max_pixels=self._max_pixels, least_px=self._least_px)
                if chunk and chunk_bytes + size > _MOST_BYTES // 2:
                    break
                if self._bytes and self._bytes + chunk_bytes + size > _MOST_BYTES:
                    break
                chunk_bytes += size
                chunk.append((message, self._load(message, frame)))
            if not chunk:
                break
            messages = messages[len(chunk) :]
            self._detect(chunk, chunk_bytes, then)
        return messages

    def _load(self, message: Taken, frame: FrameAnnouncement | DeadLetter) -> Loading:
        if isinstance(frame, DeadLetter):
            done: Loading = Future()
            done.set_result(frame)
            return done
        return self._loaders.submit(
            load,
            message.record,
            frame,
            model=self._detector.model_id,
            store=self._store,
            max_pixels=self._max_pixels,
            least_px=self._least_px,
            patience=self._patience,
            give_up=lambda: message.assigned.dropped,
        )

    def _detect(
        self,
        chunk: list[tuple[Taken, Loading]],
        chunk_bytes: int,
        then: Callable[[Taken, Outcome | None], None],
    ) -> None:
        messages = [message for message, _ in chunk]
        self._messages += len(chunk)
        self._bytes += chunk_bytes

        def detected(result: Callable[[], list[Outcome | None]]) -> None:
            self._messages -= len(messages)
            self._bytes -= chunk_bytes
            for message, outcome in zip(messages, result(), strict=True):
                then(message, outcome)

        loadings = deque(loading for _, loading in chunk)
        chunk.clear()
        fed = self._feeding.submit(feed, self._detector, loadings, self.first_frames)
        self._run(
            self._collecting, lambda: collect(self._detector.model_id, fed.result(), self._tell), detected
        )

    def look_up(
        self,
        assigned: AssignedPartition,
        committed_offset: int,
        then: Callable[[Callable[[], ChainEnd]], None],
    ) -> None:
        """Find the end of the partition's chain; `then` gets a function that returns it or raises."""
        self._run_until_done(assigned, "look-up", lambda: assigned.chain.resume(committed_offset), then)

    def write(
        self, assigned: AssignedPartition, batch: Batch, then: Callable[[Callable[[], PutResult]], None]
    ) -> None:
        """Put the batch's segment; `then` works as in `look_up`."""
        put = partial(
            assigned.chain.put,
            first_offset=batch.first_offset,
            next_offset=batch.next_offset,
            frames=batch.frames,
            dead_letters=batch.dead_letters,
            image_paths=batch.held,
        )

        def measured() -> PutResult:
            began_ns = time.time_ns()
            with METERS.timed("write"):
                written = put()
            for frame in batch.frames if TRACES.is_on else ():
                TRACES.tell(frame.image_path, "write", began_ns)
            return written

        self._run_until_done(assigned, "write", measured, then)

    def _run_until_done(
        self,
        assigned: AssignedPartition,
        what: str,
        action: Callable[[], T],
        then: Callable[[Callable[[], T]], None],
    ) -> None:
        self._run(
            self._writing,
            lambda: self._patience.until_done(what, action, lambda: assigned.dropped),
            then,
        )

    def _run(
        self, pool: ThreadPoolExecutor, action: Callable[[], T], then: Callable[[Callable[[], T]], None]
    ) -> None:
        self._jobs += 1
        pool.submit(action).add_done_callback(lambda done: self._ended.put(lambda: then(done.result)))

    def hear(self, *, timeout_s: float) -> None:
        """Call the `then` of all finished work, waiting up to `timeout_s` for the first.

        Errors of threads are raised here, except those of `look_up` and `write`.
        """
        for then in self._all_ended(timeout_s):
            then()

    def _all_ended(self, timeout_s: float) -> Iterator[Callable[[], None]]:
        try:
            then = self._ended.get(timeout=timeout_s)
            while True:
                self._jobs -= 1
                yield then
                then = self._ended.get_nowait()
        except queue.Empty:
            return

    def close(self, *, within_s: float) -> bool:
        """End the threads and drop their work; return whether they have ended `within_s`.

        A thread in the detector or in a call of the store ends only after that.
        """
        for pool in (self._loaders, self._feeding, self._collecting, self._writing):
            pool.shutdown(wait=False, cancel_futures=True)
        until_s = time.monotonic() + within_s
        while self._jobs and time.monotonic() < until_s:
            for _ in self._all_ended(timeout_s=0.05):
                pass
        return self._jobs == 0
