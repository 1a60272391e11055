"""The frames of one video: off the sampling grid, stored, announced and noted; what is known is left out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from functools import partial

from frametally.errors import Poison
from frametally.media.manifests import media_of
from frametally.media.time_jumps import time_jumps, told_time_jumps
from frametally.records import FrameAnnouncement
from frametally_producer.reading.event_time import checked_ms
from frametally_producer.reading.sampling import Sampler, estimate_frames
from frametally_producer.reading.video_file import TimedFrame, Video
from frametally_producer.writing.frames import FrameWriter, NewFrame
from frametally_producer.writing.manifest import ManifestKeeper
from frametally_producer.writing.production import Production, cost_of
from frametally_producer.writing.seen_files import Rate


class VideoWork:
    """One video's way into the store and the log."""

    def __init__(self, opened: Video, keeper: ManifestKeeper, production: Production) -> None:
        """Do nothing yet; `keeper` says what others did."""
        self._opened = opened
        self._keeper = keeper
        self._production = production
        self._expected = self._pixels = self._stored_bytes = self._announced = 0

    def run(self) -> None:
        """Store, announce and note all frames that are wanted and not announced yet.

        Raises:
            Poison: It has no frame, or its time cannot be.
            GivenUp: A stop was asked for; what was in hand is announced and noted.
            Misconfigured: The store or the log cannot be written.
        """
        began_s = time.monotonic()
        opened, production, keeper = self._opened, self._production, self._keeper
        frames = opened.frames()
        first = next(frames, None)  # before anything is written: a video without a frame leaves no trace
        if first is None:
            why = f": {'; '.join(opened.damage)}" if opened.damage else ""
            raise Poison(f"holds no frame that can be decoded{why}; play it to see, or export it again")
        self._expected = self._estimate()
        self._write()  # from here on the medium has its source and time, whoever else is at it
        self._expected = self._estimate()
        known = len(keeper.frames)
        with production.writer(self._note, self._write) as writer:
            for frame in self._new_frames(itertools.chain((first,), frames), writer):
                writer.add(frame)
        keeper.write()
        medium = keeper.manifest
        production.media[medium.sha256] = medium
        jumps = time_jumps(medium, {})
        if jumps:
            production.notice(told_time_jumps(medium, jumps))
        if not known:
            rate = Rate(self._pixels, time.monotonic() - began_s, self._announced, self._stored_bytes)
            production.seen.note_rate("video", cost_of(production.settings), rate)
        if opened.damage:
            kept = f"its {medium.frames_announced} good frames were kept; look for a whole copy"
            production.skip(medium.name, f"in part: {'; '.join(opened.damage)}; {kept}")

    def _write(self) -> None:
        self._keeper.write(expected=self._expected)

    def _estimate(self) -> int:
        stated, length_s = self._opened.frames_stated, self._opened.duration_s
        return max(
            estimate_frames(s, frames=stated, duration_s=length_s) or 0 for s in self._keeper.samplings
        )

    def _new_frames(self, frames: Iterable[TimedFrame], writer: FrameWriter) -> Iterator[NewFrame]:
        """Yield those that are wanted and not known; end at a frame that cannot be."""
        opened, production, keeper = self._opened, self._production, self._keeper
        medium = keeper.manifest
        media, start_ms = media_of(medium), medium.start_ms or 0
        sampler = Sampler(*keeper.samplings)
        done = 0
        for frame in frames:
            production.go_on()
            self._pixels += opened.size_px[0] * opened.size_px[1]
            if not sampler.takes(frame.position_s):
                continue
            done += 1
            part = done / max(self._expected, done)
            production.progress.update(done, max(self._expected, done), medium.name)
            production.tally.doing("producing", part)
            if frame.frame_index in keeper.frames:
                production.frames_known += 1
                continue
            production.make_room(writer, self._write, part)
            try:
                captured_at_ms = checked_ms(start_ms + frame.offset_ms)
                pixels = opened.pixels(frame.frame)
            except Poison as error:
                self._refuse(frame.frame_index, str(error))
                return
            yield NewFrame(
                media=media,
                medium_hex=medium.sha256[:12],
                source=medium.source,
                frame_index=frame.frame_index,
                captured_at_ms=captured_at_ms,
                time_source=medium.time_source,
                pixels=pixels,
                refused=partial(self._refuse, frame.frame_index),
            )

    def _refuse(self, frame_index: int, why: str) -> None:
        self._opened.damage.append(f"frame {frame_index}: {why}")

    def _note(self, announcements: list[FrameAnnouncement]) -> None:
        self._keeper.note(announcements)
        self._production.tally.count_announced(len(announcements))
        self._announced += len(announcements)
        self._production.fresh.add(self._keeper.manifest.sha256)
        self._stored_bytes += sum(announcement.bytes for announcement in announcements)
        self._keeper.write_if_due(expected=self._expected)
