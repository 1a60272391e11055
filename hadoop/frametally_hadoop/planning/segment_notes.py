"""Notes of each segment for planning, and the speed of earlier aggregations on this machine.

New is what is listed and not noted: an aggregation with nothing new reads no segment at all. The pace is in
`<data_dir>/aggregations.jsonl`; it is not part of a run: two machines that count the same publish the same.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import msgspec

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.files.replacing import replace_file
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.process.reports import Skipped
from frametally.records import NOT_JSON
from frametally.rules.times import DAY_MS
from frametally.segment_records import SegmentHeader, SegmentSource
from frametally.segments.contents import check_belongs, read_header, read_source
from frametally_hadoop.job.params import MARGIN_MS

_FILE = "aggregations.jsonl"
_NOTES_AT_ONCE, _READERS = 500, 8
_LOOK_BACK = 5
_MOST_LINES = 1000
_MOST_BYTES = 200_000
"""A longer file keeps its last `_MOST_LINES`: counting every 5 s would add 1.2 MB a day."""


class Aggregated(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregation that counted something, in `seconds` to the last pointer, planning included."""

    runner: str
    days: int
    segments: int
    bytes: int
    seconds: float


def note_pace(data_dir: Path, done: Aggregated) -> None:
    """Add one. That it could not be written is not worth an error: it only helps to estimate."""
    path = data_dir / _FILE
    with contextlib.suppress(OSError):
        with path.open("ab") as file:
            file.write(msgspec.json.encode(done) + b"\n")
            is_long = file.tell() > _MOST_BYTES
        if is_long:
            replace_file(path, b"".join(path.read_bytes().splitlines(keepends=True)[-_MOST_LINES:]))


def read_pace(data_dir: Path, runner: str) -> list[Aggregated]:
    """Return the last few with this runner, the newest last."""
    try:
        lines = (data_dir / _FILE).read_bytes().splitlines()[-_MOST_LINES:]
    except OSError:
        return []
    aggregated = []
    for line in lines:
        try:
            done = msgspec.json.decode(line, type=Aggregated)
        except NOT_JSON:
            continue  # half a line, of a process that was killed
        if done.runner == runner and done.bytes > 0:
            aggregated.append(done)
    return aggregated[-_LOOK_BACK:]


def estimate_s(earlier: Sequence[Aggregated], size_bytes: int) -> float | None:
    """Estimate the seconds of counting `size_bytes`, None if there is nothing to tell them by.

    The median rate of the earlier ones that are nearest in size: what an aggregation costs before its first
    byte would make a rate of small ones too low for a large one.
    """
    if not earlier:
        return None
    largest = max(earlier, key=lambda run: run.bytes)
    like = [run for run in earlier if run.bytes * 10 >= size_bytes] or [largest]
    least_s = min(run.seconds for run in earlier)
    return max(least_s, size_bytes * statistics.median(run.seconds / run.bytes for run in like))


class SourceSpan(msgspec.Struct, frozen=True, array_like=True):
    """The frames of one source in a segment: first and last `captured_at_ms`, and the CRC-32 of its lines.

    `crc32` is None where an earlier release wrote the segment.
    """

    source: str
    first_ms: int
    last_ms: int
    crc32: int | None


class SegmentNote(msgspec.Struct, frozen=True, array_like=True):
    """The parts of one segment that planning needs.

    Attributes:
        spans: Of its sources, sorted.
        days: UTC days on which it has frames, as whole days since 1970, sorted.
        near_days: Days of which it has frames, or within `MARGIN_MS` of which, sorted.
        next_offset: Where the next segment of its partition begins.
    """

    info: ObjectInfo  # as it was listed before it was read
    model: str
    spans: tuple[SourceSpan, ...]
    days: tuple[int, ...]
    near_days: tuple[int, ...]
    dead_letters: int
    next_offset: int

    @property
    def sources(self) -> tuple[str, ...]:
        """Its sources, sorted."""
        return tuple(span.source for span in self.spans)


def take_note(store: ObjectStore, info: ObjectInfo) -> SegmentNote:
    """Read the header of a segment, and more of it only if a source of it spans more than two days.

    Raises `Poison` if it is not a segment; `Misconfigured` if it is in a wrong place; `ObjectMissing` if it
    is gone.
    """
    header, body_start = read_header(store, info.key)
    check_belongs(header, info.key)
    times = _times_of(store, info.key, header, body_start)
    near = {(time_ms + off_ms) // DAY_MS for time_ms in times for off_ms in (-MARGIN_MS, MARGIN_MS)}
    for day in near:
        _check_day(day)
    return SegmentNote(
        info=info,
        model=header.model,
        spans=tuple(
            SourceSpan(part.source, part.first_captured_at_ms, part.last_captured_at_ms, part.crc32)
            for part in sorted(header.sources, key=lambda part: part.source)
        ),
        days=tuple(sorted({time_ms // DAY_MS for time_ms in times})),
        near_days=tuple(sorted(near)),
        dead_letters=header.dead_letters,
        next_offset=header.next_offset,
    )


def read_notes(
    store: ObjectStore, infos: Sequence[ObjectInfo]
) -> Iterator[tuple[ObjectInfo, SegmentNote | Skipped | None]]:
    """Yield the notes of segments, in their order; see `_read_note`. Of many, some are read at once."""
    parts = [infos[start : start + _NOTES_AT_ONCE] for start in range(0, len(infos), _NOTES_AT_ONCE)]
    with ThreadPoolExecutor(_READERS) as readers:
        for start in range(0, len(parts), _READERS):  # what is read ahead is bounded
            for notes in readers.map(partial(_read_some, store), parts[start : start + _READERS]):
                yield from notes


def _read_some(
    store: ObjectStore, infos: Sequence[ObjectInfo]
) -> list[tuple[ObjectInfo, SegmentNote | Skipped | None]]:
    return [(info, _read_note(store, info)) for info in infos]


def _read_note(store: ObjectStore, info: ObjectInfo) -> SegmentNote | Skipped | None:
    """Read a segment's header; return why there is none, or None: it is removed since it was listed."""
    try:
        return take_note(store, info)
    except (Poison, Misconfigured) as error:
        return Skipped(info.key, str(error))
    except ObjectMissing:
        return None


class _Time(msgspec.Struct):
    captured_at_ms: int


def _times_of(store: ObjectStore, key: str, header: SegmentHeader, body_start: int) -> set[int]:
    """Return enough times of the segment's frames to tell its days.

    The header alone tells them unless a source spans more than two days (pictures do): the days between its
    first and last are then read from the lines.
    """
    times: set[int] = set()
    for part in header.sources:
        first_ms, last_ms = part.first_captured_at_ms, part.last_captured_at_ms
        times |= {first_ms, last_ms}
        if last_ms // DAY_MS - first_ms // DAY_MS > 1:
            times |= _times_of_lines(store, key, part, body_start)
    return times


def _times_of_lines(store: ObjectStore, key: str, part: SegmentSource, body_start: int) -> set[int]:
    decoder = msgspec.json.Decoder(_Time)
    times = set()
    for line in read_source(store, key, body_start, part):
        try:
            time_ms = decoder.decode(line).captured_at_ms
        except NOT_JSON:
            continue  # the job reports it
        if part.first_captured_at_ms <= time_ms <= part.last_captured_at_ms:
            times.add(time_ms)
    return times


@cache
def _check_day(day: int) -> None:
    try:
        keys.utc_day(day * DAY_MS)
    except (OverflowError, ValueError, OSError) as error:
        raise Poison(
            f"it has frames of day {day} since 1970, which is beyond the calendar; restore the segment"
        ) from error
