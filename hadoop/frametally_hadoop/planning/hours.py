"""Finds the hours of a day to count again: those that segments, settings or corrections have changed.

The unit is one source's UTC hour, as tracks are followed by it, or the longer time that whole intervals need
(`rules.hour_file`). Its identity is what its lines depend on: the settings, the ledger's digest of the
segments with frames of it or of its margin, and what of these does not count. It is in the name of its file.
A run lists its files; the next run of the day keeps those whose identity is still the same, and only the
other hours are counted from segments. The zones of a source have files of their own (`within_zones`), whose
identity has those that hold in the hour: a changed drawing leaves the files of whole pictures as they are.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from frametally import keys
from frametally.books.runs import DayKey, read_hours
from frametally.history_records import HourFile
from frametally.media.manifests import touches
from frametally.ports.object_store import ObjectStore
from frametally.records import Run
from frametally.rules.overlaps import Overlap
from frametally.rules.places import Zones, source_of, within_zones, zones_between
from frametally.rules.seals import name_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.undo_records import Tombstone
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.segment_book import DaySegments

SourceHour = tuple[str, int]
"""A source, or `within_zones` of one, and the start of a UTC hour, or of the longer time of a file, in ms."""


class HourInputs(NamedTuple):
    """The inputs of the hours of one day; `zones` are those that hold on the day, by source."""

    key: DayKey
    params: CountParams
    segments: DaySegments
    tombstones: Sequence[Tombstone]
    overlaps: Sequence[Overlap]
    zones: Mapping[str, Zones]

    def __hash__(self) -> int:
        return hash(self.key)

    @lru_cache(maxsize=1)  # noqa: B019 - a round plans, counts and publishes one day, as a rule
    def segments_by_hour(self) -> Mapping[SourceHour, Sequence[str]]:
        """Return the keys of the segments that each hour may have frames of, sorted."""
        segments: defaultdict[SourceHour, list[str]] = defaultdict(list)
        for (source, hour), rows in groupby(self.segments.rows, key=itemgetter(0, 1)):
            segments[self._hour_of(source, hour)] += [row.key for row in rows]
        by_hour = {hour: sorted({*of_hour}) for hour, of_hour in segments.items()}
        return by_hour | {
            (within_zones(source), start_ms): of_hour
            for (source, start_ms), of_hour in by_hour.items()
            if self.zones_of(source, start_ms)
        }

    def _hour_of(self, source: str, hour: int) -> SourceHour:
        start_ms = hour * HOUR_MS
        return source, start_ms - start_ms % self.params.unit_ms

    def zones_of(self, source: str, start_ms: int) -> Zones:
        """Return the zones of a source that hold in an hour, or in its margin."""
        from_ms, to_ms = self._span(start_ms)
        return zones_between(self.zones.get(source, ()), from_ms, to_ms)

    def _span(self, start_ms: int) -> tuple[int, int]:
        margin_ms = self.params.margin_ms
        return start_ms - margin_ms, start_ms + self.params.unit_ms + margin_ms

    def identities(self, but_of: Collection[str] = ()) -> dict[SourceHour, str]:
        """Return 16 hex digits of the inputs of each hour, for hours that have checksums.

        Hours of segments in `but_of`, of which lines were set aside, have none.
        """
        digests: defaultdict[SourceHour, list[str]] = defaultdict(list)
        unnamed: set[SourceHour] = set()
        for (source, hour), of_hour in sorted(self.segments.hours.items()):
            digests[self._hour_of(source, hour)].append(f"{hour} {of_hour.digest}")
            unnamed |= set() if of_hour.has_checksums else {self._hour_of(source, hour)}
        segments = self.segments_by_hour() if but_of else {}
        identities = {}
        for (source, start_ms), of_unit in digests.items():
            hour_key = source, start_ms
            if hour_key in unnamed or (but_of and not set(but_of).isdisjoint(segments.get(hour_key, ()))):
                continue
            identities[hour_key] = self._identity(source, start_ms, of_unit, ())
            if zones := self.zones_of(source, start_ms):
                identities[within_zones(source), start_ms] = self._identity(source, start_ms, of_unit, zones)
        return identities

    def _identity(self, source: str, start_ms: int, digests: Iterable[str], zones: Zones) -> str:
        from_ms, to_ms = self._span(start_ms)

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
            json.dumps(zones),
            *digests,
            *sorted(exceptions),
        ]
        return name_of("\n".join(lines))


def kept_hours(
    store: ObjectStore, inputs: HourInputs, current: Run | None
) -> tuple[dict[SourceHour, HourFile], list[str]]:
    """Return the files of the day's current run of hours with the same inputs, and keys of missing ones.

    Raises `Poison`: their list is missing or damaged; the message names it.
    """
    files: dict[SourceHour, HourFile] = {}
    missing: list[str] = []
    if current is None or (listed := read_hours(store, current)) is None:
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
        hours: By source the hours of whole pictures to count, as whole hours since 1970. None: all hours of
            the days.
        zones: By source and hour the zones to count within.
    """

    days: list[int]
    hours: dict[str, list[int]] | None
    zones: dict[str, dict[int, Zones]]


def hours_to_read(
    days: Iterable[tuple[HourInputs, Collection[SourceHour]]],
) -> dict[str, HoursToRead]:
    """Return the parts to read by segment key, for days with kept hours; sorted.

    A segment of which all is kept is not read.
    """
    hours_of: dict[str, _Hours] = {}
    alike: dict[_Hours, _Hours] = {}
    nothing = _Hours()
    for inputs, unchanged in days:
        of_day: dict[str, tuple[tuple[SourceHour, Zones], ...]] = {}
        cut: set[str] = set()
        for (name, start_ms), segments in inputs.segments_by_hour().items():
            source = source_of(name)
            zones = () if name == source else inputs.zones_of(source, start_ms)
            if (name, start_ms) in unchanged:
                cut.update(() if zones else segments)
                continue
            hour = (source, start_ms), zones
            for key in segments:
                of_day[key] = (*of_day.get(key, ()), hour)
        hours_by_parts: dict[tuple[_Hours, tuple[tuple[SourceHour, Zones], ...], bool], _Hours] = {}
        for key in dict.fromkeys((*of_day, *cut)):
            parts = hours_of.get(key, nothing), of_day.get(key, ()), key in cut
            if (hours := hours_by_parts.get(parts)) is None:  # of a million segments few differ
                hours = parts[0].with_day(*parts[1:])
                hours = hours_by_parts[parts] = alike.setdefault(hours, hours)
            hours_of[key] = hours
    read_of = {id(hours): hours.to_read() for hours in alike if hours.counted}
    return {key: read_of[id(hours_of[key])] for key in sorted(hours_of) if hours_of[key].counted}


class _Hours(NamedTuple):
    """The hours of a segment that are counted, each with the zones that it is counted within, or whole.

    `is_cut`: some of whole pictures are kept.
    """

    counted: frozenset[tuple[SourceHour, Zones]] = frozenset()
    is_cut: bool = False

    def with_day(self, hours: Collection[tuple[SourceHour, Zones]], is_cut: bool) -> _Hours:
        return _Hours(self.counted.union(hours), self.is_cut or is_cut)

    def to_read(self) -> HoursToRead:
        whole: defaultdict[str, list[int]] = defaultdict(list)
        within: defaultdict[str, dict[int, Zones]] = defaultdict(dict)
        for source, start_ms in sorted(hour for hour, zones in self.counted if not zones):
            whole[source].append(start_ms // HOUR_MS)
        for (source, start_ms), zones in sorted(
            (item for item in self.counted if item[1]), key=itemgetter(0)
        ):
            within[source][start_ms // HOUR_MS] = zones
        return HoursToRead(
            days=sorted({hour * HOUR_MS // DAY_MS for hours in whole.values() for hour in hours}),
            hours=dict(whole) if self.is_cut else None,
            zones=dict(within),
        )
