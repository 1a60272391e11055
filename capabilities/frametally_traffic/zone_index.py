"""Presents a zone's counts as a count index with the models and sources of the pictures.

So the code that charts and proves counts of pictures also works for zones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.keys import day_start_ms
from frametally.ports.count_index import (
    NO_LABEL,
    BlankBucket,
    Bucket,
    CountedDay,
    CountIndex,
    CountQuery,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
    SourceSummary,
    WeekHour,
)
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import BoxFilter, BoxFilters, PartIndex
from frametally.records import Run
from frametally.rules.known import Missing, why_not_counted
from frametally.rules.places import ZONES, Place, ZoneShape, base_model, parse_place, series_model, source_of
from frametally.rules.times import DAY_MS, FIRST_MS, NEXT_MS
from frametally.rules.tombstones import merged, without
from frametally_traffic.drawings.drawn_shapes import zone_shape
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing
from frametally_traffic.records import DrawnZone
from frametally_traffic.tasks.zones import ZoneInTime, zones_by_name
from frametally_web.access.visitors import visitor
from frametally_web.charts.local_bars import Ranges, cut
from frametally_web.charts.question import stored_intervals, unknown


def counted_zones(index: CountIndex, model: str) -> dict[str, list[str]]:
    """Return the sorted names of zones with counts, by source."""
    zones: dict[str, list[str]] = {}
    for summary in index.sources(series_model(model, ZONES)):
        place = parse_place(summary.source)
        zones.setdefault(place.source, []).append(place.names[0])
    return {source: sorted(names) for source, names in zones.items()}


def check_zone(index: CountIndex, store: ObjectStore, name: str, sources: Sequence[str]) -> None:
    """Refuse a zone that none of the sources (all if empty) has or had.

    A zone that is drawn but not counted yet is accepted.

    Raises:
        Problem: 400, with similar names.
    """
    zone_names: set[str] = set()
    for model in stored_intervals(index):
        for source, names in counted_zones(index, model).items():
            if not sources or source in sources:
                zone_names.update(names)
    if name not in zone_names:
        zone_names.update(_zone_names(store, filter(visitor().sees, sources or sorted(drawn_sources(store)))))
    if name not in zone_names:
        raise unknown("zone", [name], sorted(zone_names))


def _zone_names(store: ObjectStore, sources: Iterable[str]) -> set[str]:
    return {zone.name for source in sources for zone in _zones_of(store, source)}


def _ranges_of(zones: Iterable[ZoneShape]) -> list[tuple[int, int]]:
    """Return when each of some zones holds."""
    return [
        (FIRST_MS if zone.from_ms is None else zone.from_ms, NEXT_MS if zone.to_ms is None else zone.to_ms)
        for zone in zones
    ]


def _zones_of(store: ObjectStore, source: str) -> Sequence[DrawnZone]:
    try:
        return read_drawing(store, source).zones
    except Poison:
        return ()  # the counting job reports the damage


class ZoneIndex(PartIndex):
    """A `CountIndex` of the counts within the zones of one name; everything else comes from `index`."""

    def __init__(self, index: CountIndex, store: ObjectStore, zone: str) -> None:
        """Wrap `index`, which the caller closes; `store` has the drawings."""
        super().__init__(index)
        self._store = store
        self._zone = zone
        self._drawn_now: dict[str, Sequence[ZoneShape]] = {}  # read once a request

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def box_filters(self, model: str, base_interval_s: int) -> BoxFilters:
        """Return filters for the boxes in the zone as drawn when the current runs were counted."""
        runs = {
            run.day: run
            for run in self.current_runs()
            if (run.model, run.interval_s) == (model, base_interval_s)
        }

        def filter_of(source: str, time_ms: int) -> BoxFilter:
            run = runs.get(keys.utc_day(time_ms))
            zones = zones_by_name(run.zones.get(source, ()) if run else ())
            return zones.get(self._zone, ZoneInTime(())).boxes_on

        return filter_of

    def why_not(self, missing: str) -> str:
        """Return a sentence that says why footage is not counted within the zone."""
        if missing == "other_size":
            return (
                f"The pictures have another shape than the one under {self._zone}: draw it over one of them, "
                "too."
            )
        if missing == "not_analysed":
            return (
                f"The footage is not counted within {self._zone} yet: run `frametally aggregate` and "
                "`frametally index`."
            )
        return f"There is footage, but {self._zone} did not exist at that time."

    def _why_missing(self, query: CountQuery) -> Missing:
        """Return why counted footage of one source and a range is not counted within the zone."""
        [source] = query.sources
        span = query.from_ms or 0, query.to_ms or 0
        counted, shapes = self._counted_over.get((query.model, query.base_interval_s, source), ((), ()))
        drawn = self._drawn(source)
        uncounted = _ranges_of(shape for shape in drawn if shape not in shapes)
        reasons: Mapping[Missing, Ranges] = {  # in the order of `why_not_counted`
            "other_size": [part for stretch in cut(counted, [span]) for part in without(stretch, uncounted)],
            "not_drawn": without(span, [*counted, *_ranges_of(drawn)]),
        }
        for missing, parts in reasons.items():
            for part in parts:
                of_part = query._replace(from_ms=part[0], to_ms=part[1])
                if part == span or _filmed(self.whole.histogram(of_part)):
                    return missing
        return "not_analysed"

    @cached_property
    def _counted_over(self) -> Mapping[tuple[str, int, str], tuple[Ranges, set[ZoneShape]]]:
        """When the current runs had the zone, and its shapes, by model, base interval and source."""
        ranges: defaultdict[tuple[str, int, str], list[tuple[int, int]]] = defaultdict(list)
        shapes: defaultdict[tuple[str, int, str], set[ZoneShape]] = defaultdict(set)
        for run in self.current_runs():
            day = day_start_ms(run.day), day_start_ms(run.day) + DAY_MS
            for source, zones in run.zones.items():
                of_name = [zone for zone in zones if zone.name == self._zone]
                if of_day := cut(_ranges_of(of_name), [day]):
                    ranges[run.model, run.interval_s, source] += of_day
                    shapes[run.model, run.interval_s, source].update(of_name)
        return {key: (cast(Ranges, merged(parts)), shapes[key]) for key, parts in ranges.items()}

    def counted_days(self, model: str) -> list[CountedDay]:
        """Return the model's days that are counted within zones."""
        return self.whole.counted_days(series_model(model, ZONES))

    def current_runs(self) -> list[Run]:
        """Return the runs within zones, each with its base model."""
        return [
            msgspec.structs.replace(run, model=base_model(run.model))
            for run in self.whole.current_runs()
            if run.model == series_model(base_model(run.model), ZONES)
        ]

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Return labels with their detections within zones: 0 for labels only seen elsewhere."""
        zone_labels = self.whole.labels(series_model(model, ZONES))
        label_names = {label for label, _ in zone_labels}
        elsewhere = sorted(label for label, _ in self.whole.labels(model) if label not in label_names)
        return [*zone_labels, *((label, 0) for label in elsewhere)]

    def sources(self, model: str) -> list[SourceSummary]:
        """Return the sources that have the zone, by name: the range of their footage, the zone's frames."""
        frames = {
            place.source: summary.frames
            for summary in self.whole.sources(series_model(model, ZONES))
            if (place := parse_place(summary.source)).names == (self._zone,)
        }
        return [
            summary._replace(frames=frames.get(summary.source, 0))
            for summary in self.whole.sources(model)
            if summary.source in frames or self.covers(model, summary.source)
        ]

    def covers(self, model: str, source: str) -> bool:
        """Return whether a source has the zone, counted or only drawn."""
        return (model, source) in self._sources_counted or bool(self._drawn(source))

    @cached_property
    def _sources_counted(self) -> set[tuple[str, str]]:
        return {(model, source) for model, _, source in self._counted_over}

    @cached_property
    def _sources_drawn(self) -> set[str]:
        return drawn_sources(self._store)

    def _drawn(self, source: str) -> Sequence[ZoneShape]:
        """Return the shapes of the zone as it is drawn now."""
        if source not in self._drawn_now:
            zones = _zones_of(self._store, source) if source in self._sources_drawn else ()
            self._drawn_now[source] = [zone_shape(zone) for zone in zones if zone.name == self._zone]
        return self._drawn_now[source]

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label."""
        histogram = self.whole.histogram(self._zone_query(query))
        return histogram._replace(
            model=query.model,
            buckets=[_of_source(part) for part in histogram.buckets],
            coverage=[_of_source(part) for part in histogram.coverage],
            blank=[_of_source(part) for part in histogram.blank],
            not_within=() if query.measured_only else self._not_within(query, histogram),
        )

    def _not_within(self, query: CountQuery, counted: Histogram) -> list[BlankBucket]:
        """Return the intervals without footage in the zone in which the whole picture has some."""
        sources = query.sources or [summary.source for summary in self.sources(query.model)]
        if not sources:
            return []
        of_whole = query._replace(
            sources=sources, labels=NO_LABEL, apart=None, partial_apart=False, by_source=True
        )
        places = {
            (part.start_ms, source_of(part.source) if part.source else None) for part in _filmed(counted)
        }
        reasons: defaultdict[tuple[int, str | None], set[Missing]] = defaultdict(set)
        for part in _filmed(self.whole.histogram(of_whole)):
            place = part.start_ms, part.source if query.by_source else None
            if place in places:
                continue
            from_ms, to_ms = part.start_ms, part.start_ms + query.bar_s * 1000
            of_part = of_whole._replace(
                sources=[part.source or ""],
                from_ms=from_ms if query.from_ms is None else max(from_ms, query.from_ms),
                to_ms=to_ms if query.to_ms is None else min(to_ms, query.to_ms),
            )
            reasons[place].add(self._why_missing(of_part))
        return [
            BlankBucket(start_ms, why_not_counted(of_place), 0, 0, source)
            for (start_ms, source), of_place in sorted(reasons.items())
        ]

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Return counts per hour of the week."""
        return self.whole.week_hours(self._zone_query(query))

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label."""
        items = self.whole.evidence(self._zone_query(query), limit_per_label=limit_per_label)
        return [item._replace(source=source_of(item.source)) for item in items]

    def _zone_query(self, query: CountQuery) -> CountQuery:
        sources = query.sources or [summary.source for summary in self.sources(query.model)]
        # An empty list would mean all sources, so if none has the zone, ask for one that does not exist.
        places = [str(Place(source, "zone", (self._zone,))) for source in sources or ("",)]
        return query._replace(model=series_model(query.model, ZONES), sources=places)


def index_within(index: CountIndex, store: ObjectStore, zone: str, sources: Sequence[str]) -> CountIndex:
    """Return the index of a zone. Raises `Problem` if the zone does not exist."""
    check_zone(index, store, zone, sources)
    return cast(CountIndex, ZoneIndex(index, store, zone))


def _filmed(histogram: Histogram) -> list[CoverageBucket | BlankBucket]:
    """Return all intervals with footage, also those that show nothing."""
    return [*histogram.coverage, *histogram.blank]


_PartT = TypeVar("_PartT", Bucket, CoverageBucket, BlankBucket)


def _of_source(part: _PartT) -> _PartT:
    return part if part.source is None else part._replace(source=source_of(part.source))
