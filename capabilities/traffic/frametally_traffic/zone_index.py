"""Presents a zone's counts as a count index with the models and sources of the pictures.

So the code that charts and proves counts of pictures also works for zones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.ports.count_index import (
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
from frametally.rules.places import ZONES, Place, base_model, parse_place, series_model, source_of
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing
from frametally_traffic.tasks.zones import ZoneInTime, zones_by_name
from frametally_web.access.visitors import visitor
from frametally_web.charts.catalogue import stored_intervals, unknown


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
    names: set[str] = set()
    for source in sources:
        try:
            names.update(zone.name for zone in read_drawing(store, source).zones)
        except Poison:
            continue  # the counting job reports the damage
    return names


def why_not_within(store: ObjectStore, name: str, source: str, at_ms: int) -> str:
    """Return a sentence that says why counted footage is not counted within a zone at a moment."""
    try:
        zones = read_drawing(store, source).zones
    except Poison:
        zones = ()  # the counting job reports the damage
    if any(zone.name == name and zone.holds_in(at_ms, at_ms + 1) for zone in zones):
        return (
            f"The footage is not counted within {name} yet: run `frametally aggregate` and `frametally "
            "index`."
        )
    return f"The footage is counted, but {name} did not exist at that time."


class ZoneIndex(PartIndex):
    """A `CountIndex` of the counts within the zones of one name; everything else comes from `index`."""

    def __init__(self, index: CountIndex, zone: str) -> None:
        """Wrap `index`, which the caller closes."""
        super().__init__(index)
        self._zone = zone

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

    def why_not(self, store: ObjectStore, source: str, at_ms: int) -> str:
        """Return a sentence that says why counted footage is not counted within the zone."""
        day = keys.utc_day(at_ms)
        zones = [zone for run in self.current_runs() if run.day == day for zone in run.zones.get(source, ())]
        if any(zone.name == self._zone and zone.holds_at(at_ms) for zone in zones):
            return (
                f"The pictures have another shape than the one under {self._zone}: draw it over one of them, "
                "too."
            )
        return why_not_within(store, self._zone, source, at_ms)

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
        """Return the sources that have the zone, by name."""
        return [
            summary._replace(source=place.source)
            for summary in self.whole.sources(series_model(model, ZONES))
            if (place := parse_place(summary.source)).names == (self._zone,)
        ]

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label."""
        histogram = self.whole.histogram(self._zone_query(query))
        return histogram._replace(
            model=query.model,
            buckets=[_of_source(part) for part in histogram.buckets],
            coverage=[_of_source(part) for part in histogram.coverage],
            blank=[_of_source(part) for part in histogram.blank],
        )

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
    return cast(CountIndex, ZoneIndex(index, zone))


_PartT = TypeVar("_PartT", Bucket, CoverageBucket, BlankBucket)


def _of_source(part: _PartT) -> _PartT:
    return part if part.source is None else part._replace(source=source_of(part.source))
