"""Finds the hours of a day to count again: those that segments, settings or corrections have changed.

The unit is one source's UTC hour, as tracks are followed by it, or the longer time that whole intervals need
(`rules.hour_file`). Its identity is what its lines depend on: the settings, the ledger's digest of the
segments with frames of it or of its margin, and what of these does not count. It is in the name of its file.
A run lists its files; the next run of the day keeps those whose identity is still the same, and only the
other hours are counted from segments.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from frametally import keys
from frametally.books.runs import DayKey, read_hours
from frametally.history_records import HourFile
from frametally.media.manifests import touches
from frametally.ports.object_store import ObjectStore
from frametally.records import Run
from frametally.rules.overlaps import Overlap
from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.undo_records import Tombstone
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.segment_book import DaySegments

SourceHour = tuple[str, int]
"""A source, and the start of a UTC hour, or of the longer time of a file, in milliseconds."""


class HourInputs(NamedTuple):
    """The inputs of the hours of one day; `zones` are those of a day within parts of pictures."""

    key: DayKey
    params: CountParams
    segments: DaySegments
    tombstones: Sequence[Tombstone]
    overlaps: Sequence[Overlap]
    zones: Mapping[str, Sequence[ZoneShape]]

    def __hash__(self) -> int:
        return hash(self.key)

    @lru_cache(maxsize=1)  # noqa: B019 - a round plans, counts and publishes one day, as a rule
    def segments_by_hour(self) -> Mapping[SourceHour, Sequence[str]]:
        """Return the keys of the segments that each hour may have frames of, sorted."""
        segments: defaultdict[SourceHour, list[str]] = defaultdict(list)
        for row in self.segments.rows:
            hour = self._hour_of(row.source, row.hour)
            if self._has(row.source) and (not segments[hour] or segments[hour][-1] != row.key):
                segments[hour].append(row.key)
        return {hour: sorted({*of_hour}) for hour, of_hour in segments.items() if of_hour}

    def _has(self, source: str) -> bool:
        return not self.zones or source in self.zones

    def _hour_of(self, source: str, hour: int) -> SourceHour:
        start_ms = hour * HOUR_MS
        return source, start_ms - start_ms % self.params.unit_ms

    def identities(self, but_of: Collection[str] = ()) -> dict[SourceHour, str]:
        """Return 16 hex digits of the inputs of each hour, for hours that have checksums.

        Hours of segments in `but_of`, of which lines were set aside, have none.
        """
        digests: defaultdict[SourceHour, list[str]] = defaultdict(list)
        unnamed: set[SourceHour] = set()
        for (source, hour), of_hour in sorted(self.segments.hours.items()):
            if self._has(source):
                digests[self._hour_of(source, hour)].append(f"{hour} {of_hour.digest}")
                unnamed |= set() if of_hour.has_checksums else {self._hour_of(source, hour)}
        segments = self.segments_by_hour() if but_of else {}
        return {
            hour: self._identity(hour, of_hour)
            for hour, of_hour in digests.items()
            if hour not in unnamed and (not but_of or set(but_of).isdisjoint(segments.get(hour, ())))
        }

    def _identity(self, hour: SourceHour, digests: Iterable[str]) -> str:
        source, start_ms = hour
        margin_ms = self.params.margin_ms
        from_ms, to_ms = start_ms - margin_ms, start_ms + self.params.unit_ms + margin_ms

        def within(range_from_ms: int | None, range_to_ms: int | None) -> str:
            """Cut a range to the hour, so that what changes of it elsewhere does not change the hour."""
            begins = from_ms if range_from_ms is None else max(range_from_ms, from_ms)
            return f"{begins} {to_ms if range_to_ms is None else min(range_to_ms, to_ms)}"

        exceptions = {
            f"without {stone.media} {within(stone.from_ms, stone.to_ms)}"
            for stone in self.tombstones
            if touches(stone, source=source, from_ms=from_ms, to_ms=to_ms)
        } | {
            f"overlapped {overlap.loser} {within(overlap.from_ms, overlap.to_ms)}"
            for overlap in self.overlaps
            if overlap.source == source and overlap.from_ms < to_ms and overlap.to_ms > from_ms
        }
        lines = [
            f"{self.key.model} {self.params.digest()} {self.key.interval_s} {source} {start_ms}",
            json.dumps(self.zones.get(source, ())),
            *digests,
            *sorted(exceptions),
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def kept_hours(
    store: ObjectStore, inputs: HourInputs, current: Run | None
) -> tuple[dict[SourceHour, HourFile], list[str]]:
    """Return the files of the day's current run of hours with the same inputs, and keys of missing ones.

    Raises `Poison`: their list is missing or damaged; the message names it.
    """
    files: dict[SourceHour, HourFile] = {}
    missing: list[str] = []
    if current is None or current.params != inputs.params.digest():
        return files, missing
    if (listed := read_hours(store, current)) is None:
        return files, missing
    stored = {info.key for info in store.list(keys.hours_folder(current.model, current.day))}
    for (source, start_ms), identity in inputs.identities().items():
        hour = start_ms % DAY_MS // HOUR_MS
        file = listed.hours.get(source, {}).get(hour)
        if file is None or file.identity != identity:
            continue
        if file.crc32 is None or (file_key := listed.file_key(source, hour)) in stored:
            files[source, start_ms] = file
        else:
            missing.append(file_key)
    return files, missing


class HoursToRead(NamedTuple):
    """The parts of one segment to read, from its entry in a manifest.

    Attributes:
        days: Days of whole pictures, as whole days since 1970.
        part_days: Days within parts of pictures, likewise.
        hours: By source the hours to count, as whole hours since 1970, of `whole` pictures, and within
            `parts`. None: all hours of the days.
    """

    days: list[int]
    part_days: list[int]
    hours: dict[str, dict[str, list[int]]] | None


def hours_to_read(
    days: Iterable[tuple[HourInputs, Collection[SourceHour]]],
) -> dict[str, HoursToRead]:
    """Return the parts to read by segment key, for days with kept hours; sorted.

    A segment of which all is kept is not read.
    """
    hours_of: dict[str, _Hours] = {}
    alike: dict[_Hours, _Hours] = {}
    for inputs, unchanged in days:
        of_day: defaultdict[str, set[SourceHour]] = defaultdict(set)
        cut: set[str] = set()
        for hour, segments in inputs.segments_by_hour().items():
            for key in segments:
                if hour in unchanged:
                    cut.add(key)
                else:
                    of_day[key].add(hour)
        for key in of_day.keys() | cut:
            hours = hours_of.get(key, _Hours()).with_day(of_day.get(key, ()), bool(inputs.zones), key in cut)
            hours_of[key] = alike.setdefault(hours, hours)  # of a million segments few differ
    read_of = {hours: hours.to_read() for hours in alike if hours.whole or hours.parts}
    return {key: read_of[hours_of[key]] for key in sorted(hours_of) if hours_of[key] in read_of}


class _Hours(NamedTuple):
    """The hours of a segment that are counted, of whole pictures and within parts; whether some are kept."""

    whole: frozenset[SourceHour] = frozenset()
    parts: frozenset[SourceHour] = frozenset()
    is_cut: bool = False

    def with_day(self, hours: Collection[SourceHour], is_of_parts: bool, is_cut: bool) -> _Hours:
        return _Hours(
            self.whole if is_of_parts else self.whole.union(hours),
            self.parts.union(hours) if is_of_parts else self.parts,
            self.is_cut or is_cut,
        )

    def to_read(self) -> HoursToRead:
        return HoursToRead(
            days=sorted({start_ms // DAY_MS for _, start_ms in self.whole}),
            part_days=sorted({start_ms // DAY_MS for _, start_ms in self.parts}),
            hours={"whole": _by_source(self.whole), "parts": _by_source(self.parts)} if self.is_cut else None,
        )


def _by_source(hours: Iterable[SourceHour]) -> dict[str, list[int]]:
    by_source: defaultdict[str, list[int]] = defaultdict(list)
    for source, start_ms in sorted(hours):
        by_source[source].append(start_ms // HOUR_MS)
    return by_source
