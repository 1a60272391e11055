"""The count index as a zone has it: models and sources are those of the picture, counts are the zone's.

So whatever draws or proves the counts of the picture draws and proves those of a zone.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

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
from frametally.records import Run
from frametally.rules.places import (
    ZONES,
    Place,
    base_model,
    parse_place,
    series_model,
    source_of,
)


class NarrowedIndex:
    """A `CountIndex` of what was counted within the zones of one name; all else is the index's own."""

    def __init__(self, index: CountIndex, zone: str) -> None:
        """Look through `index`, which the caller closes."""
        self._index = index
        self._zone = zone

    @property
    def zone(self) -> str:
        """Name of the zone."""
        return self._zone

    @property
    def whole(self) -> CountIndex:
        """The index of the whole picture."""
        return self._index

    def __getattr__(self, name: str) -> Any:
        """Return what is the index's own."""
        return getattr(self._index, name)

    def counted_days(self, model: str) -> list[CountedDay]:
        """Return the current runs within zones of the model."""
        return self._index.counted_days(series_model(model, ZONES))

    def current_runs(self) -> list[Run]:
        """Return the runs within zones, each as one of its model."""
        return [
            msgspec.structs.replace(run, model=base_model(run.model))
            for run in self._index.current_runs()
            if run.model == series_model(base_model(run.model), ZONES)
        ]

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Return labels with their detections within zones; those seen elsewhere have none here."""
        within = self._index.labels(series_model(model, ZONES))
        known = {label for label, _ in within}
        elsewhere = sorted(label for label, _ in self._index.labels(model) if label not in known)
        return [*within, *((label, 0) for label in elsewhere)]

    def sources(self, model: str) -> list[SourceSummary]:
        """Return the sources that have the zone, by name."""
        return [
            summary._replace(source=place.source)
            for summary in self._index.sources(series_model(model, ZONES))
            if (place := parse_place(summary.source)).names == (self._zone,)
        ]

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label."""
        found = self._index.histogram(self._within(query))
        return found._replace(
            model=query.model,
            buckets=[_of_source(one) for one in found.buckets],
            coverage=[_of_source(one) for one in found.coverage],
        )

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Return counts per hour of the week."""
        return self._index.week_hours(self._within(query))

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label."""
        found = self._index.evidence(self._within(query), limit_per_label=limit_per_label)
        return [one._replace(source=source_of(one.source)) for one in found]

    def _within(self, query: CountQuery) -> CountQuery:
        sources = query.sources or [one.source for one in self.sources(query.model)]
        # None would be all: where no source has the zone, one that there is not is asked for.
        places = [str(Place(source, "zone", (self._zone,))) for source in sources or ("",)]
        return query._replace(model=series_model(query.model, ZONES), sources=places)


_PartT = TypeVar("_PartT", Bucket, CoverageBucket)


def _of_source(one: _PartT) -> _PartT:
    return one if one.source is None else one._replace(source=source_of(one.source))
