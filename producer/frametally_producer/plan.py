"""Estimates, without writing anything, what the producer would store and how long it would take."""

from __future__ import annotations

import filecmp
import hashlib
import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally.files.value_ranges import parse_value_range
from frametally.media.manifests import track_identity
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import GivenUp
from frametally.records import MediaManifest
from frametally.rules.pace import Pace, read_pace
from frametally.settings.loading import Settings
from frametally_producer.reading.event_time import TimeClues, checked_ms, find_event_time
from frametally_producer.reading.footage import VideoToProduce, open_medium, passed_over_line, why_unusable
from frametally_producer.reading.picture_reader import PictureReader
from frametally_producer.reading.pixels import encode_jpeg, shrink
from frametally_producer.reading.sampling import ALL, Sampler, common_sampling, denser, estimate_frames
from frametally_producer.reading.time_doubts import TimeDoubts
from frametally_producer.reading.video_file import Video, open_video
from frametally_producer.writing.production import ProduceCall, asked_of, cost_of
from frametally_producer.writing.seen_files import SeenFiles, stamp_of

_FILES, _S_PER_FILE = 3, 1.0
_HASHED_BYTES, _HEAD_BYTES = 64 << 20, 64 << 10


class Speed(NamedTuple):
    """The estimated cost of producing footage.

    Attributes:
        s_per_pixel: Seconds per decoded pixel, including the storing of frames.
        s_per_byte: Seconds per byte of a file to compute its identity.
    """

    s_per_pixel: float
    s_per_byte: float
    bytes_per_frame: float


class _Trial:
    """The sums over the files tried."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.max_pixels = settings.max_image_megapixels * 1_000_000
        self.pixels = self.frames = self.stored_bytes = self.hashed_bytes = 0
        self.seconds = self.hash_s = 0.0

    def store(self, pixels: Pixels) -> None:
        data = encode_jpeg(shrink(pixels, self.settings.max_side_px), self.settings.jpeg_quality)
        hashlib.sha256(data).digest()
        self.frames += 1
        self.stored_bytes += len(data)


def probe(paths: Sequence[Path], settings: Settings, pictures: PictureReader | None) -> Speed | None:
    """Measure the cost of pictures, or of videos without a `pictures` reader; return None if that fails.

    It tries the first, the middle and the last file, for a second each.
    """
    trial = _Trial(settings)
    for path in dict.fromkeys(paths[step * (len(paths) - 1) // (_FILES - 1)] for step in range(_FILES)):
        try:
            _try_hash(path, trial)
            if pictures is None:
                _try_video(path, trial)
            else:
                _try_picture(path, trial, pictures)
        except (Poison, OSError, GivenUp):
            continue
    if not trial.pixels or not trial.frames or not trial.hashed_bytes:
        return None
    return Speed(
        trial.seconds / trial.pixels, trial.hash_s / trial.hashed_bytes, trial.stored_bytes / trial.frames
    )


def _try_hash(path: Path, trial: _Trial) -> None:
    began_s = time.monotonic()
    with open_medium(path) as file:
        data = file.read(_HASHED_BYTES)
    hashlib.sha256(data).digest()
    trial.hashed_bytes += len(data)
    trial.hash_s += time.monotonic() - began_s


def _try_video(path: Path, trial: _Trial) -> None:
    value_range = parse_value_range(trial.settings.value_range)
    with (
        open_medium(path) as file,
        open_video(file, max_pixels=trial.max_pixels, value_range=value_range) as video,
    ):
        sampler = Sampler(trial.settings.sample_fps)
        began_s = time.monotonic()
        for frame, is_taken in sampler.sift(video.frames()):
            trial.pixels += video.size_px[0] * video.size_px[1]
            if is_taken:
                trial.store(video.pixels(frame.frame))
            if time.monotonic() - began_s > _S_PER_FILE:
                break
        trial.seconds += time.monotonic() - began_s


def _try_picture(path: Path, trial: _Trial, pictures: PictureReader) -> None:
    began_s = time.monotonic()
    with open_medium(path) as file:
        header = pictures.read_header(file, max_pixels=trial.max_pixels)
        trial.store(pictures.read_pixels(file, header, parse_value_range(trial.settings.value_range)))
    trial.pixels += header.width_px * header.height_px
    trial.seconds += time.monotonic() - began_s


_USUAL_STEPS = 10
_LEAST_GAP_MS = 1000


class Gap(NamedTuple):
    """Event time `[from_ms, to_ms)` in which a source has no footage."""

    from_ms: int
    to_ms: int


class PlannedSource(NamedTuple):
    """One source's footage to produce.

    Attributes:
        files_known: Files that an earlier call finished, according to the data folder, and copies.
        frames: About how many frames to store, without those of `files_known`.
        frames_unknown: Videos of unknown length, whose frames are not in `frames`.
        last_ms: Event time of the last frame's end.
        gap_ms: The least length of a gap (`find_gaps`).
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
    """The estimated work of a call of the producer.

    Attributes:
        seconds: About how long it will take, or None if nothing could be measured.
        stored_bytes: About how much space the frames will take, or None if nothing could be measured.
        measured: How these two were measured, as a sentence.
        notes: Doubts about times and sources, one line each.
    """

    sources: list[PlannedSource]
    skipped: list[Skipped]
    seconds: float | None
    stored_bytes: float | None
    measured: str
    notes: list[str]


class _File(NamedTuple):
    path: Path
    kind: str
    bytes: int
    known: bool
    start_ms: int
    end_ms: int
    pixels: int
    frames: int | None


def plan(
    call: ProduceCall, *, find: Callable[[str], MediaManifest | None], progress: Progress
) -> ProducePlan:
    """Plan what `produce` would do with the same call, from headers and a short trial of a few files.

    `find` returns the manifest of a video that was read here before. Raises `Misconfigured` for invalid
    settings or arguments, or as `find`.
    """
    settings = call.settings
    footage = call.find_footage()
    start = call.start_of(footage)
    skipped = list(footage.skipped)
    by_source: dict[str, list[_File]] = {}
    with (
        closing(SeenFiles(settings.data_dir, writing=False)) as seen_files,
        closing(PictureReader(call.should_stop)) as pictures,
    ):
        look = _Look(settings, seen_files, start, pictures, find, call.track, call.pace or Pace(), progress)
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
                file = (look.at_video if is_video else look.at_picture)(path, source_name)
            except GivenUp:
                break
            except (Poison, OSError) as error:
                skipped.append(Skipped(str(path), why_unusable(error)))
            else:
                by_source.setdefault(source_name, []).append(file)
        new = [file for of_source in by_source.values() for file in of_source if not file.known]
        seconds, stored_bytes, measured = _estimate(new, settings, seen_files, pictures)
    sources = [_source(name, files_of, settings) for name, files_of in sorted(by_source.items())]
    passed_over = passed_over_line(footage.passed_over)
    notes = [*footage.notes, *look.doubts.lines(), *([passed_over] if passed_over else [])]
    return ProducePlan(sources, skipped, seconds, stored_bytes, measured, notes)


@dataclass
class _Look:
    """Inspects files: their headers, and all bytes of files that begin like another of the same size."""

    settings: Settings
    seen: SeenFiles
    start: datetime | None
    pictures: PictureReader
    find: Callable[[str], MediaManifest | None]
    track: int | None
    pace: Pace
    progress: Progress

    def __post_init__(self) -> None:
        self.doubts = TimeDoubts(self.settings)
        self._max_pixels = self.settings.max_image_megapixels * 1_000_000
        self._alike: dict[tuple[object, ...], list[Path]] = {}
        self._remarks = {""}

    def at_video(self, path: Path, source_name: str) -> _File:
        earlier = self.seen.find(path, stamp_of(path.stat()))
        manifest = self.find(earlier.sha256) if earlier else None
        with (
            open_medium(path) as file,
            open_video(file, max_pixels=self._max_pixels, track=self.track) as video,
        ):
            if earlier and not video.track.is_usual:
                manifest = self.find(track_identity(earlier.sha256, video.track.number)) or manifest
            if manifest is not None and manifest.track != video.track.number:
                manifest = None
            tracks_left = "" if self.track else video.track.tracks_left
            rate = "" if any(self.pace) else video.rate_remark
            for remark in {tracks_left, rate} - self._remarks:
                self._remarks.add(remark)
                self.progress.say(f"{path}: {remark}")
            pace = read_pace(manifest.pace) if manifest else self.pace
            length_ms = int((pace.event_length_s(video.duration_s, video.frames_stated) or 0) * 1000)
            modified_ns = path.stat().st_mtime_ns
            clues = TimeClues(path, video.statements, "container", modified_ns, length_ms)
            event_time = find_event_time(clues, settings=self.settings, start_time=self.start)
            start_ms = event_time.at_ms
            checked_ms(start_ms + length_ms)
            frames, decoded = self._frames(video, manifest, pace)
            pixels = (decoded or 0) * video.size_px[0] * video.size_px[1]
        is_known = self._is_copy(path) or (frames == 0 and manifest is not None)
        if not is_known and manifest is None:
            self.doubts.note(path, source_name, event_time, length_ms)
        return _File(
            path, "video", path.stat().st_size, is_known, start_ms, start_ms + length_ms, pixels, frames
        )

    def at_picture(self, path: Path, source_name: str) -> _File:
        with open_medium(path) as file:
            header = self.pictures.read_header(file, max_pixels=self._max_pixels)
        clues = TimeClues(path, header.statements, "exif", path.stat().st_mtime_ns, 0)
        event_time = find_event_time(clues, settings=self.settings)
        at_ms = event_time.at_ms
        earlier = self.seen.find(path, stamp_of(path.stat()))
        request = asked_of(self.settings, source_name).partition(",")  # pictures are not sampled
        is_known = self._is_copy(path, source_name, event_time.time_source == "file_time" or at_ms)
        is_known |= earlier is not None and earlier.asked.partition(",")[2] == request[2]
        if not is_known:
            self.doubts.note(path, source_name, event_time, 0)
        pixels = header.width_px * header.height_px
        return _File(path, "pictures", path.stat().st_size, is_known, at_ms, at_ms, pixels, 1)

    def _frames(
        self, video: Video, manifest: MediaManifest | None, pace: Pace
    ) -> tuple[int | None, int | None]:
        """Return how many new frames are taken, and how many decoded; None if the video does not state it."""
        stated, length_s = video.frames_stated, video.duration_s
        if stated is None and length_s is not None and video.average_fps:
            stated = math.ceil(length_s * Fraction(video.average_fps))
        length_s = pace.event_length_s(length_s, stated)

        def estimate(sampling: str) -> int | None:
            return estimate_frames(sampling, frames=stated, duration_s=length_s)

        if manifest is None:
            return estimate(self.settings.sample_fps), stated
        sampling = denser(manifest.sampling, self.settings.sample_fps)
        if manifest.state == "complete" and sampling == manifest.sampling:
            return 0, stated
        frames_there = manifest.frames_announced
        if manifest.state == "complete" and sampling != ALL:
            frames_there = estimate(common_sampling(manifest.sampling, sampling)) or 0
        frames = estimate(sampling)
        return frames and max(frames - frames_there, 0), stated

    def _is_copy(self, path: Path, *parts: object) -> bool:
        """Return whether an earlier file has the same bytes and `parts`, which also identify the medium."""
        with open_medium(path) as file:
            head = hashlib.sha256(file.read(_HEAD_BYTES)).digest()
        alike = self._alike.setdefault((path.stat().st_size, head, *parts), [])
        if any(filecmp.cmp(path, other, shallow=False) for other in alike):
            return True
        alike.append(path)
        return False


def find_gaps(spans: Sequence[tuple[int, int]]) -> tuple[list[Gap], int]:
    """Return the gaps between `spans` that are longer than a bound, and the bound in milliseconds.

    `spans` are the event times `(start_ms, end_ms)` of each medium; the bound is ten times the median step
    from a medium's end to the next one's start.
    """
    steps: list[Gap] = []
    end: int | None = None
    for start_ms, end_ms in sorted(spans):
        if end is not None and start_ms > end:
            steps.append(Gap(end, start_ms))
        end = end_ms if end is None else max(end, end_ms)
    gap_ms = 0
    if steps:
        usual_ms = statistics.median(step.to_ms - step.from_ms for step in steps)
        gap_ms = max(_LEAST_GAP_MS, round(usual_ms * _USUAL_STEPS))
    return [step for step in steps if step.to_ms - step.from_ms > gap_ms], gap_ms


def _source(name: str, files: list[_File], settings: Settings) -> PlannedSource:
    gaps, gap_ms = find_gaps([(file.start_ms, file.end_ms) for file in files])
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
    new: list[_File], settings: Settings, seen_files: SeenFiles, pictures: PictureReader
) -> tuple[float | None, float | None, str]:
    """Return the estimated seconds and bytes of producing files, and where the rates come from."""
    seconds = stored_bytes = 0.0
    origins: dict[str, str] = {}
    for kind in ("video", "pictures"):
        files = [file for file in new if file.kind == kind]
        if not files:
            continue
        rate = seen_files.rate(kind, cost_of(settings))
        if rate is not None and rate.pixels and rate.frames and rate.seconds:
            speed = Speed(rate.seconds / rate.pixels, 0.0, rate.stored_bytes / rate.frames)
            origins[kind] = "as measured in earlier runs here"
        else:
            paths = [file.path for file in files]
            tried = probe(paths, settings, None if kind == "video" else pictures)
            if tried is None:
                return None, None, "nothing could be measured"
            speed = tried
            origins[kind] = "by a trial just now, one file after another"
        seconds += sum(file.pixels * speed.s_per_pixel + file.bytes * speed.s_per_byte for file in files)
        stored_bytes += sum((file.frames or 0) * speed.bytes_per_frame for file in files)
    measured = "; ".join(f"{kind}: {origin}" for kind, origin in origins.items())
    return seconds, stored_bytes, measured or "nothing is left to do"
