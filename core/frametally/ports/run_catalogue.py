"""What a count index has at one version, noted so that it is read once: the same for every kind of index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from frametally.ports.count_index import CountedDay, Series, SourceSummary

RunT = TypeVar("RunT")


class BaseCatalogue(Generic[RunT]):
    """What there is at one version; of that it notes what has been asked for.

    Attributes:
        version: As `CountIndex.version`.
        series: What can be asked for, as `CountIndex.series`.
        labels: As `CountIndex.labels`, by model; those that have been asked for.
        sources: As `CountIndex.sources`, by model; those that have been asked for.
        days: As `CountIndex.counted_days`, by model; those that have been asked for.
    """

    def __init__(
        self, version: str, runs: Mapping[Series, Sequence[RunT]], newest: Mapping[str, int]
    ) -> None:
        """Of the runs of each series, and the number of each model's last publication."""
        self.version = version
        self.series = sorted(runs, key=lambda one: (-newest[one.model], -one.base_interval_s))
        self.labels: dict[str, list[tuple[str, int]]] = {}
        self.sources: dict[str, list[SourceSummary]] = {}
        self.days: dict[str, list[CountedDay]] = {}
        self._runs = runs

    def of_model(self, model: str) -> list[Series]:
        """Its series, as in `series`."""
        return [one for one in self.series if one.model == model]
