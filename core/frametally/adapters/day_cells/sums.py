"""Answers a query from the cells of runs, piece by piece of its range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frametally.adapters.day_cells.catalogue import CurrentRun
from frametally.adapters.day_cells.cells import (
    COVERED_MS,
    LABEL,
    OBJECTS,
    PEAK,
    TRACKED,
    Cells,
    RunCells,
    add_up,
    to_rates,
)
from frametally.adapters.day_cells.kept_cells import KeptCells
from frametally.adapters.day_cells.storage import DETECTIONS, SLOT, SOURCE
from frametally.ports.count_index import Bucket, CountQuery, CoverageBucket
from frametally.ports.count_questions import MAX_BUCKETS
from frametally.ports.steps import Piece
from frametally.rules.times import DAY_MS, HOUR_MS, MONDAY_TO_1970_MS, WEEK_MS
from frametally.rules.week_parts import WeekParts

Batch = Sequence[tuple[CurrentRun, RunCells]]


def bars_of(batch: Batch, kept_cells: KeptCells, query: CountQuery, piece: Piece) -> list[Bucket]:
    """Return bars by start, label and source, at most one more than an answer may have."""
    of_each = query.by_source or query.sources or query.measured_only
    parts = [(run, cells.counts if of_each else cells.together) for run, cells in batch]
    cells = _put_together(_selected(parts, kept_cells, query, piece), kept_cells, query, piece)
    labels, sources = _label_names(kept_cells), [*kept_cells.sources]
    return _tuples(
        Bucket,
        cells[SLOT].tolist(),
        [labels[number] for number in cells[LABEL].tolist()],
        cells[DETECTIONS].tolist(),
        cells[PEAK].tolist(),
        _or_none(cells[OBJECTS]),
        [sources[number] for number in cells[SOURCE].tolist()] if query.by_source else repeat(None),
        _or_none(cells[TRACKED]),
    )


def coverage_of(batch: Batch, kept_cells: KeptCells, query: CountQuery, piece: Piece) -> list[CoverageBucket]:
    """Return the coverage by start and source, at most one more than an answer may have."""
    parts = [(run, cells.coverage) for run, cells in batch]
    query = query._replace(labels=(), apart=None)
    cells = _put_together(_selected(parts, kept_cells, query, piece), kept_cells, query, piece)
    sources = [*kept_cells.sources]
    return _tuples(
        CoverageBucket,
        cells[SLOT].tolist(),
        cells[DETECTIONS].tolist(),
        to_rates(cells[PEAK]),
        [sources[number] for number in cells[SOURCE].tolist()] if query.by_source else repeat(None),
        _or_none(cells[OBJECTS]),
        _or_none(cells[COVERED_MS]),
    )


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
    chosen: list[Cells] = []
    for run, cells in parts:
        of_labels = [cells]
        if query.labels:
            firsts, ends = (cells[LABEL].searchsorted(labels, side) for side in _SIDES)
            of_labels = [cells[:, first:end] for first, end in zip(firsts, ends, strict=True) if first < end]
        for label_cells in of_labels:
            if piece.from_ms is not None and run.day_ms < piece.from_ms:
                label_cells = label_cells[:, label_cells[SLOT] >= -(-piece.from_ms // step_ms)]
            if piece.to_ms is not None and run.day_ms + DAY_MS > piece.to_ms:
                label_cells = label_cells[:, label_cells[SLOT] < -(-piece.to_ms // step_ms)]
            chosen.append(label_cells)
    cells = np.concatenate(chosen, axis=1) if chosen else np.empty((7, 0), np.int64)
    if query.measured_only:
        cells = cells[:, cells[OBJECTS] >= 0]
    if query.week_parts and cells.shape[1]:
        cells = cells[:, _is_of_parts(cells[SLOT], query.week_parts, step_ms)]
    return (
        cells[:, np.isin(cells[SOURCE], _numbers(kept_cells.sources, query.sources))]
        if query.sources
        else cells
    )


def _is_of_parts(slots: NDArray[Any], parts: WeekParts, step_ms: int) -> NDArray[np.bool_]:
    """Return of each slot whether it is of these parts of the week; the step divides their borders."""
    first = int(slots.min())  # looked at once per slot, not per cell
    starts_ms = np.arange(first, int(slots.max()) + 1, dtype=np.int64) * step_ms
    borders_ms = np.array(parts).ravel()
    borders_before = np.searchsorted(borders_ms, (starts_ms + MONDAY_TO_1970_MS) % WEEK_MS, side="right")
    is_inside: NDArray[np.bool_] = (borders_before % 2 == 1)[slots - first]
    return is_inside


_SIDES: tuple[Any, Any] = ("left", "right")


def _put_together(cells: Cells, kept_cells: KeptCells, query: CountQuery, piece: Piece) -> NDArray[np.int64]:
    """Return cells added up by bars, with the start of the bar for the slot; by start, label and source."""
    if not cells.shape[1]:
        return np.empty((7, 0), np.int64)
    # A step divides the bars that it serves, and their offset.
    step_ms, bar_ms, offset_ms = piece.step_s * 1000, query.bar_s * 1000, query.offset_ms
    if query.of_week:
        offset_ms += MONDAY_TO_1970_MS
    first = int(cells[SLOT].min())  # divided once per slot, not per cell
    of_slot = (np.arange(first, cells[SLOT].max() + 1) + offset_ms // step_ms) // (bar_ms // step_ms)
    if query.of_week:
        of_slot %= WEEK_MS // HOUR_MS
    bar = of_slot[cells[SLOT] - first]
    sums = add_up(
        cells, _apart(cells[LABEL], kept_cells, query), bar, cells[SOURCE] if query.by_source else 0
    )
    sums[SLOT] = sums[SLOT] * bar_ms - (0 if query.of_week else offset_ms)
    of_source = _ranks([*kept_cells.sources])[sums[SOURCE]] if query.by_source else sums[SOURCE]
    of_label = _ranks(_label_names(kept_cells))[sums[LABEL]]
    return sums[:, np.lexsort((of_source, of_label, sums[SLOT]))[: MAX_BUCKETS + 1]]


_TOGETHER = -1
"""The number of the labels that a query has together."""


def _label_names(kept_cells: KeptCells) -> list[str]:
    """Return labels by their numbers, that of those together among them: it is the last one."""
    return [*kept_cells.labels, ""]


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


def _ranks(names: Sequence[str]) -> NDArray[np.int64]:
    """Return by number of a name its place in the order of names."""
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks


def _or_none(numbers: NDArray[np.int64]) -> list[int | None]:
    values: list[int | None] = numbers.tolist()
    for place in np.flatnonzero(numbers < 0).tolist():
        values[place] = None
    return values


def _tuples(kind: type[Any], *columns: Any) -> list[Any]:
    """Return named tuples of some columns; as many as the first has."""
    return [*map(partial(tuple.__new__, kind), zip(*columns, strict=False))]
