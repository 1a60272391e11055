"""The frames of one video: off the sampling grid, stored, announced and noted, on from where it was left."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from frametally.errors import Poison
from frametally.media.manifests import media_of
from frametally.process.retrying import GivenUp
from frametally.records import FrameAnnouncement
from frametally_producer.reading.event_time import checked_ms
from frametally_producer.reading.places import ResumePoint
from frametally_producer.reading.sampling import Sampler, estimate_frames
from frametally_producer.reading.video_file import TimedFrame, Video
from frametally_producer.writing.frames import FrameWriter, NewFrame
from frametally_producer.writing.manifest import ManifestKeeper
from frametally_producer.writing.production import Production, cost_of
from frametally_producer.writing.seen_files import Rate


class VideoWork:
    """One video's way into the store and the log."""

    def __init__(self, path: Path, keeper: ManifestKeeper, production: Production) -> None:
        """Nothing is done yet; `keeper` says what others did."""
        self._path = path
        self._keeper = keeper
        self._production = production
        self._places: list[ResumePoint] = []
        self._expected = self._done_before = 0
        self._pixels = 0
        self._stored_bytes = 0
        self._announced = 0

    def can_go_on_at(self, place: ResumePoint) -> bool:
        """Whether all frames up to the place that are wanted now are in the manifest."""
        return (
            self._keeper.samplings <= set(place.samplings)
            and self._keeper.manifest.revision == place.revision
            and self._keeper.frames.count_to(place.check.frame_index) >= place.announced
        )

    def run(self, opened: Video, place: ResumePoint | None = None) -> None:
        """Store, announce and note all frames that are wanted and not announced yet.

        Raises:
            PlaceLost: The video cannot be gone on with at `place`; nothing was done.
            Poison: It has no frame, or its time cannot be.
            GivenUp: A stop was asked for; what was in hand is announced and noted.
            Misconfigured: The store or the log cannot be written.
        """
        began_s = time.monotonic()
        production, keeper = self._production, self._keeper
        if keeper.manifest.start_ms is None:
            raise Poison("its manifest says no start; remove its object from the store to produce it anew")
        frames = self._from(opened, place)
        first = next(frames, None)  # before anything is written: a video without a frame leaves no trace
        if first is None and place is None:
            why = f": {'; '.join(opened.damage)}" if opened.damage else ""
            raise Poison(f"holds no frame that can be decoded{why}; play it to see, or export it again")
        self._write_first(opened)
        known = len(keeper.frames)
        self._places = opened.places
        sampler = Sampler(*keeper.samplings)
        if place is not None:
            sampler.pass_over(opened.position_of_check(place))
            self._done_before = keeper.frames.count_to(place.check.frame_index)
            production.frames_known += self._done_before
        with FrameWriter(
            settings=production.settings,
            store=production.store,
            log=production.log,
            patience=production.patience,
            on_announced=self._note,
        ) as writer:
            try:
                self._write_all(opened, itertools.chain((first,) if first else (), frames), sampler, writer)
            except GivenUp:
                writer.flush()
                keeper.write(expected=self._expected)
                raise
        keeper.write()
        medium = keeper.manifest
        production.media[medium.sha256] = medium
        production.seen.note_place(medium.sha256, None)
        if not known:
            rate = Rate(self._pixels, time.monotonic() - began_s, self._announced, self._stored_bytes)
            production.seen.note_rate("video", cost_of(production.settings), rate)
        if opened.damage:
            kept = f"its {medium.frames_announced} good frames were kept; look for a whole copy"
            production.skip(medium.name, f"in part: {'; '.join(opened.damage)}; {kept}")

    def _from(self, opened: Video, place: ResumePoint | None) -> Iterator[TimedFrame]:
        """The frames to look at: all, or those behind the place's check."""
        for frame in opened.frames(place):
            if place is None or frame.frame_index > place.check.frame_index:
                yield frame
            else:
                self._production.go_on()
                self._production.tally.doing("finding the place where it was left")

    def _write_first(self, opened: Video) -> None:
        """Claim the medium: from here on it has its source and time, whoever else is at it."""
        keeper = self._keeper
        self._expected = self._estimate(opened)
        keeper.write(expected=self._expected)
        self._expected = self._estimate(opened)

    def _estimate(self, opened: Video) -> int:
        stated, length_s = opened.frames_stated, opened.duration_s
        return max(
            estimate_frames(s, frames=stated, duration_s=length_s) or 0 for s in self._keeper.samplings
        )

    def _write_all(
        self, opened: Video, frames: Iterator[TimedFrame], sampler: Sampler, writer: FrameWriter
    ) -> None:
        production, keeper, medium = self._production, self._keeper, self._keeper.manifest
        media, start_ms = media_of(medium), medium.start_ms or 0
        size_px = opened.size_px[0] * opened.size_px[1]
        done = self._done_before
        for frame in frames:
            production.go_on()
            self._pixels += size_px
            if not sampler.takes(frame.position_s):
                continue
            done += 1
            production.progress.update(done, max(self._expected, done), medium.name)
            production.tally.doing("producing", done / max(self._expected, done))
            if frame.frame_index in keeper.frames:
                production.frames_known += 1
                continue
            if production.room.short():
                writer.flush()
                keeper.write(expected=self._expected)
                production.tally.doing("waiting for room on the disk", done / max(self._expected, done))
                production.room.wait()
            try:
                captured_at_ms = checked_ms(start_ms + frame.offset_ms)
                pixels = opened.pixels(frame.frame)
            except Poison as error:
                opened.damage.append(f"frame {frame.frame_index}: {error}")
                break
            writer.add(
                NewFrame(
                    media=media,
                    file_sha256=medium.sha256,
                    source=medium.source,
                    frame_index=frame.frame_index,
                    captured_at_ms=captured_at_ms,
                    time_source=medium.time_source,
                    pixels=pixels,
                )
            )

    def _note(self, announcements: list[FrameAnnouncement]) -> None:
        production, keeper = self._production, self._keeper
        keeper.note(announcements)
        production.count_announced(announcements)
        self._announced += len(announcements)
        self._stored_bytes += sum(announcement.bytes for announcement in announcements)
        # Frames are announced in order: all that are wanted up to the last one are.
        last = announcements[-1].frame_index
        if keeper.write_if_due(expected=self._expected):
            self._note_place(last)

    def _note_place(self, last_announced: int) -> None:
        """Note the last place that production is past, once the manifest has all frames up to it."""
        places = self._places
        passed = [place for place in places if place.check.frame_index <= last_announced]
        if passed:
            del places[: len(passed)]
            place, keeper = passed[-1], self._keeper
            noted = msgspec.structs.replace(
                place,
                samplings=tuple(sorted(keeper.samplings)),
                revision=keeper.manifest.revision,
                announced=keeper.frames.count_to(place.check.frame_index),
            )
            self._production.seen.note_place(keeper.manifest.sha256, noted)
