"""The cells of runs, added up: arrays add up ten times as fast as rows, and a chart needs no rows.

An answer is built from the cells of runs, one piece of its range at a time, with its bars as columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from frametally.adapters.day_cells.storage import BLANK_REASONS, CurrentRun, KeptCells, Piece, RunCells
from frametally.ports.count_index import (
    FAST_LABELS,
    NO_LABEL,
    NOT_LOOKED_AT,
    WEAK_LABELS,
    BlankBucket,
    Bucket,
    CountQuery,
    CoverageBucket,
)
from frametally.rules.known import NAMES_OF_TRACKS, are_too_fast, is_too_weak
from frametally.rules.times import DAY_MS, HOUR_MS, MONDAY_TO_1970_MS, WEEK_MS
from frametally.rules.week_parts import WeekParts

if TYPE_CHECKING:
    from frametally.adapters.day_cells.storage import Cells

Batch = Sequence[tuple[CurrentRun, RunCells]]

SLOT, LABEL, SOURCE, DETECTIONS, PEAK, OBJECTS, TRACKED = range(7)
FAST = OBJECTS + NAMES_OF_TRACKS.index("fast_objects")
ROWS = OBJECTS + len(NAMES_OF_TRACKS)
"""The rows of `Cells`."""
COVERED_MS = TRACKED
BlankRows = list[BlankBucket]
_NOT_LOOKED_AT = BLANK_REASONS.index(NOT_LOOKED_AT)

_MOST_GROUPS = 20_000_000
"""The largest grid of bars, labels and sources that is counted in one array; larger ones are sorted."""
_UNKNOWN_RATE = 1
RowT = TypeVar("RowT", bound=Bucket | CoverageBucket)


class CountColumns(Sequence[RowT]):
    """The bars or the coverage of an answer by columns; rows are made only for callers that read them.

    Attributes:
        cells: The counted values, as `Cells`, with the start in milliseconds for the slot.
        labels: Labels by their number in `cells`.
        sources: Sources by their number; None for all together.
    """

    def __init__(
        self, kind: type[RowT], cells: Cells, labels: Sequence[str], sources: Sequence[str | None]
    ) -> None:
        self.kind: type[RowT] = kind
        self.cells, self.labels, self.sources = cells, labels, sources

    @cached_property
    def values(self) -> tuple[list[Any], ...]:
        """The columns of the rows, in the order of their fields."""
        cells, sources = self.cells, self.sources
        start_ms, label, source, detections, peak = cells[:OBJECTS].tolist()
        objects, tracked = (none_where(cells[row] < 0, cells[row]) for row in (OBJECTS, TRACKED))
        names = [sources[number] for number in source] if len(sources) > 1 else [*sources] * len(source)
        if self.kind is Bucket:
            rest = (none_where(cells[row] < 0, cells[row]) for row in range(TRACKED + 1, ROWS))
            label_names = [self.labels[n] for n in label]
            return start_ms, label_names, detections, peak, objects, names, tracked, *rest
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
        """Return whether another sequence has the same rows."""
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
        (bar[0], labels[bar.label], sources[bar.source], bar.detections, bar.peak, bar.objects, *bar[6:])
        for bar in bars
    ]
    filmed = [
        (part[0], 0, sources[part.source], part.frames, from_rate(part[2]), part.objects, part.covered_ms)
        + (0,) * (ROWS - COVERED_MS - 1)
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
    """Return the bars and the coverage of several answers, added up, after moving the starts in `starts`."""
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
    # If the bars of a single answer have moved, but none onto another's start, there is nothing to add up.
    if len(parts) == 1 and starts[0] and _starts(all_cells) == _starts(parts[0].cells):
        return CountColumns(parts[0].kind, all_cells, labels, sources)
    sums = add_up(all_cells, all_cells[LABEL], all_cells[SLOT], all_cells[SOURCE])
    return CountColumns(parts[0].kind, in_order(sums, labels, sources), labels, sources)


def _starts(cells: Cells) -> int:
    return len(np.unique(cells[SLOT]))


def in_order(cells: Cells, labels: Sequence[str], sources: Sequence[str | None]) -> Cells:
    """Return cells by start, label and source, the latter two in the order of names."""
    by_source = _ranks([name or "" for name in sources])[cells[SOURCE]]
    return cells[:, np.lexsort((by_source, _ranks(labels)[cells[LABEL]], cells[SLOT]))]


def _ranks(names: Sequence[str]) -> NDArray[np.int64]:
    """Return the rank of each name, by its number."""
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks


def _cells(rows: Sequence[tuple[int | None, ...]]) -> Cells:
    numbers = [[-1 if number is None else number for number in row] for row in rows]
    return np.array(numbers, np.int64).reshape(-1, ROWS).T


def add_up(cells: Cells, label: Any, slot: Any, source: Any) -> NDArray[np.int64]:
    """Return cells with the same label, slot and source added up, ordered by these three.

    Each of these is an array over the cells or one value for all; the cells' own values are ignored.
    """
    if not cells.shape[1]:
        return np.empty((ROWS, 0), np.int64)
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
    for row in range(OBJECTS, ROWS):
        of_group = np.bincount(index, cells[row]).astype(np.int64)
        of_group[index[cells[row] < 0]] = -1
        known_sums.append(of_group)
    rest, source = np.divmod(groups, sizes[2])
    label, slot = np.divmod(rest, sizes[1])
    # Sums as floats are exact up to 2**53.
    sums = (np.bincount(index, cells[DETECTIONS]).astype(np.int64), peak, *known_sums)
    return np.stack([slot + lows[1], label + lows[0], source + lows[2], *sums])


def from_rate(fps: float | None) -> int:
    """Return a number that is greater for slower rates, and greatest for None."""
    # The bits of non-negative floating-point numbers sort as the numbers do.
    return _UNKNOWN_RATE if fps is None else -int(np.float64(fps).view(np.int64))


def to_rates(numbers: NDArray[np.int64]) -> list[float | None]:
    """Return the rates that `from_rate` encoded."""
    return none_where(numbers == _UNKNOWN_RATE, (-numbers).view(np.float64))


def none_where(is_unknown: NDArray[np.bool_], numbers: NDArray[Any]) -> list[Any]:
    """Return the numbers as Python values, or None where unknown."""
    if is_unknown.all():
        return [None] * len(numbers)
    values: list[Any] = numbers.tolist()
    for place in is_unknown.nonzero()[0].tolist():
        values[place] = None
    return values


_MOST_CELLS = 300_000
"""How many cells of several pieces of a range are collected before they are added up."""


def counts_of(
    batches: Iterable[tuple[Piece, Batch]], kept_cells: KeptCells, query: CountQuery
) -> tuple[CountColumns[Bucket], CountColumns[CoverageBucket], BlankRows]:
    """Return the bars, none if the query has `NO_LABEL`, the coverage, and what shows nothing.

    Coverage lacks bars in which all frames show nothing. See `_Sums.columns`.
    """
    of_each = query.by_source or query.sources or query.measured_only
    of_footage = query._replace(labels=(), apart=None)
    bars, covered, blank = (_Sums(kept_cells, part) for part in (query, of_footage, of_footage))
    for piece, batch in batches:
        if query.labels != NO_LABEL:
            bars.add([(run, cells.counts if of_each else cells.together) for run, cells in batch], piece)
        covered.add([(run, cells.coverage) for run, cells in batch], piece)
        blank.add([(run, blank_cells(cells)) for run, cells in batch], piece)
    sources = [*kept_cells.sources] if query.by_source else [None]
    labels = [*kept_cells.labels, FAST_LABELS, WEAK_LABELS, ""]  # the last ones are `_FAST` and so on
    nothing = blank.sums_by_start()
    filmed = covered.columns(CoverageBucket, [""], sources, all_blank=nothing)
    blank_rows = blank_buckets(in_order(nothing, BLANK_REASONS, sources), sources)
    return bars.columns(Bucket, labels, sources), filmed, blank_rows


def busiest(
    batch: Batch, kept_cells: KeptCells, query: CountQuery, piece: Piece, limit: int
) -> Iterator[tuple[int, str, str]]:
    """Yield start, source and label of the `limit` bars of each label with the greatest peaks.

    Of equal peaks, earlier ones come first; bars with the start and peak of the last one are included.
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
            if masks:  # copies all rows of the cells once
                label_cells = label_cells.compress(np.logical_and.reduce(masks), axis=1)
            chosen.append(label_cells)
    cells = np.concatenate(chosen, axis=1) if chosen else np.empty((ROWS, 0), np.int64)
    if query.measured_only:
        cells = cells.compress(cells[OBJECTS] >= 0, axis=1)
    if query.week_parts and cells.shape[1]:
        cells = cells.compress(_is_of_parts(cells[SLOT], query.week_parts, step_ms), axis=1)
    return cells


def _is_of_parts(slots: NDArray[Any], parts: WeekParts, step_ms: int) -> NDArray[np.bool_]:
    """Return for each slot whether it is in these parts of the week; the step divides their borders."""
    first = int(slots.min())  # checked once per slot, not per cell
    starts_ms = np.arange(first, int(slots.max()) + 1, dtype=np.int64) * step_ms
    borders_ms = np.array(parts).ravel()
    borders_before = np.searchsorted(borders_ms, (starts_ms + MONDAY_TO_1970_MS) % WEEK_MS, side="right")
    is_inside: NDArray[np.bool_] = (borders_before % 2 == 1)[slots - first]
    return is_inside


_SIDES: tuple[Any, Any] = ("left", "right")


class _Sums:
    """The cells of a query, added up by bar, label and source, with the bar's number as the slot."""

    def __init__(self, kept_cells: KeptCells, query: CountQuery) -> None:
        self._kept_cells, self._query = kept_cells, query
        self._bar_ms = (query.interval_s or query.base_interval_s) * 1000
        # A step divides the bars that it serves, and their offset.
        self._offset_ms = query.offset_ms + (MONDAY_TO_1970_MS if query.of_week else 0)
        self._parts: list[Cells] = []

    def add(self, parts: Sequence[tuple[CurrentRun, Cells]], piece: Piece) -> None:
        """Add the cells of some runs that the query selects in a piece."""
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
        if not query.by_source:
            cells[SOURCE] = 0
        self._parts.append(cells)
        if sum(part.shape[1] for part in self._parts) > _MOST_CELLS:
            self._parts = [self._added_up()]

    def columns(
        self,
        kind: type[RowT],
        labels: list[str],
        sources: Sequence[str | None],
        *,
        all_blank: Cells | None = None,
    ) -> CountColumns[RowT]:
        """Return the sums by start, label and source, at most one more than an answer may have.

        Leaves out bars without a frame that are in `all_blank`, the sums of what shows nothing.
        """
        sums = self.sums_by_start()
        if all_blank is not None and not sums[DETECTIONS].all():
            sums = sums.compress((sums[DETECTIONS] > 0) | ~is_blank(sums, all_blank, len(sources)), axis=1)
        cells = in_order(sums, labels, sources)[:, : self._query.most_bars + 1]
        return CountColumns(kind, cells, labels, sources)

    def sums_by_start(self) -> Cells:
        """Return the sums, with the start in milliseconds as the slot."""
        sums = self._added_up()
        if self._query.apart is not None and sums.shape[1]:
            sums = add_up(sums, _apart(sums, self._kept_cells, self._query), sums[SLOT], sums[SOURCE])
        sums[SLOT] = sums[SLOT] * self._bar_ms - (0 if self._query.of_week else self._offset_ms)
        return sums

    def _added_up(self) -> Cells:
        if not self._parts:
            return np.empty((ROWS, 0), np.int64)
        cells = np.concatenate(self._parts, axis=1)
        return add_up(cells, cells[LABEL], cells[SLOT], cells[SOURCE])


_FAST, _WEAK, _TOGETHER = -3, -2, -1
"""The numbers of the labels that a query combines."""


def _apart(sums: Cells, kept_cells: KeptCells, query: CountQuery) -> Any:
    """Return the label number of each sum, combining labels as the query says."""
    is_known = (sums[OBJECTS] >= 0) & (sums[TRACKED] >= 0)
    is_weak = is_known & is_too_weak(sums[DETECTIONS], sums[TRACKED])
    is_fast = is_known & are_too_fast(sums[FAST], sums[OBJECTS])
    together = np.full(sums.shape[1], _TOGETHER)
    if query.partial_apart:
        together = np.where(is_weak, _WEAK, np.where(is_fast, _FAST, _TOGETHER))
    return np.where(
        np.isin(sums[LABEL], _numbers(kept_cells.labels, query.apart or ())), sums[LABEL], together
    )


def _numbers(numbers: Mapping[str, int], names: Sequence[str]) -> NDArray[np.int32]:
    """Return the numbers of those names that have one."""
    return np.array(sorted({numbers[name] for name in names if name in numbers}), np.int32)


def blank_cells(cells: RunCells) -> Cells:
    """Return the cells of footage that shows nothing, or was not checked."""
    if cells.blank is not None:
        return cells.blank
    return not_looked_at(cells.coverage)


def not_looked_at(coverage: Cells) -> Cells:
    """Return cells of coverage as those of footage that was not checked."""
    unknown: Cells = coverage.copy()
    unknown[LABEL] = _NOT_LOOKED_AT
    np.maximum(unknown, 0, out=unknown, where=np.arange(ROWS)[:, None] >= DETECTIONS)
    return unknown


def blank_buckets(cells: Cells, sources: Sequence[str | None]) -> BlankRows:
    """Return blank cells, whose slots are starts in milliseconds, as rows."""
    return [
        BlankBucket(start_ms, BLANK_REASONS[reason], frames, covered_ms, sources[source])
        for start_ms, reason, source, frames, _, _, covered_ms, *_ in cells.T.tolist()
    ]


def is_blank(cells: Cells, blank: Cells, sources: int) -> NDArray[np.bool_]:
    """Return for each cell whether its slot and source, one of `sources`, have blank footage."""
    places: Any = blank[:, blank[LABEL] != _NOT_LOOKED_AT]
    return np.isin(cells[SLOT] * sources + cells[SOURCE], places[SLOT] * sources + places[SOURCE])
