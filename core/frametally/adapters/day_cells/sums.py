"""Answers a query from the cells of runs, piece by piece of its range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frametally.adapters.day_cells.cells import RunCells
from frametally.adapters.day_cells.day_index import CurrentRun, KeptCells
from frametally.ports.columns import (
    LABEL,
    OBJECTS,
    PEAK,
    SLOT,
    SOURCE,
    Cells,
    CountColumns,
    RowT,
    add_up,
    in_order,
)
from frametally.ports.count_index import NO_LABEL, Bucket, CountQuery, CoverageBucket
from frametally.ports.count_questions import MAX_BUCKETS, Piece
from frametally.rules.times import DAY_MS, HOUR_MS, MONDAY_TO_1970_MS, WEEK_MS
from frametally.rules.week_parts import WeekParts

Batch = Sequence[tuple[CurrentRun, RunCells]]
_MOST_CELLS = 300_000
"""Of several pieces of a range, until they are added up."""


def counts_of(
    batches: Iterable[tuple[Piece, Batch]], kept_cells: KeptCells, query: CountQuery
) -> tuple[CountColumns[Bucket], CountColumns[CoverageBucket]]:
    """Return the bars, none if the query has `NO_LABEL`, and the coverage; see `_Sums.columns`."""
    of_each = query.by_source or query.sources or query.measured_only
    bars, covered = _Sums(kept_cells, query), _Sums(kept_cells, query._replace(labels=(), apart=None))
    for piece, batch in batches:
        if query.labels != NO_LABEL:
            bars.add([(run, cells.counts if of_each else cells.together) for run, cells in batch], piece)
        covered.add([(run, cells.coverage) for run, cells in batch], piece)
    sources = [*kept_cells.sources] if query.by_source else [None]
    labels = [*kept_cells.labels, ""]  # the last one is `_TOGETHER`
    return bars.columns(Bucket, labels, sources), covered.columns(CoverageBucket, [""], sources)


def busiest(
    batch: Batch, kept_cells: KeptCells, query: CountQuery, piece: Piece, limit: int
) -> Iterator[tuple[int, str, str]]:
    """Give start, source and label of the `limit` bars of each label with the greatest peaks.

    Of equal peaks the earlier are taken; with the last that is taken go those of its start and peak.
    """
    cells = _selected([(run, cells.counts) for run, cells in batch], kept_cells, query, piece)
    cells = cells[:, np.lexsort((cells[SLOT], -cells[PEAK], cells[LABEL]))]
    first, end = (cells[LABEL].searchsorted(cells[LABEL], side) for side in _SIDES)
    last = cells[:, np.minimum(first + limit, end) - 1]
    is_level = (cells[PEAK] == last[PEAK]) & (cells[SLOT] == last[SLOT])
    labels, sources = [*kept_cells.labels], [*kept_cells.sources]
    for slot, label, source in cells[:3, (np.arange(len(first)) - first < limit) | is_level].T.tolist():
        yield slot * piece.step_s * 1000, sources[source], labels[label]


def _selected(
    parts: Sequence[tuple[CurrentRun, Cells]], kept_cells: KeptCells, query: CountQuery, piece: Piece
) -> Cells:
    """Return the cells that a query selects in a piece."""
    step_ms = piece.step_s * 1000
    labels = _numbers(kept_cells.labels, query.labels)
    is_source = np.zeros(len(kept_cells.sources), np.bool_)
    is_source[_numbers(kept_cells.sources, query.sources)] = True
    chosen: list[Cells] = []
    for run, cells in parts:
        of_labels = [cells]
        if query.labels:
            firsts, ends = (cells[LABEL].searchsorted(labels, side) for side in _SIDES)
            of_labels = [cells[:, first:end] for first, end in zip(firsts, ends, strict=True) if first < end]
        for label_cells in of_labels:
            masks: list[NDArray[np.bool_]] = []
            if query.sources:
                masks.append(is_source[label_cells[SOURCE]])
            if piece.from_ms is not None and run.day_ms < piece.from_ms:
                masks.append(label_cells[SLOT] >= -(-piece.from_ms // step_ms))
            if piece.to_ms is not None and run.day_ms + DAY_MS > piece.to_ms:
                masks.append(label_cells[SLOT] < -(-piece.to_ms // step_ms))
            if masks:  # all rows of the cells are copied once
                label_cells = label_cells.compress(np.logical_and.reduce(masks), axis=1)
            chosen.append(label_cells)
    cells = np.concatenate(chosen, axis=1) if chosen else np.empty((7, 0), np.int64)
    if query.measured_only:
        cells = cells.compress(cells[OBJECTS] >= 0, axis=1)
    if query.week_parts and cells.shape[1]:
        cells = cells.compress(_is_of_parts(cells[SLOT], query.week_parts, step_ms), axis=1)
    return cells


def _is_of_parts(slots: NDArray[Any], parts: WeekParts, step_ms: int) -> NDArray[np.bool_]:
    """Return of each slot whether it is of these parts of the week; the step divides their borders."""
    first = int(slots.min())  # looked at once per slot, not per cell
    starts_ms = np.arange(first, int(slots.max()) + 1, dtype=np.int64) * step_ms
    borders_ms = np.array(parts).ravel()
    borders_before = np.searchsorted(borders_ms, (starts_ms + MONDAY_TO_1970_MS) % WEEK_MS, side="right")
    is_inside: NDArray[np.bool_] = (borders_before % 2 == 1)[slots - first]
    return is_inside


_SIDES: tuple[Any, Any] = ("left", "right")


class _Sums:
    """The cells of a query, added up by bar, label and source; the number of the bar stands for the slot."""

    def __init__(self, kept_cells: KeptCells, query: CountQuery) -> None:
        self._kept_cells, self._query = kept_cells, query
        self._bar_ms = (query.interval_s or query.base_interval_s) * 1000
        # A step divides the bars that it serves, and their offset.
        self._offset_ms = query.offset_ms + (MONDAY_TO_1970_MS if query.of_week else 0)
        self._parts: list[Cells] = []

    def add(self, parts: Sequence[tuple[CurrentRun, Cells]], piece: Piece) -> None:
        """Add the cells of some runs, as far as the query selects them in a piece."""
        query, step_ms = self._query, piece.step_s * 1000
        cells = _selected(parts, self._kept_cells, query, piece)
        if not cells.shape[1]:
            return
        first = int(cells[SLOT].min())  # divided once per slot, not per cell
        slots = np.arange(first, cells[SLOT].max() + 1) + self._offset_ms // step_ms
        of_slot = slots // (self._bar_ms // step_ms)
        if query.of_week:
            of_slot %= WEEK_MS // HOUR_MS
        cells[SLOT] = of_slot[cells[SLOT] - first]
        cells[LABEL] = _apart(cells[LABEL], self._kept_cells, query)
        if not query.by_source:
            cells[SOURCE] = 0
        self._parts.append(cells)
        if sum(part.shape[1] for part in self._parts) > _MOST_CELLS:
            self._parts = [self._added_up()]

    def columns(
        self, kind: type[RowT], labels: list[str], sources: Sequence[str | None]
    ) -> CountColumns[RowT]:
        """Return the sums by start, label and source, at most one more than an answer may have."""
        sums = self._added_up()
        sums[SLOT] = sums[SLOT] * self._bar_ms - (0 if self._query.of_week else self._offset_ms)
        return CountColumns(kind, in_order(sums, labels, sources)[:, : MAX_BUCKETS + 1], labels, sources)

    def _added_up(self) -> Cells:
        if not self._parts:
            return np.empty((7, 0), np.int64)
        cells = np.concatenate(self._parts, axis=1)
        return add_up(cells, cells[LABEL], cells[SLOT], cells[SOURCE])


_TOGETHER = -1
"""The number of the labels that a query has together."""


def _apart(labels: NDArray[np.integer[Any]], kept_cells: KeptCells, query: CountQuery) -> Any:
    """Return the numbers of labels as a query tells them apart."""
    if query.apart is None:
        return labels
    numbers: NDArray[np.int64] = np.full(int(labels.max()) + 1, _TOGETHER)
    apart = _numbers(kept_cells.labels, query.apart)
    apart = apart[apart < len(numbers)]
    numbers[apart] = apart
    return numbers[labels]


def _numbers(numbers: Mapping[str, int], names: Sequence[str]) -> NDArray[np.int32]:
    """Return the numbers of some names, of those that have any."""
    return np.array(sorted({numbers[name] for name in names if name in numbers}), np.int32)
