"""Reads runs, which the counting job publishes.

A run is the result for one model, base interval and UTC day: hour files, part files, then the run pointer
`_runs/<sequence>.json`. `rules.current_run` decides which run of a day is current.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from operator import itemgetter
from typing import NamedTuple

from frametally import keys
from frametally.books.run_records import decode_records, decode_run, remedy_of
from frametally.errors import Poison, Retryable
from frametally.history_records import (
    HourList,
    RunHistory,
    history_in,
    hours_key,
    list_in,
    with_zones,
)
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.records import Coverage, IntervalCount, RecordT, Run, decode, decode_at
from frametally.rules.current_run import is_newer
from frametally.rules.hour_file import length_ms, lines_of, paths_in
from frametally.rules.path_columns import PathColumns, day_paths
from frametally.rules.places import base_model, is_of_places, source_of
from frametally.rules.seals import check_crc32
from frametally.rules.times import HOUR_MS
from frametally.track_records import Track, TrackHead


class RunReplaced(Retryable):
    """A run was removed while it was read, because its day has newer runs."""


class DayKey(NamedTuple):
    """The key of a day that has one current run."""

    model: str
    interval_s: int
    day: str


class CurrentDay(NamedTuple):
    """A day's current run, or why it is unknown.

    Attributes:
        sequence: The day's next run takes a higher one.
        run: The run, or None if the pointer does not parse; `problem` has the reason and the remedy.
        put_at_ms: When the pointer was put, by the store's clock; 0 if the store does not report it.
    """

    pointer: str
    sequence: int
    run: Run | None
    problem: str | None
    put_at_ms: int


def current_days(store: ObjectStore) -> dict[DayKey, CurrentDay]:
    """Return every counted day, sorted by model, interval and day; zones are added by `with_zones`."""
    days = {day: _read_pointer(store, *pointer) for day, pointer in _current_pointers(store).items()}
    by_key = {current.pointer: current for current in days.values()}
    for run in with_zones(current.run for current in days.values() if current.run):
        days[DayKey(run.model, run.interval_s, run.day)] = by_key[run.key]._replace(run=run)
    return dict(sorted(days.items()))


def newest_last(item: tuple[DayKey, CurrentDay]) -> tuple[int, str, str, int]:
    """Return the sort key of counting order, in which the last entry of a day is its current one."""
    key, day = item
    return day.put_at_ms, key.model, key.day, day.run.frames if day.run else 0


def list_current_pointers(store: ObjectStore) -> list[ObjectInfo]:
    """List the run pointer of each day's current run."""
    return [info for _, info in _current_pointers(store).values()]


def current_runs(store: ObjectStore) -> list[Run]:
    """Return the current run of every day, sorted by model, interval and day.

    Raises:
        Poison: A run pointer does not parse; the message names it.
    """
    runs = []
    for day in current_days(store).values():
        if day.run is None:
            raise Poison(day.problem or day.pointer)
        runs.append(day.run)
    return runs


def read_run(store: ObjectStore, run: Run) -> tuple[list[IntervalCount], list[Coverage]]:
    """Read a run's counts and coverage, checked against its pointer.

    Raises:
        Poison: A part file is missing, a line does not parse, or lines are missing; the message names it.
    """
    return decode_run(run, read_parts(store, run))


_PACKED = ".gz"
_LEVEL = 1
"""The gzip level: a higher one takes four times as long to save a fifth of the bytes."""


def put_part(store: ObjectStore, key: str, lines: bytes) -> str:
    """Put the lines of a part file, compressed by gzip; return its key, which ends in `.gz`."""
    store.put(f"{key}{_PACKED}", gzip.compress(lines, _LEVEL, mtime=0))
    return f"{key}{_PACKED}"


def _unpacked(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise Poison(f"damaged: it cannot be unpacked ({error})") from error


def read_parts(store: ObjectStore, run: Run) -> Iterator[tuple[str, bytes]]:
    """Yield the key of each part file of a run, and its uncompressed lines.

    Raises:
        Poison: One is missing or damaged; the message names it.
    """
    for name, crc32 in zip(run.parts, run.parts_crc32, strict=True):
        key = f"{run.prefix}/{name}"
        yield key, _read_file(store, run, key, crc32, _unpacked)


def _read_file(
    store: ObjectStore, run: Run, key: str, crc32: int | None, part: Callable[[bytes], bytes] = bytes
) -> bytes:
    try:
        data = part(store.get(key))
        check_crc32(zlib.crc32(data), crc32)
    except (ObjectMissing, Poison) as error:
        model = run.model if run.zone_parts is None else base_model(run.model)
        current = _current_pointers(store).get(DayKey(model, run.interval_s, run.day), (run,))[0]
        if is_newer(current, run):
            raise RunReplaced(f"{run.prefix} was replaced while it was read: try again") from error
        reason = " is missing" if isinstance(error, ObjectMissing) else f": {error}"
        raise Poison(f"{key}{reason}; {remedy_of(run)}") from error
    return data


def read_hours(store: ObjectStore, run: Run) -> HourList | None:
    """Return the list of a run's hour files, or None for a run of flows.

    Raises:
        Poison: The list is missing or damaged; the message names it.
    """
    if run.hours_crc32 is None:
        return None
    key = hours_key(run.prefix)
    return decode_at(key, _read_file(store, run, key, run.hours_crc32, list_in), HourList)


def find_hours(store: ObjectStore, key: str) -> HourList | None:
    """Return the list of hour files under a key, without checking its run; None if there is none.

    Raises:
        Poison: The list is damaged; the message names it.
    """
    with suppress(ObjectMissing):
        return decode_at(key, list_in(store.get(key)), HourList)
    return None


class CheckedFile(NamedTuple):
    """An object of a run, and the checksum of its bytes."""

    key: str
    crc32: int | None


def hour_files(
    store: ObjectStore, run: Run, sources: Container[str] | None = None, span: tuple[int, int] | None = None
) -> dict[str, list[CheckedFile]]:
    """Return the hour files of a run by source, only of `sources` if given. Raises as `read_hours`.

    With `span`, event times `[from_ms, to_ms)`, return only files that can have objects first seen then.
    """
    listed = read_hours(store, run)
    files: dict[str, list[CheckedFile]] = {}
    day_ms, file_ms = keys.day_start_ms(run.day), length_ms(run.interval_s)
    if listed is None:
        return files
    for name in run.hours:
        if sources is not None and source_of(name) not in sources:
            continue
        for hour, file in listed.files(name).items():
            start_ms = day_ms + hour * HOUR_MS
            # An object may get its final label only after its hour.
            if span is None or (start_ms < span[1] and start_ms + file_ms + HOUR_MS > span[0]):
                checked = CheckedFile(listed.file_key(name, hour), file.crc32)
                files.setdefault(source_of(name), []).append(checked)
    return files


_AT_ONCE = 8
"""How many hour files to read at once, as a distant store is slow for each."""


def read_hour_files(
    store: ObjectStore, run: Run, files: Sequence[CheckedFile]
) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of some hour files of a run. Raises `Poison` if one is missing or damaged."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        contents = pool.map(lambda file: _read_file(store, run, *file), files)
        yield from zip((file.key for file in files), contents, strict=True)


def read_named_hours(
    store: ObjectStore, run: Run, listed: HourList, places: Iterable[tuple[str, int]]
) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of the hour files at `places` of `HourList.names`. Raises as `read_hour_files`."""
    files = [
        CheckedFile(listed.file_key(source, hour), listed.hours[source][hour].crc32)
        for source, hour in places
    ]
    return read_hour_files(store, run, files)


def hour_records(run: Run, key: str, data: bytes) -> Iterator[IntervalCount | Coverage]:
    """Yield the counts and coverage in an hour file of a run. Raises `Poison` if a line is damaged."""
    lines = b"".join(line for kind in ("count", "coverage") for line in lines_of(data, kind))
    return decode_records(run, key, lines)


def hour_tracks(run: Run, key: str, data: bytes) -> Iterator[Track]:
    """Yield the tracks in an hour file of a run. Raises `Poison` if a line is damaged."""
    for number, line in enumerate(lines_of(data, "track"), start=1):
        yield _TrackLine(run, f"{key}, track {number}", line.partition(b"\t")[2]).decode(Track)


def read_history(store: ObjectStore, run: Run) -> RunHistory | None:
    """Return the history of a day up to a run, or None if it is missing.

    Raises:
        Poison: The history cannot be read; the message names it.
    """
    key = hours_key(run.prefix)
    with suppress(ObjectMissing):
        if run.hours_crc32 is not None and (data := history_in(store.get(key))):
            return decode_at(key, data, RunHistory)
    return None


def read_tracks(store: ObjectStore, run: Run) -> Iterator[Track]:
    """Yield the tracks of a run, sorted by source and label. Raises as `find_tracks`."""
    return (line.decode(Track) for line in _track_lines(store, run))


def find_tracks(
    store: ObjectStore,
    run: Run,
    *,
    is_match: Callable[[TrackHead], bool],
    order: Callable[[TrackHead], tuple[object, ...]],
    sources: Container[str] | None = None,
    span: tuple[int, int] | None = None,
) -> Iterator[Track]:
    """Yield the matching tracks of a run, sorted by `order`; decode only the heads of the others.

    Read only files of `sources` and `span`, as in `hour_files`.

    Raises:
        Poison: A file is missing, or a line does not parse; the message names it.
    """
    heads = ((line, line.decode(TrackHead)) for line in _track_lines(store, run, sources, span))
    lines = sorted(((order(head), line) for line, head in heads if is_match(head)), key=itemgetter(0))
    for _, line in lines:
        yield line.decode(Track)


def read_paths(store: ObjectStore, run: Run, sources: Container[str] | None = None) -> Iterator[PathColumns]:
    """Yield the paths of a run's tracks by source or zone, only of `sources` if given.

    Raises:
        Poison: A file is missing or damaged; the message names it.
    """
    for _, files in sorted(hour_files(store, run, sources).items()):
        by_place: dict[str, list[PathColumns]] = {}
        for key, data in read_hour_files(store, run, files):
            try:
                for paths in paths_in(data):
                    by_place.setdefault(paths.source, []).append(paths)
            except Poison as error:
                raise Poison(f"{key}: {error}; {remedy_of(run)}") from error
        yield from (day_paths(by_place[place]) for place in sorted(by_place))


def read_source_files(
    store: ObjectStore, run: Run, sources: Container[str] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of the flows of a run by source, only of `sources` if given.

    Raises:
        Poison: A file is missing or damaged; the message names it.
    """
    for file in run.paths or ():
        if sources is None or file.source in sources:
            key = f"{keys.tracks_folder(run.prefix)}/{file.name}"
            yield key, _read_file(store, run, key, file.crc32)


class _TrackLine(NamedTuple):
    run: Run
    place: str
    data: bytes

    def decode(self, record_type: type[RecordT]) -> RecordT:
        try:
            return decode(self.data, record_type)
        except Poison as error:
            raise Poison(f"{self.place}: {error}; {remedy_of(self.run)}") from error


def _track_lines(
    store: ObjectStore,
    run: Run,
    sources: Container[str] | None = None,
    span: tuple[int, int] | None = None,
) -> Iterator[_TrackLine]:
    end = "/" if is_of_places(run.model) else ""  # zones are sorted by place
    for _, files in sorted(hour_files(store, run, sources, span).items(), key=lambda item: item[0] + end):
        lines = [
            (line, f"{key}, track {number}")
            for key, data in read_hour_files(store, run, files)
            for number, line in enumerate(lines_of(data, "track"), start=1)
        ]  # a TAB sorts before every character of the keys
        yield from (_TrackLine(run, place, line.partition(b"\t")[2]) for line, place in sorted(lines))


def _current_pointers(store: ObjectStore) -> dict[DayKey, tuple[keys.RunPointerKey, ObjectInfo]]:
    newest: dict[DayKey, tuple[keys.RunPointerKey, ObjectInfo]] = {}
    for info in store.list(keys.OUTPUT):
        pointer = keys.parse_run_pointer_key(info.key)
        if pointer is None:
            continue
        day = DayKey(pointer.model, pointer.interval_s, pointer.day)
        if is_newer(pointer, newest[day][0] if day in newest else None):
            newest[day] = pointer, info
    return newest


def _read_pointer(store: ObjectStore, pointer: keys.RunPointerKey, info: ObjectInfo) -> CurrentDay:
    run, problem = None, None
    try:
        run = decode_at(info.key, store.get(info.key), Run)
    except Poison as error:
        problem = str(error)
    return CurrentDay(info.key, pointer.sequence, run, problem, info.modified_at_ms)
