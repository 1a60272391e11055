"""Finds the days to count again, and their segments."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, NamedTuple

from frametally import keys
from frametally.books.runs import CurrentDay, DayKey, current_days
from frametally.errors import Poison
from frametally.history_records import HourFile
from frametally.media.manifests import ManifestReader, forgotten_by, list_tombstones, touches
from frametally.media.overlapping import overlaps_of
from frametally.ports.object_store import ObjectStore
from frametally.process.collection import no_collection
from frametally.process.reports import Progress, Skipped
from frametally.records import MediaManifest, Run
from frametally.rules.overlaps import Overlap, lost_ranges
from frametally.rules.places import base_model
from frametally.rules.times import DAY_MS, days_of_span
from frametally.rules.tombstones import Range, merged
from frametally.undo_records import Tombstone
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.counting_steps import (
    ALL_DAYS,
    DaySelection,
    PartDay,
    PictureParts,
    Zones,
    counting_steps,
)
from frametally_hadoop.planning.hours import (
    HourInputs,
    HoursToRead,
    SourceHour,
    hours_to_read,
    kept_hours,
)
from frametally_hadoop.planning.segment_book import DaySegments, SegmentBook

_MOST_DAYS = 366


class DayFootage(NamedTuple):
    """The inputs of frames: segments, and the tombstones and overlaps that remove some of them."""

    segments: tuple[str, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    overlaps: tuple[Overlap, ...] = ()

    def sha256(self, subject: str, corrupt_lines: Mapping[str, Collection[int]] | None) -> str:
        """Return its identity; see `DayPlan.inputs_sha256`."""
        digest = hashlib.sha256(f"{subject}\n".encode())
        for segment in self.segments:
            lines = sorted((corrupt_lines or {}).get(segment, ()))
            digest.update(f"{segment} without lines {lines}\n".encode() if lines else f"{segment}\n".encode())
        for stone in sorted((stone.media, str(stone.from_ms), str(stone.to_ms)) for stone in self.tombstones):
            digest.update(f"without {' '.join(stone)}\n".encode())
        for media, ranges in sorted(lost_ranges(self.overlaps).items()):
            digest.update(f"overlapped {media} {ranges}\n".encode())
        return digest.hexdigest()


class DayPlan(NamedTuple):
    """One day to count.

    Attributes:
        segments: Those that the day is counted from: with frames of it, or, if objects are tracked, of the
            margin before or after it.
        tombstones: Those that touch what the day is counted from.
        overlaps: Those of its sources' media, as far as they touch what the day is counted from.
        is_whole: Whether no segment with frames of it, as far as is known, is left out as damaged.
        own_tombstones: Those of the day itself, none of a margin.
        own_overlaps: Likewise.
        zones: Of a day that is counted within parts of pictures, these, by source; its model is then their
            series.
        current_put_at_ms: When its current run was published, by the store's clock.
        unchanged: The hours whose files are kept from the current run, as they were counted from the same.
    """

    key: DayKey
    params: CountParams
    sequence: int
    segments: DaySegments
    current: Run | None
    tombstones: tuple[Tombstone, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    is_whole: bool = True
    own_tombstones: tuple[Tombstone, ...] = ()
    own_overlaps: tuple[Overlap, ...] = ()
    zones: Mapping[str, Zones] = MappingProxyType({})
    current_put_at_ms: int = 0
    unchanged: Mapping[SourceHour, HourFile] = MappingProxyType({})

    @property
    def own(self) -> DayFootage:
        """The segments, tombstones and overlaps of the day itself, none of a margin."""
        return DayFootage(self.segments.own_keys(), self.own_tombstones, self.own_overlaps)

    @property
    def hours(self) -> HourInputs:
        """The inputs of each hour of a source."""
        return HourInputs(self.key, self.params, self.segments, self.tombstones, self.overlaps, self.zones)

    @property
    def current_sha256(self) -> str | None:
        """`inputs_sha256` of the day's current run, None if there is none."""
        return self.current.inputs_sha256 if self.current else None

    def inputs_sha256(self, corrupt_lines: Mapping[str, Collection[int]] | None = None) -> str:
        """Return the identity of a day's inputs: settings, day, segments, and footage that does not count.

        Args:
            corrupt_lines: By segment key, numbers of lines that were set aside. As they are part of the
                identity, such a day is counted again each time, and heals when the segment does.
        """
        damaged = sorted(set(corrupt_lines).intersection(self.segments.keys())) if corrupt_lines else []
        return self._sha256_of([self.segments.identity(), *damaged], corrupt_lines)

    def is_up_to_date(self) -> bool:
        """Return whether the day's current run was counted from what is there now.

        An earlier version named the inputs of its runs by the keys of the segments.
        """
        if self.current is None:
            return False
        is_of_now = self.current.hours_crc32 is not None
        inputs_sha256 = self.inputs_sha256() if is_of_now else self._sha256_of(self.segments.keys())
        return self.current.inputs_sha256 == inputs_sha256

    def _sha256_of(
        self, names: Iterable[str], corrupt_lines: Mapping[str, Collection[int]] | None = None
    ) -> str:
        of_all = DayFootage(tuple(names), self.tombstones, self.overlaps)
        counted = f"{self.params.digest()} {self.key.interval_s} {self.key.day}"
        if self.zones:
            zones = [[], dict(sorted(self.zones.items()))]
            counted += f" zones {json.dumps(zones, ensure_ascii=False, separators=(',', ':'))}"
        return of_all.sha256(counted, corrupt_lines)

    def footage_sha256(self, corrupt_lines: Mapping[str, Collection[int]] | None = None) -> str:
        """Return the identity of the day's footage, as `Run.footage_sha256` says."""
        return self.own.sha256(self.key.day, corrupt_lines)

    def state_sha256(self) -> str:
        """Return the identity of a count of the day as things are: once made, it need not be made again.

        It changes with the inputs, with each run of the day, and where a segment is put again: one that was
        damaged is then restored, say, under the same `inputs_sha256`.
        """
        parts = [
            self.inputs_sha256(),
            str(self.sequence),
            *sorted({row.version for row in self.segments.rows}),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class CountingPlan(NamedTuple):
    """The work to do.

    Attributes:
        manifests: Every medium's; None if one cannot be read.
        reads: By segment key, what of it is counted, sorted.
        warnings: Runs whose hours cannot be kept, one line each.
        with_dead_letters: Keys of those that hold some.
        chain_breaks: By model, gaps and overlaps between its segments, one line each.
        parts_of_segment: By segment key, what its tasks count within parts of pictures, as a manifest has it.
    """

    params: CountParams
    stale: list[DayPlan]
    up_to_date: list[DayPlan]
    tombstones: list[Tombstone]
    manifests: list[MediaManifest] | None
    reads: dict[str, HoursToRead]
    skipped: list[Skipped]
    size_of: dict[str, int]
    with_dead_letters: list[str]
    chain_breaks: dict[str, list[str]]
    parts_of_segment: Mapping[str, Any] = MappingProxyType({})
    warnings: Sequence[str] = ()

    def not_counted(self) -> dict[str, dict[str, list[Range]]]:
        """Return, by segment key, what does not count of the stale days that are counted from it."""
        ranges: dict[str, dict[str, list[Range]]] = defaultdict(lambda: defaultdict(list))
        for day in self.stale:
            gone = [*forgotten_by(day.tombstones).items(), *lost_ranges(day.overlaps).items()]
            for segment in day.segments.keys() if gone else ():
                for media, of_day in gone:
                    ranges[segment][media] += of_day
        return {
            segment: {media: merged(of_media) for media, of_media in sorted(media_ranges.items())}
            for segment, media_ranges in ranges.items()
        }


@no_collection()
def make_plan(
    *,
    store: ObjectStore,
    params: CountParams,
    book: SegmentBook,
    manifests: ManifestReader,
    progress: Progress,
    selection: DaySelection = ALL_DAYS,
    whole: Collection[DayKey] = (),
) -> CountingPlan:
    """Compare the segments with the current runs; note the new ones.

    Of days in `whole`, and where the selection counts again, no hour is kept from the current run.
    `progress` gets the number of headers read.
    """
    # The runs first: whatever they were counted from is then in the listing too, so that a run that follows
    # a current one never holds less.
    current = current_days(store)
    tombstones = list_tombstones(store)
    unreadable_segments, lacking = book.refresh(store, progress)
    # The manifests last: they then speak of all frames that stand in the segments.
    media, unreadable = manifests.read()
    overlaps = overlaps_of(media, tombstones, params.overlaps)
    touching = _Touching(tombstones, overlaps, params.margin_ms)
    with_margin = params.tracking is not None
    days = {
        DayKey(model, params.interval_s, keys.utc_day(number * DAY_MS)): segments
        for (model, number), segments in book.days(with_margin=with_margin).items()
    }
    parts = [step.parts(store, media) for step in counting_steps()]
    part_days: dict[DayKey, PartDay] = {}
    for part in parts:
        part_days |= part.days(days, current, params)
    footage = {**days, **{day: of_day.segments for day, of_day in part_days.items()}}
    stale: list[DayPlan] = []
    up_to_date: list[DayPlan] = []
    size_of: dict[str, int] = {}
    warnings: list[str] = []
    for day in filter(lambda day: selection.has(day.day), sorted(footage)):
        plan = _plan_day(day, params, footage[day], current.get(day), touching, lacking)
        if day in part_days:
            plan = plan._replace(zones=part_days[day].zones)
        is_stale = selection.recount or not plan.is_up_to_date()
        if is_stale and not selection.recount and day not in whole:
            try:
                files, missing = kept_hours(store, plan.hours, plan.current)
                plan = plan._replace(unchanged=files)
                if missing:
                    others = f" and {len(missing) - 1} more" if missing[1:] else ""
                    warnings.append(f"{missing[0]}{others}: missing, counted again from segments")
            except Poison as error:
                warnings.append(f"{error}; {day.day} is counted from its segments")
        if is_stale:
            size_of |= plan.segments.sizes()
        (stale if is_stale else up_to_date).append(plan)
    reads = hours_to_read((day.hours, day.unchanged.keys()) for day in stale)
    return CountingPlan(
        params=params,
        stale=stale,
        up_to_date=up_to_date,
        tombstones=tombstones,
        manifests=None if unreadable else media,
        reads=reads,
        parts_of_segment=_parts_of_segment(parts, reads, stale),
        warnings=warnings,
        skipped=[Skipped(day.pointer, day.problem) for day in current.values() if day.problem]
        + unreadable_segments
        + unreadable
        + [item for part in parts for item in part.unreadable],
        size_of=size_of,
        with_dead_letters=book.with_dead_letters(),
        chain_breaks=book.chain_breaks({base_model(day.model) for day in days}),
    )


def _plan_day(
    day: DayKey,
    params: CountParams,
    segments: DaySegments,
    current: CurrentDay | None,
    touching: _Touching,
    lacking: Set[tuple[str, int | None]],
) -> DayPlan:
    """Plan one day from its segments; `lacking` has the models and days of segments that are left out."""
    model, number = base_model(day.model), _day_number(day.day)
    sources, own_sources = segments.sources(), segments.own_sources()
    return DayPlan(
        key=day,
        params=params,
        sequence=current.sequence + 1 if current else 1,
        segments=segments,
        current=current.run if current else None,
        current_put_at_ms=current.put_at_ms if current else 0,
        tombstones=touching.tombstones(day.day, sources),
        overlaps=touching.overlaps(day.day, sources),
        is_whole=lacking.isdisjoint({(model, number), (model, None)}),
        own_tombstones=touching.tombstones(day.day, own_sources, margin_ms=0),
        own_overlaps=touching.overlaps(day.day, own_sources, margin_ms=0),
    )


def _parts_of_segment(
    parts: Iterable[PictureParts], reads: Mapping[str, HoursToRead], stale: Sequence[DayPlan]
) -> dict[str, Any]:
    days = {key: {*read.part_days} for key, read in reads.items() if read.part_days}
    sources: defaultdict[str, set[str]] = defaultdict(set)
    for row in (row for day in stale if day.zones and days for row in day.segments.rows):
        sources[row.key].add(row.source)
    return {key: work for part in parts for key, work in part.work(days, sources).items()}


class _Touching:
    """Tombstones and overlaps of frames that a day can be counted from, `margin_ms` around it included."""

    def __init__(self, stones: Iterable[Tombstone], overlaps: Iterable[Overlap], margin_ms: int) -> None:
        self._stones = stones
        self._margin_ms = margin_ms
        self._overlaps: defaultdict[tuple[str, int | None], list[Overlap]] = defaultdict(list)
        for overlap in overlaps:
            days = days_of_span(overlap.from_ms - margin_ms, overlap.to_ms - 1 + margin_ms)
            for day in days if len(days) <= _MOST_DAYS else [None]:  # None: looked at for each day
                self._overlaps[overlap.source, day].append(overlap)

    def tombstones(
        self, day: str, sources: Collection[str], margin_ms: int | None = None
    ) -> tuple[Tombstone, ...]:
        from_ms, to_ms = self._window(day, margin_ms)
        return tuple(
            stone
            for stone in self._stones
            if stone.source in sources and touches(stone, source=stone.source, from_ms=from_ms, to_ms=to_ms)
        )

    def overlaps(
        self, day: str, sources: Collection[str], margin_ms: int | None = None
    ) -> tuple[Overlap, ...]:
        """Return the day's part of the overlaps: overlaps on other days do not make it stale."""
        from_ms, to_ms = self._window(day, margin_ms)
        return tuple(
            overlap._replace(from_ms=max(overlap.from_ms, from_ms), to_ms=min(overlap.to_ms, to_ms))
            for source in sorted(sources)
            for day_number in (_day_number(day), None)
            for overlap in self._overlaps.get((source, day_number), ())
            if overlap.from_ms < to_ms and overlap.to_ms > from_ms
        )

    def _window(self, day: str, margin_ms: int | None) -> tuple[int, int]:
        start_ms, margin_ms = keys.day_start_ms(day), self._margin_ms if margin_ms is None else margin_ms
        return start_ms - margin_ms, start_ms + DAY_MS + margin_ms


def _day_number(day: str) -> int:
    return keys.day_start_ms(day) // DAY_MS
