"""The dashboard's ports, and the count index limited to the sources that a visitor may see."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from frametally.ports.count_index import (
    AGES_S,
    CountIndex,
    CountQuery,
    Histogram,
    IndexedEvidence,
    Series,
    SourceSummary,
    WeekHour,
)
from frametally.ports.frame_log import FrameLog
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.rules.places import is_of_places, source_of
from frametally_web.access.visitors import visitor


@dataclass(frozen=True, kw_only=True)
class DashboardPorts:
    """The dashboard's ports; their opener closes them."""

    store: ObjectStore
    index: CountIndex
    ledger: Ledger
    log: FrameLog


class SeenIndex:
    """A `CountIndex` for every visitor: visitors who see all sources get the index's own answers."""

    def __init__(self, index: CountIndex) -> None:
        """Wrap `index`, the whole index, which the caller closes."""
        self.whole = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Return labels of the model with their detections in visible sources, most first, then by name."""
        if not visitor().sources:
            return self.whole.labels(model)
        most: Counter[str] = Counter()
        for base_s in sorted({day.base_interval_s for day in self.whole.counted_days(model)}):
            detections: Counter[str] = Counter()
            for bucket in self.histogram(CountQuery(model, base_s, AGES_S)).buckets:
                detections[bucket.label] += bucket.detections
            most |= detections  # never summed over intervals, as in the index itself
        return sorted(most.items(), key=lambda item: (-item[1], item[0]))

    def series(self) -> list[Series]:
        """Return the existing series of models that have counted visible sources; see `CountIndex.series`."""
        every = self.whole.series()
        if not visitor().sources:
            return every
        visible_models = {model for model in {entry.model for entry in every} if self.sources(model)}
        return [entry for entry in every if entry.model in visible_models]

    def sources(self, model: str, base_interval_s: int | None = None) -> list[SourceSummary]:
        """Return the visible sources of the model, by name."""
        sources = self.whole.sources(model, base_interval_s)
        return [summary for summary in sources if _is_seen(model, summary.source)]

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label."""
        return self.whole.histogram(self._restrict(query))

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Return counts per hour of the week."""
        return self.whole.week_hours(self._restrict(query))

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label."""
        return self.whole.evidence(self._restrict(query), limit_per_label=limit_per_label)

    def _restrict(self, query: CountQuery) -> CountQuery:
        if not visitor().sources:
            return query
        sources = query.sources or [summary.source for summary in self.whole.sources(query.model)]
        # An empty list would mean all: if nothing is visible, ask for a source that does not exist.
        return query._replace(sources=[source for source in sources if _is_seen(query.model, source)] or [""])


def _is_seen(model: str, source: str) -> bool:
    visible = visitor()
    return not visible.sources or visible.sees(
        source_of(source) if source and is_of_places(model) else source
    )
