"""The dry run: what there is to produce, and how long that will take, with nothing written."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from frametally.errors import Poison
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import GivenUp
from frametally.settings.loading import Settings
from frametally_producer.reading.event_time import (
    TimeClues,
    check_time_pattern,
    checked_ms,
    find_event_time,
)
from frametally_producer.reading.footage import VideoToProduce
from frametally_producer.reading.media_file import open_medium, why_unusable
from frametally_producer.reading.picture_reader import PictureReader
from frametally_producer.reading.probe import Speed, probe
from frametally_producer.reading.sampling import ALL, estimate_frames
from frametally_producer.reading.video_file import Video, open_video
from frametally_producer.writing.production import ProduceCall, asked_of, cost_of
from frametally_producer.writing.seen_files import SeenFiles, stamp_of

_USUAL_STEPS = 10
_LEAST_GAP_MS = 1000


class Gap(NamedTuple):
    """Event time `[from_ms, to_ms)` in which a source has no footage."""

    from_ms: int
    to_ms: int


class PlannedSource(NamedTuple):
    """What is to be produced of one source.

    Attributes:
        source_name: As it is to be shown.
        files: How many.
        files_known: Of them, those that an earlier call finished, by the notes in the data folder.
        bytes: Their size.
        frames: How many frames are to be stored, about; without those of `files_known`.
        frames_unknown: Videos that do not tell how long they are; their frames are not in `frames`.
        first_ms: Event time of the first.
        last_ms: Event time of the last frame's end.
        gaps: Where there is no footage for longer than a bound.
        gap_ms: That bound.
    """

    source_name: str
    files: int
    files_known: int
    bytes: int
    frames: int
    frames_unknown: int
    first_ms: int
    last_ms: int
    gaps: list[Gap]
    gap_ms: int


class ProducePlan(NamedTuple):
    """What a call of the producer would do.

    Attributes:
        sources: By name.
        skipped: What cannot be read.
        seconds: How long it will take, about; None if nothing could be measured.
        stored_bytes: How much room the frames will take, about; None likewise.
        measured: Where those two come from, as a sentence.
    """

    sources: list[PlannedSource]
    skipped: list[Skipped]
    seconds: float | None
    stored_bytes: float | None
    measured: str


class _File(NamedTuple):
    path: Path
    kind: str
    bytes: int
    known: bool
    start_ms: int
    end_ms: int
    pixels: int
    frames: int | None


def plan(call: ProduceCall, *, progress: Progress) -> ProducePlan:
    """Plan what `produce` would do with the same call. Headers are read, and a few files for a moment.

    Raises:
        Misconfigured: Settings or arguments that cannot be.
    """
    settings = call.settings
    check_time_pattern(settings.time_pattern)
    footage = call.find_footage()
    start = call.start_of(footage)
    skipped = list(footage.skipped)
    by_source: dict[str, list[_File]] = {}
    with (
        SeenFiles(settings.data_dir, writing=False) as seen,
        PictureReader(call.should_stop) as pictures,
    ):
        look = _Look(settings, seen, start, pictures)
        files = [
            (path, medium.source_name, isinstance(medium, VideoToProduce))
            for medium in footage.media
            for path in medium.paths
        ]
        for done, (path, source_name, is_video) in enumerate(files, 1):
            if call.should_stop():
                break
            progress.update(done, len(files), str(path))
            try:
                file = look.at_video(path, source_name) if is_video else look.at_picture(path, source_name)
            except GivenUp:
                break
            except (Poison, OSError) as error:
                skipped.append(Skipped(str(path), why_unusable(error)))
            else:
                by_source.setdefault(source_name, []).append(file)
        new = [file for of_source in by_source.values() for file in of_source if not file.known]
        seconds, stored_bytes, measured = _estimate(new, settings, seen, pictures)
    sources = [_source(name, files_of, settings) for name, files_of in sorted(by_source.items())]
    return ProducePlan(sources, skipped, seconds, stored_bytes, measured)


class _Look:
    """Looks at files: their headers, no more."""

    def __init__(
        self, settings: Settings, seen: SeenFiles, start: datetime | None, pictures: PictureReader
    ) -> None:
        self._settings = settings
        self._seen = seen
        self._start = start
        self._pictures = pictures
        self._max_pixels = settings.max_image_megapixels * 1_000_000

    def at_video(self, path: Path, source_name: str) -> _File:
        with open_medium(path) as file, open_video(file, max_pixels=self._max_pixels) as video:
            length_ms = int((video.duration_s or 0) * 1000)
            clues = TimeClues(path, video.recorded, "container", path.stat().st_mtime_ns, length_ms)
            start_ms = find_event_time(clues, settings=self._settings, start_time=self._start).at_ms
            checked_ms(start_ms + length_ms)
            frames, decoded = self._frames(video)
            asked = asked_of(self._settings, source_name, self._start)
            pixels = (decoded or 0) * video.size_px[0] * video.size_px[1]
            return self._file(path, "video", asked, start_ms, start_ms + length_ms, pixels, frames)

    def at_picture(self, path: Path, source_name: str) -> _File:
        with open_medium(path) as file:
            header = self._pictures.read_header(file, max_pixels=self._max_pixels)
        clues = TimeClues(path, header.recorded, "exif", path.stat().st_mtime_ns, 0)
        at_ms = find_event_time(clues, settings=self._settings).at_ms
        asked = asked_of(self._settings, source_name)
        return self._file(path, "pictures", asked, at_ms, at_ms, header.width_px * header.height_px, 1)

    def _frames(self, video: Video) -> tuple[int | None, int | None]:
        """Return how many frames are taken, and how many decoded; None where the video does not tell."""
        stated, length_s = video.frames_stated, video.duration_s
        if stated is None and length_s is not None and video.average_fps:
            stated = math.ceil(length_s * Fraction(video.average_fps))
        sampling = self._settings.sample_fps
        taken = stated if sampling == ALL else estimate_frames(sampling, frames=stated, duration_s=length_s)
        return taken, stated

    def _file(
        self, path: Path, kind: str, asked: str, start_ms: int, end_ms: int, pixels: int, frames: int | None
    ) -> _File:
        status = path.stat()
        seen = self._seen.find(path, stamp_of(status))
        known = seen is not None and seen.asked == asked
        return _File(path, kind, status.st_size, known, start_ms, end_ms, pixels, frames)


def find_gaps(spans: Sequence[tuple[int, int]], *, gap_s: float) -> tuple[list[Gap], int]:
    """Return where `spans` of event time leave more than a bound uncovered, and that bound in milliseconds.

    Args:
        spans: `(start_ms, end_ms)` of each medium.
        gap_s: The bound; 0: ten times the usual (median) step from a medium's end to the next one's start.
    """
    steps: list[Gap] = []
    end: int | None = None
    for start_ms, end_ms in sorted(spans):
        if end is not None and start_ms > end:
            steps.append(Gap(end, start_ms))
        end = end_ms if end is None else max(end, end_ms)
    gap_ms = round(gap_s * 1000)
    if not gap_ms and steps:
        usual_ms = statistics.median(step.to_ms - step.from_ms for step in steps)
        gap_ms = max(_LEAST_GAP_MS, round(usual_ms * _USUAL_STEPS))
    return [step for step in steps if step.to_ms - step.from_ms > gap_ms], gap_ms


def _source(name: str, files: list[_File], settings: Settings) -> PlannedSource:
    gaps, gap_ms = find_gaps([(file.start_ms, file.end_ms) for file in files], gap_s=settings.gap_s)
    new = [file for file in files if not file.known]
    return PlannedSource(
        source_name=name,
        files=len(files),
        files_known=len(files) - len(new),
        bytes=sum(file.bytes for file in files),
        frames=sum(file.frames or 0 for file in new),
        frames_unknown=sum(file.frames is None for file in new),
        first_ms=min(file.start_ms for file in files),
        last_ms=max(file.end_ms for file in files),
        gaps=gaps,
        gap_ms=gap_ms,
    )


def _estimate(
    new: list[_File], settings: Settings, seen: SeenFiles, pictures: PictureReader
) -> tuple[float | None, float | None, str]:
    """Estimate the seconds and bytes of producing these, and say where the rates come from."""
    seconds = stored_bytes = 0.0
    origins: dict[str, str] = {}
    for kind in ("video", "pictures"):
        files = [file for file in new if file.kind == kind]
        if not files:
            continue
        rate = seen.rate(kind, cost_of(settings))
        if rate is not None and rate.pixels and rate.frames and rate.seconds:
            speed = Speed(rate.seconds / rate.pixels, 0.0, rate.stored_bytes / rate.frames)
            origins[kind] = "as measured in former runs here"
        else:
            paths = [file.path for file in files]
            tried = probe(paths, settings, None if kind == "video" else pictures)
            if tried is None:
                return None, None, "nothing could be measured"
            speed = tried
            origins[kind] = "by a trial just now, one file after the other"
        seconds += sum(file.pixels * speed.s_per_pixel + file.bytes * speed.s_per_byte for file in files)
        stored_bytes += sum((file.frames or 0) * speed.bytes_per_frame for file in files)
    measured = "; ".join(f"{kind}: {origin}" for kind, origin in origins.items())
    return seconds, stored_bytes, measured or "nothing is left to do"
