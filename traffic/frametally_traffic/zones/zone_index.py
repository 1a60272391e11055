"""The count index as a zone has it: models and sources are those of the picture, counts are the zone's.

So whatever draws or proves the counts of the picture draws and proves those of a zone.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec
from werkzeug.datastructures import MultiDict

from frametally import keys
from frametally.books.evidence import BoxFilter
from frametally.ports.count_index import (
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
from frametally.records import Run
from frametally.rules.places import (
    ZONES,
    Place,
    base_model,
    parse_place,
    series_model,
    source_of,
)
from frametally_traffic.flows.zone_boxes import ZoneInTime, zones_by_name
from frametally_traffic.zones.counted_zones import check_zone, counted_zones, why_not_within
from frametally_web.charts.narrowing import BoxFilters, PartIndex
from frametally_web.requests.query import MAX_VALUES, read_many, read_one


class ZoneIndex(PartIndex):
    """A `CountIndex` of what was counted within the zones of one name; all else is the index's own."""

    def __init__(self, index: CountIndex, zone: str) -> None:
        """Look through `index`, which the caller closes."""
        super().__init__(index)
        self._zone = zone

    def __getattr__(self, name: str) -> Any:
        """Return what is the index's own."""
        return getattr(self.whole, name)

    def box_filters(self, model: str, base_interval_s: int) -> BoxFilters:
        """Return which boxes stood in the zone as the runs that the index has were counted with it."""
        runs = {
            run.day: run
            for run in self.current_runs()
            if (run.model, run.interval_s) == (model, base_interval_s)
        }

        def of(source: str, time_ms: int) -> BoxFilter:
            run = runs.get(keys.utc_day(time_ms))
            zones = zones_by_name(run.zones.get(source, ()) if run else ())
            return zones.get(self._zone, ZoneInTime(())).boxes_at

        return of

    def why_not(self, store: ObjectStore, source: str, at_ms: int) -> str:
        """Return why footage that is counted is not counted within the zone, as a sentence."""
        return why_not_within(store, self._zone, source, at_ms)

    def counted_days(self, model: str) -> list[CountedDay]:
        """Return the current runs within zones of the model."""
        return self.whole.counted_days(series_model(model, ZONES))

    def current_runs(self) -> list[Run]:
        """Return the runs within zones, each as one of its model."""
        return [
            msgspec.structs.replace(run, model=base_model(run.model))
            for run in self.whole.current_runs()
            if run.model == series_model(base_model(run.model), ZONES)
        ]

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Return labels with their detections within zones; those seen elsewhere have none here."""
        within = self.whole.labels(series_model(model, ZONES))
        known = {label for label, _ in within}
        elsewhere = sorted(label for label, _ in self.whole.labels(model) if label not in known)
        return [*within, *((label, 0) for label in elsewhere)]

    def sources(self, model: str) -> list[SourceSummary]:
        """Return the sources that have the zone, by name."""
        return [
            summary._replace(source=place.source)
            for summary in self.whole.sources(series_model(model, ZONES))
            if (place := parse_place(summary.source)).names == (self._zone,)
        ]

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label."""
        found = self.whole.histogram(self._within(query))
        return found._replace(
            model=query.model,
            buckets=[_of_source(one) for one in found.buckets],
            coverage=[_of_source(one) for one in found.coverage],
        )

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Return counts per hour of the week."""
        return self.whole.week_hours(self._within(query))

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label."""
        found = self.whole.evidence(self._within(query), limit_per_label=limit_per_label)
        return [one._replace(source=source_of(one.source)) for one in found]

    def _within(self, query: CountQuery) -> CountQuery:
        sources = query.sources or [one.source for one in self.sources(query.model)]
        # None would be all: where no source has the zone, one that there is not is asked for.
        places = [str(Place(source, "zone", (self._zone,))) for source in sources or ("",)]
        return query._replace(model=series_model(query.model, ZONES), sources=places)


class ZoneNarrowing:
    """Narrows charts to a zone by its name."""

    def narrowed(self, index: CountIndex, store: ObjectStore, args: MultiDict[str, str]) -> CountIndex:
        """Return the index of the zone that a query names. Raises `Problem`: there is none."""
        zone = read_one(args, "zone")
        if zone is None:
            return index
        check_zone(index, store, zone, read_many(args, "source", limit=MAX_VALUES))
        return cast(CountIndex, ZoneIndex(index, zone))

    def zones(self, index: CountIndex, model: str) -> dict[str, list[str]]:
        """Return by source the names of its zones, sorted."""
        return counted_zones(index, model)


NARROWING = ZoneNarrowing()

_PartT = TypeVar("_PartT", Bucket, CoverageBucket)


def _of_source(one: _PartT) -> _PartT:
    return one if one.source is None else one._replace(source=source_of(one.source))
