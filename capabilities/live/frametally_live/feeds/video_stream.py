"""Streams a stored video: shows each frame when it is due, by presentation time and speed.

Late frames are still shown: a stream skips frames only when a person seeks. Announced frames have the
producer's keys, so nothing counts twice, whatever else happens to the video.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import KW_ONLY, dataclass

from frametally.errors import Poison
from frametally.media.manifests import find_manifest
from frametally.process.reports import NoProgress
from frametally.process.retrying import GivenUp
from frametally.records import MediaManifest
from frametally.segments.results import make_results_topic
from frametally_live.feed_records import Feed
from frametally_live.feeds.feed_messages import FeedRun, Wishes
from frametally_live.feeds.segment_results import StoredResults, stored_results
from frametally_live.feeds.stream_frames import CameFrame, DecodedFrames, DueFrame, ReplayedFrames
from frametally_producer.writing.manifest import Forgotten, ManifestKeeper
from frametally_producer.writing.production import Room
from frametally_videos.jobs.announced_medium import put_right
from frametally_videos.jobs.frames_job import take_up
from frametally_videos.jobs.originals import find_record
from frametally_videos.library.video_looks import sentence
from frametally_videos.records import VideoRecord


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
