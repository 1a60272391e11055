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
