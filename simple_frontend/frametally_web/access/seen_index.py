"""The count index as who asks may see it: of the sources that there are for them, and of no others."""

from __future__ import annotations

from collections import Counter
from typing import Any

from frametally.ports.count_index import (
    CountIndex,
    CountQuery,
    Histogram,
    IndexedEvidence,
    SourceSummary,
    WeekHour,
)
from frametally.rules.flows.places import is_of_places, source_of
from frametally.rules.times import DAY_S
from frametally_web.access.visitors import visitor

_ALL_TIMES_S = 100_000 * DAY_S


class SeenIndex:
    """A `CountIndex` for everybody: whoever sees all sources reads the index's own answers."""

    def __init__(self, index: CountIndex) -> None:
        """Look through `index`, which the caller closes."""
        self._index = index

    def __getattr__(self, name: str) -> Any:
        """Return what is the index's own."""
        return getattr(self._index, name)

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Return labels of the model with their detections in what is seen, most first, then by name."""
        days = self._index.counted_days(model) if visitor().sources else []
        if not days:
            return [] if visitor().sources else self._index.labels(model)
        base_s = max(day.base_interval_s for day in days)
        found: Counter[str] = Counter()
        for bucket in self.histogram(CountQuery(model, base_s, _ALL_TIMES_S)).buckets:
            found[bucket.label] += bucket.detections
        return sorted(found.items(), key=lambda one: (-one[1], one[0]))

    def sources(self, model: str) -> list[SourceSummary]:
        """Return the sources of the model that are seen, by name."""
        return [one for one in self._index.sources(model) if _is_seen(model, one.source)]

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label."""
        return self._index.histogram(self._seen(query))

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Return counts per hour of the week."""
        return self._index.week_hours(self._seen(query))

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label."""
        return self._index.evidence(self._seen(query), limit_per_label=limit_per_label)

    def _seen(self, query: CountQuery) -> CountQuery:
        if not visitor().sources:
            return query
        asked = query.sources or [one.source for one in self._index.sources(query.model)]
        # None would be all: where nothing is seen, a source that there is not is asked for.
        return query._replace(sources=[one for one in asked if _is_seen(query.model, one)] or [""])


def _is_seen(model: str, source: str) -> bool:
    return visitor().sees(source_of(source) if source and is_of_places(model) else source)
