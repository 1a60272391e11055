"""The bars of an answer as columns: arrays add up ten times as fast as rows, and a chart needs no rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from frametally.ports.count_index import Bucket, CoverageBucket

Cells = NDArray[np.integer[Any]]
"""Shape (7, n): slot (start over step), label, source, detections, peak, objects, tracked detections.

Label and source are numbers of names; the last two are -1 where unknown. Coverage has the same shape, so
that the same sums serve it: label 0, frames for detections, covered milliseconds for tracked detections, and
for the peak the rate of analysis as `from_rate` says it: the slowest counts, an unknown one hides all others.
"""
SLOT, LABEL, SOURCE, DETECTIONS, PEAK, OBJECTS, TRACKED = range(7)
COVERED_MS = TRACKED

_MOST_GROUPS = 20_000_000
"""Of a grid of bars, labels and sources that is counted through at once."""
_UNKNOWN_RATE = 1
RowT = TypeVar("RowT", bound=Bucket | CoverageBucket)


class CountColumns(Sequence[RowT]):
    """The bars or the coverage of an answer by columns; rows are made for a caller that reads them.

    Attributes:
        cells: What is counted, shape (7, n), with the start in milliseconds for the slot.
        labels: Labels by their number in `cells`.
        sources: Sources by theirs; None: all together.
    """

    def __init__(
        self, kind: type[RowT], cells: Cells, labels: Sequence[str], sources: Sequence[str | None]
    ) -> None:
        self.kind: type[RowT] = kind
        self.cells, self.labels, self.sources = cells, labels, sources

    @cached_property
    def values(self) -> tuple[list[Any], ...]:
        """Return the columns of the rows, in the order of their fields."""
        cells, sources = self.cells, self.sources
        start_ms, label, source, detections, peak = cells[:OBJECTS].tolist()
        objects, tracked = (none_where(numbers < 0, numbers) for numbers in cells[[OBJECTS, TRACKED]])
        names = [sources[number] for number in source] if len(sources) > 1 else [*sources] * len(source)
        if self.kind is Bucket:
            return start_ms, [self.labels[n] for n in label], detections, peak, objects, names, tracked
        return start_ms, detections, to_rates(cells[PEAK]), names, objects, tracked

    @cached_property
    def _rows(self) -> list[RowT]:
        new_row: Callable[[Any], RowT] = partial(tuple.__new__, self.kind)
        return [*map(new_row, zip(*self.values, strict=True))]

    def __len__(self) -> int:
        return len(self.cells[SLOT])

    @overload
    def __getitem__(self, place: int) -> RowT: ...
    @overload
    def __getitem__(self, place: slice) -> list[RowT]: ...
    def __getitem__(self, place: int | slice) -> RowT | list[RowT]:
        return self._rows[place]

    def __iter__(self) -> Iterator[RowT]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        """Return whether these are the rows of another sequence."""
        return isinstance(other, Sequence) and self._rows == list(other)

    __hash__ = None  # type: ignore[assignment]


def columns_of(
    bars: Sequence[Bucket], coverage: Sequence[CoverageBucket]
) -> tuple[CountColumns[Bucket], CountColumns[CoverageBucket]]:
    """Return the bars and the coverage of one answer as columns, with the same numbers of sources."""
    if isinstance(bars, CountColumns) and isinstance(coverage, CountColumns):
        return bars, coverage
    labels = {name: number for number, name in enumerate(sorted({bar.label for bar in bars}))}
    names = dict.fromkeys(chain((bar.source for bar in bars), (part.source for part in coverage)))
    sources = {name: number for number, name in enumerate(names)}
    counted = [
        (bar[0], labels[bar.label], sources[bar.source], bar.detections, bar.peak, bar.objects, bar[6])
        for bar in bars
    ]
    filmed = [
        (part[0], 0, sources[part.source], part.frames, from_rate(part[2]), part.objects, part.covered_ms)
        for part in coverage
    ]
    return (
        CountColumns(Bucket, _cells(counted), [*labels], [*sources]),
        CountColumns(CoverageBucket, _cells(filmed), [""], [*sources]),
    )


def join(
    parts: Sequence[tuple[Sequence[Bucket], Sequence[CoverageBucket]]],
    starts: Sequence[Mapping[int, int]] | None = None,
) -> tuple[CountColumns[Bucket], CountColumns[CoverageBucket]]:
    """Return the bars and the coverage of several answers, added up; those in `starts` with other starts."""
    columns = [columns_of(*part) for part in parts]
    if len(parts) == 1 and starts == [{}]:
        return columns[0]
    starts = starts or [{}] * len(parts)
    return _joined([bars for bars, _ in columns], starts), _joined([filmed for _, filmed in columns], starts)


def _joined(parts: Sequence[CountColumns[RowT]], starts: Sequence[Mapping[int, int]]) -> CountColumns[RowT]:
    labels = [*dict.fromkeys(name for part in parts for name in part.labels)]
    sources = [*dict.fromkeys(name for part in parts for name in part.sources)]
    blocks = []
    for part, moved in zip(parts, starts, strict=True):
        cells = part.cells.copy()
        tables: tuple[tuple[int, Sequence[Any], list[Any]], ...] = (
            (LABEL, part.labels, labels),
            (SOURCE, part.sources, sources),
        )
        for row, names, all_names in tables:
            if names != all_names:
                cells[row] = np.array([all_names.index(name) for name in names], np.int64)[cells[row]]
        for start_ms, new_ms in moved.items():
            cells[SLOT, part.cells[SLOT] == start_ms] = new_ms
        blocks.append(cells)
    all_cells = np.concatenate(blocks, axis=1)
    # An answer whose bars have moved, none of them to the start of another, stays as it is.
    if len(parts) == 1 and starts[0] and _starts(all_cells) == _starts(parts[0].cells):
        return CountColumns(parts[0].kind, all_cells, labels, sources)
    sums = add_up(all_cells, all_cells[LABEL], all_cells[SLOT], all_cells[SOURCE])
    return CountColumns(parts[0].kind, in_order(sums, labels, sources), labels, sources)


def _starts(cells: Cells) -> int:
    return len(np.unique(cells[SLOT]))


def in_order(cells: Cells, labels: Sequence[str], sources: Sequence[str | None]) -> Cells:
    """Return cells by start, label and source, as names are in order."""
    by_source = _ranks([name or "" for name in sources])[cells[SOURCE]]
    return cells[:, np.lexsort((by_source, _ranks(labels)[cells[LABEL]], cells[SLOT]))]


def _ranks(names: Sequence[str]) -> NDArray[np.int64]:
    """Return by number of a name its place in the order of names."""
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks


def _cells(rows: Sequence[tuple[int | None, ...]]) -> Cells:
    numbers = [[-1 if number is None else number for number in row] for row in rows]
    return np.array(numbers, np.int64).reshape(-1, 7).T


def add_up(cells: Cells, label: Any, slot: Any, source: Any) -> NDArray[np.int64]:
    """Return cells of the same label, slot and source added up, by these three.

    These are given of each cell, or one for all; the cells' own are not looked at.
    """
    if not cells.shape[1]:
        return np.empty((7, 0), np.int64)
    group: Any = 0
    lows, sizes = [], []
    for number in map(np.asarray, (label, slot, source)):
        low, high = int(number.min()), int(number.max())
        lows.append(low)
        sizes.append(high - low + 1)
        if low < high:
            group = group * sizes[-1] + (number.astype(np.int64) - low)
    group = np.broadcast_to(group, cells.shape[1:])
    if sizes[0] * sizes[1] * sizes[2] > _MOST_GROUPS:  # many short bars of many names
        groups, index = np.unique(group, return_inverse=True)
    else:
        groups = np.flatnonzero(np.bincount(group))
        index = np.empty(int(groups[-1]) + 1, np.int64)
        index[groups] = np.arange(len(groups))
        index = index[group]
    peak = np.full(len(groups), np.iinfo(np.int64).min)
    np.maximum.at(peak, index, cells[PEAK].astype(np.int64, copy=False))
    known_sums = []
    for row in (OBJECTS, TRACKED):
        of_group = np.bincount(index, cells[row]).astype(np.int64)
        of_group[index[cells[row] < 0]] = -1
        known_sums.append(of_group)
    rest, source = np.divmod(groups, sizes[2])
    label, slot = np.divmod(rest, sizes[1])
    # Sums as floats are exact up to 2**53.
    sums = (np.bincount(index, cells[DETECTIONS]).astype(np.int64), peak, *known_sums)
    return np.stack([slot + lows[1], label + lows[0], source + lows[2], *sums])


def from_rate(fps: float | None) -> int:
    """Return a number that is the greater the slower the rate is, and the greatest for None."""
    # The bits of floating-point numbers that are not negative are in the order of the numbers.
    return _UNKNOWN_RATE if fps is None else -int(np.float64(fps).view(np.int64))


def to_rates(numbers: NDArray[np.int64]) -> list[float | None]:
    """Return the rates that `from_rate` made numbers of."""
    return none_where(numbers == _UNKNOWN_RATE, (-numbers).view(np.float64))


def none_where(is_unknown: NDArray[np.bool_], numbers: NDArray[Any]) -> list[Any]:
    """Return numbers as Python's, None for those that are not known."""
    if is_unknown.all():
        return [None] * len(numbers)
    values: list[Any] = numbers.tolist()
    for place in is_unknown.nonzero()[0].tolist():
        values[place] = None
    return values
