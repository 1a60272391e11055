"""The catalogue of an index of days at one version: runs by series and day, and their sources."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from frametally.adapters.day_cells.storage import DETECTIONS, SLOT, SOURCE, STORED_ROWS, Packed
from frametally.ports.base_index import BaseCatalogue
from frametally.ports.count_index import Series, SourceSummary
from frametally.ports.steps import rolled_steps
from frametally.records import Run
from frametally.rules.times import DAY_MS

_RUNS_AT_ONCE = 50
day_order = attrgetter("day_ms")


class CurrentRun(NamedTuple):
    """A run that queries read.

    Attributes:
        number: Greater than that of every run that was published before; of none after.
        mark: What tells it from others: an index created again gives the same numbers to other runs.
        day_ms: When its day begins.
    """

    number: int
    mark: int | str
    day_ms: int


class DayCatalogue(BaseCatalogue[CurrentRun]):
    """The contents at one version; the runs of each series by day."""

    records: Mapping[int, Run] = {}
    """All current runs by number, of an index that keeps them."""

    def runs(self, series: Series, from_ms: int | None, to_ms: int | None) -> Sequence[CurrentRun]:
        """Return the runs of a series whose days have something of `[from_ms, to_ms)`, by day."""
        runs = self._runs.get(series, ())
        first = 0 if from_ms is None else bisect_right(runs, from_ms - DAY_MS, key=day_order)
        return runs[first : len(runs) if to_ms is None else bisect_left(runs, to_ms, key=day_order)]

    def all_runs(self) -> list[CurrentRun]:
        """Return the runs of all series."""
        return [run for of_series in self._runs.values() for run in of_series]


ReadPacked = Callable[[Sequence[CurrentRun], int], Iterable[tuple[CurrentRun, Packed]]]
"""Reads what is packed of some runs by a step, in their order; raises `IndexDamaged`."""


def read_sources(read_packed: ReadPacked, catalogue: DayCatalogue, series: Series) -> Iterator[SourceSummary]:
    """Read the extent of each source of a series: its number of frames, and its first and last time."""
    runs = catalogue.runs(series, None, None)
    longest_s = [series.base_interval_s, *rolled_steps(series.base_interval_s)][-1]
    frames: Counter[str] = Counter()
    first_run: dict[str, CurrentRun] = {}
    last_run: dict[str, CurrentRun] = {}
    for first in range(0, len(runs), _RUNS_AT_ONCE):
        for run, packed in read_packed(runs[first : first + _RUNS_AT_ONCE], longest_s):
            for source, frames_there in zip(
                _coverage(packed, SOURCE), _coverage(packed, DETECTIONS), strict=True
            ):
                name = packed.sources[source]
                frames[name] += frames_there
                first_run.setdefault(name, run)
                last_run[name] = run
    # The first and the last day say their times exactly.
    end_runs = sorted({*first_run.values(), *last_run.values()})
    borders_ms: dict[tuple[CurrentRun, str], tuple[int, int]] = {}
    base_ms = series.base_interval_s * 1000
    for run, packed in read_packed(end_runs, series.base_interval_s):
        slots, sources = _coverage(packed, SLOT), _coverage(packed, SOURCE)
        order = range(len(slots))  # that of slots
        for name in (name for name in frames if run in (first_run[name], last_run[name])):
            number = packed.sources.index(name)
            first = next(place for place in order if sources[place] == number)
            last = next(place for place in reversed(order) if sources[place] == number)
            borders_ms[run, name] = run.day_ms + slots[first] * base_ms, run.day_ms + slots[last] * base_ms
    for name, number in frames.items():
        from_ms, _ = borders_ms[first_run[name], name]
        _, last_ms = borders_ms[last_run[name], name]
        yield SourceSummary(name, number, from_ms, last_ms + base_ms)


def _coverage(packed: Packed, row: int) -> array[int]:
    """Return a row of the cells of what was filmed."""
    row_bytes = len(packed.coverage) // STORED_ROWS
    numbers = array("q", packed.coverage[row * row_bytes : (row + 1) * row_bytes])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
