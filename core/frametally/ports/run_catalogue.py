"""What a count index has at one version, noted so that it is read once: the same for every kind of index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from frametally import keys
from frametally.ports.count_index import CountedDay, Series, SourceSummary
from frametally.ports.count_questions import outdated
from frametally.records import Run

RunT = TypeVar("RunT")


class BaseCatalogue(Generic[RunT]):
    """What there is at one version; of that it notes what has been asked for.

    Attributes:
        version: As `CountIndex.version`.
        series: As `CountIndex.series`.
        labels: As `CountIndex.labels`, by model; so are `sources` and `days` (`CountIndex.counted_days`).
    """

    def __init__(
        self, version: str, runs: Mapping[Series, Sequence[RunT]], newest: Mapping[str, int]
    ) -> None:
        """Order the series by each model's last publication, whose number is in `newest`."""
        self.version = version
        self.series = sorted(runs, key=lambda one: (-newest[one.model], -one.base_interval_s))
        self.labels: dict[str, list[tuple[str, int]]] = {}
        self.sources: dict[str, list[SourceSummary]] = {}
        self.days: dict[str, list[CountedDay]] = {}
        self._runs = runs

    def of_model(self, model: str) -> list[Series]:
        """Return the model's series, in the order of `series`."""
        return [one for one in self.series if one.model == model]


def counted_day(run: Run, published: int) -> CountedDay:
    """Return what tells whether a run is up to date, and what it was counted with; see `CountedDay`."""
    settings = msgspec.json.encode(run.settings).decode() if run.settings else ""
    return CountedDay(
        base_interval_s=run.interval_s,
        day_ms=keys.day_start_ms(run.day),
        frames=run.frames,
        published=published,
        footage_sha256=run.footage_sha256,
        params=run.params,
        settings=settings,
    )


def outdated_numbers(runs: Iterable[tuple[int, Run]]) -> set[int]:
    """Return the numbers of runs that no query reads, see `outdated`; each run stands behind its number."""
    of_model: defaultdict[str, list[CountedDay]] = defaultdict(list)
    for published, run in runs:
        of_model[run.model].append(counted_day(run, published))
    return {day.published for days in of_model.values() for day in outdated(days)}
