"""The frames of one video: off the sampling grid, stored, announced and noted; what is known is left out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from frametally.errors import Poison
from frametally.media.manifests import media_of
from frametally.media.time_jumps import time_jumps, told_time_jumps
from frametally.records import FrameAnnouncement, MediaManifest
from frametally_producer.reading.event_time import checked_ms
from frametally_producer.reading.sampling import Sampler, estimate_frames
from frametally_producer.reading.video_file import TimedFrame, Video
from frametally_producer.writing.frames import FrameWriter, NewFrame
from frametally_producer.writing.manifest import ManifestKeeper
from frametally_producer.writing.production import Production, cost_of
from frametally_producer.writing.seen_files import Rate


def first_of(frames: Iterator[TimedFrame], opened: Video) -> TimedFrame:
    """Return a video's first frame, before anything is written: one without a frame leaves no trace.

    Raises:
        Poison: There is none.
    """
    first = next(frames, None)
    if first is None:
        why = f": {'; '.join(opened.damage)}" if opened.damage else ""
        raise Poison(f"holds no frame that can be decoded{why}; play it to see, or export it again")
    return first


def estimated(opened: Video, keeper: ManifestKeeper) -> int:
    """Return about how many frames are taken of a video, by all samplings asked for."""
    stated, length_s = opened.frames_stated, opened.duration_s
    return max(estimate_frames(s, frames=stated, duration_s=length_s) or 0 for s in keeper.samplings)


def new_frame(
    opened: Video, frame: TimedFrame, medium: MediaManifest, refused: Callable[[str], None]
) -> NewFrame:
    """Return a video's frame to be stored and announced.

    Raises:
        Poison: Its time is none that can be, or its pixels cannot be converted.
    """
    return NewFrame(
        media=media_of(medium),
        medium_hex=medium.sha256[:12],
        source=medium.source,
        frame_index=frame.frame_index,
        captured_at_ms=captured_at_ms(frame, medium),
        time_source=medium.time_source,
        pixels=opened.pixels(frame.frame),
        refused=refused,
    )


def captured_at_ms(frame: TimedFrame, medium: MediaManifest) -> int:
    """Return a frame's event time. Raises `Poison` if it is none that can be."""
    return checked_ms((medium.start_ms or 0) + frame.offset_ms)


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
        first = first_of(frames, opened)
        self._expected = estimated(opened, keeper)
        self._write()  # from here on the medium has its source and time, whoever else is at it
        self._expected = estimated(opened, keeper)
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

    def _new_frames(self, frames: Iterable[TimedFrame], writer: FrameWriter) -> Iterator[NewFrame]:
        """Yield those that are wanted and not known; end at a frame that cannot be."""
        opened, production, keeper = self._opened, self._production, self._keeper
        medium = keeper.manifest
        sampler = Sampler(*keeper.samplings)
        done = 0
        for frame, is_taken in sampler.sift(frames):
            production.go_on()
            self._pixels += opened.size_px[0] * opened.size_px[1]
            if not is_taken:
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
                yield new_frame(opened, frame, medium, partial(self._refuse, frame.frame_index))
            except Poison as error:
                self._refuse(frame.frame_index, str(error))
                return

    def _refuse(self, frame_index: int, why: str) -> None:
        self._opened.damage.append(f"frame {frame_index}: {why}")

    def _note(self, announcements: list[FrameAnnouncement]) -> None:
        self._keeper.note(announcements)
        self._production.tally.count_announced(len(announcements))
        self._announced += len(announcements)
        self._production.fresh.add(self._keeper.manifest.sha256)
        self._stored_bytes += sum(announcement.bytes for announcement in announcements)
        self._keeper.write_if_due(expected=self._expected)
