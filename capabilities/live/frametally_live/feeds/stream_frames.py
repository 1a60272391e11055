"""Yields a streamed video's frames from a position on: from its segments, or by decoding them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from frametally.errors import Poison
from frametally.process.retrying import GivenUp
from frametally.records import FrameAnnouncement, FrameDetections, MediaManifest
from frametally.rules.frame_bitmap import FrameBitmap
from frametally_live.feeds.feed_messages import FeedRun
from frametally_live.feeds.segment_results import StoredResults
from frametally_producer.media.videos import captured_at_ms, estimated, first_of, new_frame
from frametally_producer.reading.sampling import Sampler
from frametally_producer.reading.video_file import TimedFrame, Video
from frametally_producer.writing.frames import FrameWriter
from frametally_producer.writing.manifest import ManifestKeeper
from frametally_producer.writing.production import Room
from frametally_videos.jobs.originals import open_original
from frametally_videos.records import VideoRecord

_MOST_AHEAD, _MOST_BYTES_AHEAD = 15, 24_000_000
"""Number of frames that are decoded ahead, if decoding is fast enough."""


class CameFrame(NamedTuple):
    """A frame that is ready: its result is published, or it is announced for a consumer.

    `position_s` is presentation time from the first frame; for announced frames, to the millisecond.
    """

    position_s: float
    captured_at_ms: int
    image_path: str
    is_announced: bool


Came = Callable[[CameFrame], None]


class DueFrame(NamedTuple):
    """A frame to show at its time, by calling `show`."""

    position_s: float
    show: Callable[[], None]


class ReplayedFrames:
    """Frames that are all in segments: nothing is decoded or announced."""

    def __init__(self, manifest: MediaManifest, results: StoredResults, on_frame: Came) -> None:
        """Take the frames of `manifest`; `on_frame` is called for each frame shown."""
        self._manifest = manifest
        self._results = results
        self._on_frame = on_frame
        self._first_ms = manifest.first_captured_at_ms or 0

    def since(self, from_s: float) -> Iterator[DueFrame | None]:
        """Yield the frames from a presentation time on; after the end, the last frame."""
        last_ms = self._manifest.last_captured_at_ms or self._first_ms
        from_ms = min(self._first_ms + round(from_s * 1000), last_ms)
        for line in self._results.since(self._manifest, from_ms):
            position_s = (line.captured_at_ms - self._first_ms) / 1000
            yield DueFrame(position_s, partial(self._show, line, position_s))

    def flush(self) -> None:
        """Do nothing: the shown frames are already reported."""

    def finish(self) -> None:
        """Do nothing: nothing was announced."""

    def _show(self, line: FrameDetections, position_s: float) -> None:
        self._results.publish(line)
        self._on_frame(CameFrame(position_s, line.captured_at_ms, line.image_path, is_announced=False))


class DecodedFrames:
    """Decoded frames of the original; those in no segment are stored, announced and noted as by the producer.

    A frame is identified by the number of frames decoded before it. So the file is always read from its
    beginning, and everything before the requested position is also decoded.
    """

    def __init__(
        self,
        record: VideoRecord,
        keeper: ManifestKeeper,
        results: StoredResults,
        on_frame: Came,
        run: FeedRun,
        wait_for_room: Callable[[Room], None],
    ) -> None:
        """Read nothing yet; `wait_for_room` is called when the disk is too full for another frame."""
        self._record = record
        self._keeper = keeper
        self._results = results
        self._on_frame = on_frame
        self._store, self._patience = run.store, run.patience
        self._max_pixels = run.settings.max_image_megapixels * 1_000_000
        self._room = Room(run.settings, run.patience)
        self._wait_for_room = wait_for_room
        self._writer = FrameWriter(
            settings=run.settings,
            store=run.store,
            log=run.log,
            patience=run.patience,
            topic=run.settings.live_topic,
            on_announced=self._note,
        )
        self._file = ExitStack()
        self._opened: Video | None = None
        self._frames: Iterator[tuple[TimedFrame, bool]] = iter(())
        self._passed_s = float("inf")
        self._last: TimedFrame | None = None
        self._wanted = FrameBitmap(b"")
        self._expected = self._first_ms = 0

    def since(self, from_s: float) -> Iterator[DueFrame | None]:
        """Yield the frames from a presentation time on, in order, with None for each skipped one.

        After the end, yield the last frame.

        Raises:
            Poison: It has no frame, or was deleted.
            GivenUp: A stop was requested while a server was unavailable.
        """
        if from_s <= self._passed_s:
            self._begin()
        is_there = False
        while (sifted := next(self._frames, None)) is not None:
            frame, is_taken = sifted
            self._passed_s = float(frame.position_s)
            if not is_taken:
                yield None
                continue
            self._wanted.add(frame.frame_index)
            self._last = frame
            if self._passed_s < from_s:
                yield None
                continue
            is_there = True
            yield DueFrame(self._passed_s, partial(self._show, frame))
        if self._last is not None and not is_there:
            yield DueFrame(float(self._last.position_s), partial(self._show, self._last))

    def flush(self) -> None:
        """Announce the shown frames now. Raises `GivenUp`."""
        self._writer.flush()

    def finish(self) -> None:
        """Record that the end was reached, and whether all frames are announced; raises as `since`."""
        self.flush()
        expected_count, announced = (
            int.from_bytes(bytes(frames), "little") for frames in (self._wanted, self._keeper.frames)
        )
        self._keeper.write(expected=self._expected if expected_count & ~announced else None)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Announce and note the shown frames, if possible."""
        try:
            if isinstance(error, GivenUp):
                self._writer.flush()
                self._keeper.write(expected=self._expected)
        finally:
            with self._file:
                self._writer.__exit__(kind, error, trace)

    def _begin(self) -> None:
        """Open the file at its beginning."""
        self._file.close()
        file = self._opened = self._file.enter_context(
            open_original(self._store, self._record, self._patience, max_pixels=self._max_pixels)
        )
        frames = _in_bursts(file.frames(), file.size_px)
        first = first_of(frames, file)
        self._expected = estimated(file, self._keeper)
        self._keeper.write(expected=self._expected)  # from here on the medium has its source and time
        self._expected = estimated(file, self._keeper)
        self._first_ms = captured_at_ms(first, self._keeper.manifest)
        self._last = None
        self._wanted = FrameBitmap(b"")
        self._frames = Sampler(*self._keeper.samplings).sift(itertools.chain((first,), frames))

    def _show(self, frame: TimedFrame) -> None:
        line = None
        if frame.frame_index in self._keeper.frames:
            line = self._results.find(self._keeper.manifest, frame)
        if line is not None:
            self.flush()  # earlier frames are reported first
            self._results.publish(line)
            position_s = float(frame.position_s)
            self._on_frame(CameFrame(position_s, line.captured_at_ms, line.image_path, is_announced=False))
            return
        if self._room.short():
            self.flush()
            self._keeper.write(expected=self._expected)
            self._wait_for_room(self._room)
        assert self._opened is not None  # noqa: S101 - for the type checker
        try:
            new = new_frame(self._opened, frame, self._keeper.manifest, self._tell_refused)
        except Poison as error:
            self._tell_refused(str(error))
            self._frames = iter(())  # as in the producer, no frame follows one that cannot be decoded
            return
        self._writer.add(new)

    def _tell_refused(self, reason: str) -> None:
        self._patience.say_once_a_minute("frame", f"{self._record.name}: a frame was skipped: {reason}")

    def _note(self, announcements: list[FrameAnnouncement]) -> None:
        self._keeper.note(announcements)
        for announcement in announcements:
            position_s = (announcement.captured_at_ms - self._first_ms) / 1000
            self._on_frame(
                CameFrame(position_s, announcement.captured_at_ms, announcement.image_path, is_announced=True)
            )
        self._keeper.write_if_due(expected=self._expected)


def _in_bursts(frames: Iterator[TimedFrame], size_px: tuple[int, int]) -> Iterator[TimedFrame]:
    """Yield frames of the given width and height, decoded several at a time.

    Decoding one frame at a time, at the video's pace, takes half as long again because the processor's caches
    go cold in between.
    """
    most_bytes = 3 * size_px[0] * size_px[1]  # 4:2:0 with two bytes a sample
    most = min(_MOST_AHEAD, _MOST_BYTES_AHEAD // max(most_bytes, 1))
    while burst := list(itertools.islice(frames, max(most, 1))):
        yield from burst
