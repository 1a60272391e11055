"""Streams a stored video: shows each frame when it is due, by presentation time and speed.

Frames come from the video's segments, or are decoded. Late frames are still shown: a stream skips frames only
when a person seeks. Announced frames have the producer's keys, so nothing counts twice, whatever else happens
to the video.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import KW_ONLY, dataclass
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from frametally.errors import Poison
from frametally.media.manifests import find_manifest
from frametally.process.reports import NoProgress
from frametally.process.retrying import GivenUp
from frametally.records import FrameAnnouncement, FrameDetections, MediaManifest
from frametally.rules.frame_bitmap import FrameBitmap
from frametally.segments.results import make_results_topic
from frametally_live.feed_records import Feed
from frametally_live.feeds.feed_messages import FeedRun, Wishes
from frametally_live.feeds.segment_results import StoredResults, stored_results
from frametally_producer.media.videos import captured_at_ms, estimated, first_of, new_frame
from frametally_producer.reading.sampling import Sampler, StandingPictures
from frametally_producer.reading.video_file import TimedFrame, Video
from frametally_producer.writing.frames import FrameWriter
from frametally_producer.writing.manifest import Forgotten, ManifestKeeper
from frametally_producer.writing.production import Room
from frametally_videos.jobs.announced_medium import put_right
from frametally_videos.jobs.frames_job import take_up
from frametally_videos.jobs.originals import find_record, open_original
from frametally_videos.records import VideoRecord
from frametally_videos.upload_refusals import sentence

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
        self._settings = run.settings
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
        self._standing = StandingPictures()
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
        # Repeats of standing pictures are left to the job `frames`.
        is_part = self._standing or expected_count & ~announced
        self._keeper.write(expected=self._expected if is_part else None)

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
            open_original(self._store, self._record, self._patience, self._settings)
        )
        self._standing = StandingPictures()
        frames = _in_bursts(self._standing.noting(file.frames()), file.size_px)
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


class PlayingClock:
    """A clock of presentation time that runs at a given speed from the position that was last set."""

    def __init__(self, speed: float) -> None:
        """Run at `speed` seconds of the video per second."""
        self._speed = speed
        self._position_s = self._set_at_s = 0.0

    def set_to(self, position_s: float, now_s: float) -> None:
        """Make that presentation time due now."""
        self._position_s, self._set_at_s = position_s, now_s

    def due_in_s(self, position_s: float, now_s: float) -> float:
        """Return the seconds until a presentation time is due; negative if it is late."""
        return (position_s - self._position_s) / self._speed - (now_s - self._set_at_s)


_LOOK_S, _DUE_S = 0.1, 0.001
REMOVED = "The video was deleted."


@dataclass
class VideoStream:
    """One stream of a stored video, from its start position."""

    feed: Feed
    run_with: FeedRun
    wishes: Wishes
    _: KW_ONLY
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Show nothing yet; both clocks return seconds, the wall clock since the epoch."""
        run = self.run_with
        self._settings, self._store, self._log = run.settings, run.store, run.log
        self._patience, self._teller = run.patience, run.teller
        self._playing = PlayingClock(self.feed.speed)
        self._late_ms = 0
        self._has_stood = False

    def run(self) -> str:
        """Show all frames until the end; return why it ended early, or an empty text at the video's end.

        It can be called again after any error, and continues from its position.

        Raises:
            Poison: The file is not a video, was deleted, or has no start time.
            GivenUp: It was stopped; the frames shown so far are announced and noted.
            Retryable: A server is unavailable.
            Misconfigured: The store or the log cannot be written.
        """
        record = self._record()
        if record is None:
            return REMOVED
        self._log.create_topic(self._settings.live_topic, self._settings.log_partitions)
        make_results_topic(self._log, self._settings)
        with stored_results(self.run_with, self.feed.model) as results:
            results.await_fresh()
            while True:
                manifest = self._put_right(record)
                try:
                    with self._frames_of(record, manifest, results) as frames:
                        self._play_to_the_end(frames)
                    return ""
                except Forgotten:
                    record = self._record()
                    if record is None:
                        return REMOVED
                    if find_manifest(self._store, record.sha256) is None:
                        raise
                    # The video was corrected: continue under its new time and source.

    def _record(self) -> VideoRecord | None:
        """Return the video's record, or None if it is gone or about to go."""
        record = find_record(self._store, self.feed.video_id, self._patience)
        return None if record is None or record.state == "deleting" else record

    def _put_right(self, record: VideoRecord) -> MediaManifest | None:
        return self._patience.until_done(
            "the object store", lambda: put_right(self.run_with, record, NoProgress())
        )

    def _frames_of(
        self, record: VideoRecord, manifest: MediaManifest | None, results: StoredResults
    ) -> AbstractContextManager[DecodedFrames | ReplayedFrames]:
        """Return the video's frames, from its segments if they have all frames."""
        if manifest is not None and manifest.pace:
            raise Poison("it is a time-lapse or slow motion, which cannot be streamed; play it on its page")
        keeper = take_up(record, manifest, self._store, self._patience, sampling=self._settings.sample_fps)
        if keeper is None and manifest is not None:
            if results.has_all(manifest):
                return nullcontext(ReplayedFrames(manifest, results, self._pass_on))
            keeper = ManifestKeeper(
                self._store, manifest, self._patience, samplings={manifest.sampling}, is_stored=True
            )
        assert keeper is not None  # noqa: S101 - for the type checker
        return DecodedFrames(
            record,
            keeper,
            results,
            self._pass_on,
            self.run_with,
            self._wait_for_room,
        )

    def _play_to_the_end(self, frames: DecodedFrames | ReplayedFrames) -> None:
        from_s: float | None = self._teller.told.position_s or 0.0
        while from_s is not None:
            from_s = self._play(frames, from_s)
        frames.finish()

    def _play(self, frames: DecodedFrames | ReplayedFrames, from_s: float) -> float | None:
        """Show frames from a position on; return the position of a seek, or None at the end."""
        has_begun = False
        for frame in frames.since(from_s):
            sought_s = self._heed()
            if sought_s is None and frame is not None:
                if not has_begun:  # even while paused: people see the current picture
                    self._playing.set_to(frame.position_s, self.clock())
                    has_begun = True
                else:
                    sought_s = self._wait_until_due(frame, frames)
                if sought_s is None:
                    frame.show()
            if sought_s is not None:
                frames.flush()  # by the clock of the old position, and before people see the new one
                self._teller.tell(position_s=sought_s, due_at_ms=None)
                return sought_s
        frames.flush()
        return self._stand_at_the_end()

    def _stand_at_the_end(self) -> float | None:
        """Hold the last frame; return None when the pause ends, or the position of a seek."""
        while (sought_s := self._heed()) is None and self.wishes.wanted == "pause":
            self._tell_pause()
        if sought_s is not None:
            self._teller.tell(position_s=sought_s, due_at_ms=None)
        return sought_s

    def _heed(self) -> float | None:
        """Return the position of a seek, if any. Raises `GivenUp` to end the stream."""
        if self.wishes.is_end_wanted:
            raise GivenUp("stopped")
        return self.wishes.take_seek()

    def _wait_until_due(self, frame: DueFrame, frames: DecodedFrames | ReplayedFrames) -> float | None:
        """Return None when the frame is due, or the position of a seek."""
        while True:
            sought_s = self._heed()
            if sought_s is not None:
                return sought_s
            if self.wishes.wanted == "pause":
                frames.flush()
                self._tell_pause()
                self._playing.set_to(frame.position_s, self.clock())
                continue
            if self._has_stood:  # the time of a pause is not made up for
                self._has_stood = False
                self._playing.set_to(frame.position_s, self.clock())
            left_s = self._playing.due_in_s(frame.position_s, self.clock())
            self._late_ms = max(0, round(-left_s * 1000))
            if left_s < _DUE_S:
                return None
            frames.flush()  # while there is time; a late stream announces many at once
            self.wishes.wait(min(left_s, _LOOK_S))

    def _tell_pause(self) -> None:
        """Report the pause, and wait a little."""
        self._teller.tell(state="paused", reason="", due_at_ms=None)
        self.wishes.wait(_LOOK_S)

    def _pass_on(self, frame: CameFrame) -> None:
        self._has_stood |= self._teller.told.state == "waiting"
        due_at_s = self.wall_clock() + self._playing.due_in_s(frame.position_s, self.clock())
        self._teller.tell_frame(
            captured_at_ms=frame.captured_at_ms,
            image_path=frame.image_path,
            is_announced=frame.is_announced,
            position_s=frame.position_s,
            lag_ms=self._late_ms,
            due_at_ms=None if self._has_stood else round(1000 * due_at_s),
        )

    def _wait_for_room(self, room: Room) -> None:
        self._teller.tell(state="waiting", reason=sentence(room.short()))
        room.wait()
