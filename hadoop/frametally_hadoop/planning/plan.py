"""Finds the days to count again, and their segments.

A selected day is stale if its current run was counted from other inputs than those there now. A plug-in
provides the zones to count within, and has its own steps.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from frametally import keys
from frametally.books.runs import CurrentDay, DayKey, current_days
from frametally.errors import Poison
from frametally.history_records import HourFile
from frametally.media.manifests import ManifestReader, forgotten_by, list_tombstones, touches
from frametally.media.overlapping import overlaps_of
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import picture_places
from frametally.process.collection import no_collection
from frametally.process.reports import Progress, Skipped
from frametally.records import MediaManifest, Run
from frametally.rules.overlaps import Overlap, lost_ranges
from frametally.rules.places import ZONES, Zones, series_model, zones_between
from frametally.rules.times import DAY_MS, days_of_span, is_day_in_range
from frametally.rules.tombstones import Range, merged
from frametally.settings.loading import Settings
from frametally.undo_records import Tombstone
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.hours import (
    DaySegments,
    HourInputs,
    HoursToRead,
    SegmentBook,
    SourceHour,
    hours_to_read,
    kept_hours,
)


class DaySelection(NamedTuple):
    """Days that end after `from_ms` and begin before `to_ms`; None leaves that side open.

    With `recount`, days that are up to date are also counted.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    recount: bool = False

    @property
    def may_lose(self) -> bool:
        """Whether a recount may lose frames of missing segments: only if both ends name its days."""
        return self.recount and self.from_ms is not None and self.to_ms is not None

    def has(self, day: str) -> bool:
        """Return whether the selection includes the UTC day, `YYYY-MM-DD`."""
        return is_day_in_range(keys.day_start_ms(day), self.from_ms, self.to_ms)


ALL_DAYS = DaySelection()
"""Selects every day that needs counting."""


@dataclass
class DayWindows:
    """Selections of days that are counted in turn, smaller if a job's links expire too soon.

    Attributes:
        now: The days that are planned and counted now.
    """

    now: DaySelection
    _later: list[DaySelection] = field(default_factory=list)
    _is_second_try: bool = False

    def attempts(self, most: int) -> Iterator[None]:
        """Yield before each attempt at the days of `now`, `most` times for the same days."""
        left = most
        while left:
            days = self.now[:2]
            yield
            left = left - 1 if days == self.now[:2] else most

    def halve(self, days: Iterable[str]) -> bool:
        """Plan the earlier half of the stale `days` next, or a single day once more, with new links.

        Return False if that single day has been tried twice.
        """
        ordered = sorted(set(days))
        if len(ordered) < 2:
            was_second, self._is_second_try = self._is_second_try, True
            return not was_second
        middle_ms = keys.day_start_ms(ordered[len(ordered) // 2])
        self._later.append(self.now._replace(from_ms=middle_ms))
        self.now = self.now._replace(to_ms=middle_ms)
        return True

    def advance(self) -> bool:
        """Go on to the days after those of `now`; return False if there are none."""
        if not self._later:
            return False
        self.now, self._is_second_try = self._later.pop(), False
        return True


class DayToCount(NamedTuple):
    """A day that would be counted; `inputs` is 16 hex of its inputs, `state` of `DayPlan.state_sha256`.

    For a step's days, `model` is their series (`frametally.rules.places`), and no segment is read.
    """

    model: str
    interval_s: int
    day: str
    segments: int
    bytes: int
    inputs: str
    state: str


class DrawnZones(NamedTuple):
    """The zones of all sources, on their stored frames.

    Attributes:
        by_source: The zones of each source that has any, at all times.
        unreadable: Sources with an unreadable drawing; their days keep the zones of the last count.
    """

    by_source: Mapping[str, Zones]
    unreadable: Mapping[str, Skipped]

    def of_day(
        self, day: str, sources: Iterable[str], margin_ms: int, counted: Mapping[str, Zones]
    ) -> dict[str, Zones]:
        """Return the zones, by source, that are valid at some time in a UTC day or the margin around it.

        `counted` are the zones that the day was counted within.
        """
        of_source = {
            source: (counted if source in self.unreadable else self.by_source).get(source, ())
            for source in sorted(sources)
        }
        start_ms = keys.day_start_ms(day)
        end_ms = start_ms + DAY_MS
        if not any(zones_between(zones, start_ms, end_ms) for zones in of_source.values()):
            return {}
        near = {
            source: zones_between(zones, start_ms - margin_ms, end_ms + margin_ms)
            for source, zones in of_source.items()
        }
        return {source: zones for source, zones in near.items() if zones}


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """The result of a step."""

    name: str
    runs: list[Run] = field(default_factory=list)
    days_up_to_date: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class CountingStep(Protocol):
    """A plug-in's counting step over places in pictures; see `PicturePlaces`."""

    def read_zones(self, store: ObjectStore) -> DrawnZones:
        """Return the zones that are drawn now. Raises `Retryable` if the store is unavailable."""

    def days_to_count(
        self, *, store: ObjectStore, interval_s: int, manifests: ManifestReader, selection: DaySelection
    ) -> tuple[list[DayToCount], list[Skipped]]:
        """Return the days that `count` would count now, and the unusable data."""

    def count(
        self,
        *,
        settings: Settings,
        store: ObjectStore,
        progress: Progress,
        runner: str,
        selection: DaySelection,
        manifests: ManifestReader,
    ) -> StepReport:
        """Count from the tracks of current runs. Raises as `driver.aggregate` does."""


def counting_steps() -> tuple[CountingStep, ...]:
    """Return the counting steps of the installed plug-ins."""
    places = picture_places()
    return () if places is None else (places.counting_step(),)


_MOST_DAYS = 366
_ItemT = TypeVar("_ItemT", Tombstone, Overlap)


class DayFootage(NamedTuple):
    """The inputs of frames: segments, and the tombstones and overlaps that remove some frames."""

    segments: tuple[str, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    overlaps: tuple[Overlap, ...] = ()

    def sha256(self, subject: str, corrupt_lines: Mapping[str, Collection[int]] | None) -> str:
        """Return the footage's identity; see `DayPlan.inputs_sha256`."""
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
        segments: Segments to count the day from: with frames of it or, if objects are tracked, of its
            margins.
        tombstones: Tombstones that affect the footage counted for the day.
        overlaps: Overlaps of its sources' media that affect the footage counted for the day.
        is_whole: Whether, as far as is known, no segment with frames of it is left out as damaged.
        own_tombstones: Tombstones of the day itself, without margins.
        own_overlaps: Overlaps of the day itself, without margins.
        zones: By source, the zones that hold on the day.
        current_zones: The current run's counts within zones, as a run of their series.
        current_put_at_ms: When its current run was published, by the store's clock.
        unchanged: The hours whose files are kept from the current run, as their inputs are the same.
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
    current_zones: Run | None = None

    @property
    def zone_key(self) -> DayKey:
        """The day's key in the series of zones."""
        return self.key._replace(model=series_model(self.key.model, ZONES))

    @property
    def has_zones(self) -> bool:
        """Whether the day has or had zones."""
        return bool(self.zones) or self.current_zones is not None

    @property
    def own(self) -> DayFootage:
        """The segments, tombstones and overlaps of the day itself, without margins."""
        return DayFootage(self.segments.own_keys(), self.own_tombstones, self.own_overlaps)

    @property
    def hours(self) -> HourInputs:
        """The inputs of each hour of a source."""
        return HourInputs(self.key, self.params, self.segments, self.tombstones, self.overlaps, self.zones)

    @property
    def current_sha256(self) -> str | None:
        """`inputs_sha256` of the day's current run, or None if there is none."""
        return self.current.inputs_sha256 if self.current else None

    def inputs_sha256(self, corrupt_lines: Mapping[str, Collection[int]] | None = None) -> str:
        """Return the identity of a day's inputs: settings, day, segments, and footage that does not count.

        Args:
            corrupt_lines: By segment key, numbers of lines that were set aside. As they are part of the
                identity, such a day is counted again each time, and recovers when the segment does.
        """
        damaged = sorted(set(corrupt_lines).intersection(self.segments.keys())) if corrupt_lines else []
        return self._sha256_of([self.segments.identity(), *damaged], corrupt_lines)

    def is_up_to_date(self) -> bool:
        """Return whether the day's current run was counted from the current inputs."""
        return self.current_sha256 == self.inputs_sha256()

    def zones_alone(self) -> DayPlan:
        """Return the day with only the sources that have zones, as in runs of the series of zones."""

        def with_zones(items: Iterable[_ItemT]) -> tuple[_ItemT, ...]:
            return tuple(item for item in items if item.source in self.zones)

        return self._replace(
            segments=self.segments.with_sources(self.zones),
            tombstones=with_zones(self.tombstones),
            overlaps=with_zones(self.overlaps),
            own_tombstones=with_zones(self.own_tombstones),
            own_overlaps=with_zones(self.own_overlaps),
        )

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
        """Return the identity of the day's footage, as in `Run.footage_sha256`."""
        return self.own.sha256(self.key.day, corrupt_lines)

    def state_sha256(self) -> str:
        """Return the identity of a count of the day in the current state, which need not be repeated.

        It changes with the inputs, with each run of the day, and when a segment is put again, for example to
        restore a damaged one under the same `inputs_sha256`.
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
        manifests: The manifests of all media; None if one cannot be read.
        reads: By segment key, the parts to count, sorted.
        warnings: Runs whose hours cannot be kept, one line each.
        with_dead_letters: Keys of segments with dead letters.
        chain_breaks: By model, gaps and overlaps between its segments, one line each.
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
    warnings: Sequence[str] = ()

    def not_counted(self) -> dict[str, dict[str, list[Range]]]:
        """Return, by segment key and source, the ranges that do not count for the stale days."""
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

    For days in `whole`, and if the selection recounts, no hour is kept from the current run. `progress` gets
    the number of headers read.
    """
    # List the runs first: the listing of segments then includes all that they were counted from, so a run
    # that follows a current one never contains less.
    current = current_days(store)
    tombstones = list_tombstones(store)
    unreadable_segments, lacking = book.refresh(store, progress)
    # List the manifests last: they then cover all frames in the segments.
    media, unreadable = manifests.read()
    overlaps = overlaps_of(media, tombstones, params.overlaps)
    touching = _Touching(tombstones, overlaps, params.margin_ms)
    with_margin = params.tracking is not None
    days = {
        DayKey(model, params.interval_s, keys.utc_day(number * DAY_MS)): segments
        for (model, number), segments in book.days(with_margin=with_margin).items()
    }
    zones = next((step.read_zones(store) for step in counting_steps()), None)
    stale: list[DayPlan] = []
    up_to_date: list[DayPlan] = []
    size_of: dict[str, int] = {}
    warnings: list[str] = []
    for day in filter(lambda day: selection.has(day.day), sorted(days)):
        plan = _plan_day(day, params, days[day], current, touching, lacking, zones)
        is_stale = selection.recount or not plan.is_up_to_date()
        if is_stale and zones is None:  # only the plug-in counts within zones
            plan = plan._replace(zones={})
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
        warnings=warnings,
        skipped=[Skipped(day.pointer, day.problem) for day in current.values() if day.problem]
        + unreadable_segments
        + unreadable
        + [*(zones.unreadable.values() if zones else ())],
        size_of=size_of,
        with_dead_letters=book.with_dead_letters(),
        chain_breaks=book.chain_breaks({day.model for day in days}),
    )


def _plan_day(
    day: DayKey,
    params: CountParams,
    segments: DaySegments,
    current_days: Mapping[DayKey, CurrentDay],
    touching: _Touching,
    lacking: Set[tuple[str, int | None]],
    drawn: DrawnZones | None,
) -> DayPlan:
    """Plan one day from its segments; `lacking` has the models and days with segments left out."""
    number = _day_number(day.day)
    sources, own_sources = segments.sources(), segments.own_sources()
    current = current_days.get(day)
    of_zones = current_days.get(day._replace(model=series_model(day.model, ZONES))) if drawn else None
    run = current.run if current else None
    zones = run.zones if run else {}
    if drawn is not None:
        zones = drawn.of_day(day.day, sources, params.margin_ms, zones)
    return DayPlan(
        key=day,
        params=params,
        sequence=1 + (current.sequence if current else 0),
        segments=segments,
        current=run,
        current_put_at_ms=current.put_at_ms if current else 0,
        tombstones=touching.tombstones(day.day, sources),
        overlaps=touching.overlaps(day.day, sources),
        is_whole=lacking.isdisjoint({(day.model, number), (day.model, None)}),
        own_tombstones=touching.tombstones(day.day, own_sources, margin_ms=0),
        own_overlaps=touching.overlaps(day.day, own_sources, margin_ms=0),
        zones=zones,
        current_zones=of_zones.run if of_zones else None,
    )


class _Touching:
    """Tombstones and overlaps that affect frames of a day, including `margin_ms` around it."""

    def __init__(self, stones: Iterable[Tombstone], overlaps: Iterable[Overlap], margin_ms: int) -> None:
        self._stones = stones
        self._margin_ms = margin_ms
        self._overlaps: defaultdict[tuple[str, int | None], list[Overlap]] = defaultdict(list)
        for overlap in overlaps:
            days = days_of_span(overlap.from_ms - margin_ms, overlap.to_ms + margin_ms)
            for day in days if len(days) <= _MOST_DAYS else [None]:  # None means checked for each day
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
        """Return the day's part of the overlaps, so that overlaps on other days do not make it stale."""
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
