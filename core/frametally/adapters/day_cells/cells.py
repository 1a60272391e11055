"""A run's counts and coverage for one step, as arrays, and their sums.

A database reads arrays, and numpy adds them up, ten times as fast as rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from frametally.adapters.day_cells.parts import KeptParts, Parts, parts_in
from frametally.adapters.day_cells.storage import (
    BLANK_REASONS,
    BLANK_ROWS,
    STORED_ROWS,
    Packed,
    RunCells,
    encoded,
    later_rows,
    rolled_steps,
)
from frametally.adapters.day_cells.sums import (
    COVERED_MS,
    DETECTIONS,
    LABEL,
    OBJECTS,
    PEAK,
    ROWS,
    SLOT,
    SOURCE,
    TRACKED,
    add_up,
    blank_cells,
    from_rate,
    not_looked_at,
)
from frametally.ports.count_index import NOT_LOOKED_AT, DayPart, PartsReplaced
from frametally.records import Coverage, IntervalCount
from frametally.rules.known import NAMES_OF_TRACKS
from frametally.rules.times import HOUR_MS

if TYPE_CHECKING:
    from frametally.adapters.day_cells.storage import Cells


_OF_TRACKS = attrgetter(*NAMES_OF_TRACKS)
_REST = (0,) * (ROWS - COVERED_MS - 1)


class CountedTwice(Exception):
    """Two records describe the same bar."""


class CellPacker:
    """Collects the counts and the coverage of a run, and packs them for each step."""

    def __init__(self, day_ms: int, base_interval_s: int) -> None:
        self._day_ms = day_ms
        self._base_s = base_interval_s
        self._labels: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._counts, self._coverage, self._blank = array("q"), array("q"), array("q")
        self._is_looked_at = False

    def add_counts(self, counts: Iterable[IntervalCount]) -> None:
        """Add some counts."""
        for count in counts:
            label = self._labels.setdefault(count.label, len(self._labels))
            boxes = count.detections, count.peak
            self._counts.extend((*self._place(count, label), *boxes, *map(_or_unknown, _OF_TRACKS(count))))

    def add_coverage(self, coverage: Iterable[Coverage]) -> None:
        """Add some coverage."""
        for record in coverage:
            objects = (record.objects or 0) if record.is_measured or not record.frames else None
            measures = record.frames, from_rate(record.analysed_fps), _or_unknown(objects)
            self._coverage.extend(
                (*self._place(record, 0), *measures, _or_unknown(record.covered_ms), *_REST)
            )
            blank: Sequence[tuple[str, int, int]] = [(NOT_LOOKED_AT, record.frames, record.covered_ms or 0)]
            if record.blank is not UNSET:
                blank, self._is_looked_at = record.blank, True
            for reason, frames, covered_ms in blank:
                place = self._place(record, BLANK_REASONS.index(reason))
                self._blank.extend((*place, frames, 0, 0, covered_ms, *_REST))

    def add_kept(self, kept_parts: KeptParts, frames: int) -> None:
        """Add the cells that the run keeps from the previous one; the run has `frames` in all.

        Raises:
            PartsReplaced: With these cells it has another number of frames.
        """
        if (packed := kept_parts.packed) is None:
            return
        of_parts = cells_of_parts(packed, kept_parts.parts, self._day_ms, self._base_s)
        for cells, rows in zip(of_parts, (self._counts, self._coverage, self._blank), strict=True):
            if rows is self._counts:
                _renumber(cells, LABEL, packed.labels, self._labels)
            _renumber(cells, SOURCE, packed.sources, self._sources)
            rows.frombytes(np.ascontiguousarray(cells.T).tobytes())
        self._is_looked_at |= packed.blank is not None
        if sum(self._coverage[DETECTIONS::ROWS]) + self._blank_frames() != frames:
            raise PartsReplaced("the count index has other frames of a day than its run; index again")

    def _blank_frames(self) -> int:
        not_looked_at = BLANK_REASONS.index(NOT_LOOKED_AT)
        reasons, frames = self._blank[LABEL::ROWS], self._blank[DETECTIONS::ROWS]
        return sum(number for reason, number in zip(reasons, frames, strict=True) if reason != not_looked_at)

    def pack(self, parts: Parts) -> Iterator[tuple[int, bytes]]:
        """Yield each step, the base interval first (with the parts), with its stored bytes.

        Raises:
            CountedTwice: Two records describe the same bar.
        """
        counts, coverage, blank = (
            np.array(column, np.int64).reshape(-1, ROWS).T
            for column in (self._counts, self._coverage, self._blank)
        )
        labels = sorted(self._labels)  # so that most runs have them in the same order
        ranks = np.empty(len(labels), np.int64)
        ranks[[self._labels[name] for name in labels]] = np.arange(len(labels))
        counts[LABEL] = ranks[counts[LABEL]]
        writers = {
            writer: n for n, writer in enumerate(sorted({part.writer for part in parts.values()}, key=str))
        }
        of_parts = [
            (self._sources[part.source], part.hour, writers[writer], int(name or "0", 16))
            for part, (writer, name) in parts.items()
            if part.source in self._sources  # a comparison may have fewer records than the index
        ]
        for step_s in (self._base_s, *rolled_steps(self._base_s)):
            of_step = [
                add_up(cells, cells[LABEL], cells[SLOT] * self._base_s // step_s, cells[SOURCE])
                for cells in (counts, coverage, blank)
            ]
            if step_s == self._base_s and of_step[0].shape[1] + of_step[1].shape[1] < (
                counts.shape[1] + coverage.shape[1]
            ):
                raise CountedTwice
            later = of_step[0][TRACKED + 1 :]
            kind = "<i4" if of_step[0].max(initial=0) < 2**31 else "<i8"
            packed = Packed(
                labels,
                [*self._sources],
                of_step[0][:STORED_ROWS].astype(kind).tobytes(),
                kind,
                of_step[1][:STORED_ROWS].astype("<i8").tobytes(),
                of_step[0][TRACKED].astype(kind).tobytes(),
                of_step[1][COVERED_MS].astype("<i8").tobytes(),
                *(([*writers], of_parts) if step_s == self._base_s else ([], [])),
                of_step[2][:BLANK_ROWS].astype("<i8").tobytes() if self._is_looked_at else None,
                *(row.astype(kind).tobytes() if (row >= 0).any() else b"" for row in later),
            )
            yield step_s, encoded(packed)

    def _place(self, record: IntervalCount | Coverage, label: int) -> tuple[int, int, int]:
        slot = (record.interval_start_ms - self._day_ms) // (self._base_s * 1000)
        return slot, label, self._sources.setdefault(record.source, len(self._sources))


def cells_of_parts(
    packed: Packed, parts: Collection[DayPart], day_ms: int, base_interval_s: int
) -> tuple[Cells, Cells, Cells]:
    """Return the counts, coverage and blank cells of some parts, with the numbers of `packed`."""
    numbers = {name: number for number, name in enumerate(packed.sources)}
    places = [part.hour * len(numbers) + numbers[part.source] for part in parts]
    counts, coverage = (cells.astype(np.int64) for cells in _unpacked(packed))
    blank = not_looked_at(coverage) if packed.blank is None else _cells_in(packed.blank)

    def of_parts(cells: Cells) -> Cells:
        hours = (day_ms + cells[SLOT] * base_interval_s * 1000) // HOUR_MS
        return cells[:, np.isin(hours * len(numbers) + cells[SOURCE], places)]

    return of_parts(counts), of_parts(coverage), of_parts(blank)


def _unpacked(packed: Packed) -> Iterator[Cells]:
    """Yield the cells of counts and of coverage; a row of which no value is known is -1."""
    for body, rows, kind in (
        (packed.counts, (packed.tracked, *later_rows(packed)), packed.counts_dtype),
        (packed.coverage, (packed.covered,), "<i8"),
    ):
        columns = np.frombuffer(body, kind).reshape(STORED_ROWS, -1)
        cells = np.full((ROWS, columns.shape[1]), -1, kind)
        cells[:STORED_ROWS] = columns
        for row, stored in enumerate(rows, STORED_ROWS):
            if stored:
                cells[row] = np.frombuffer(stored, kind)
        yield cells


def _cells_in(stored: bytes) -> Cells:
    cells = np.frombuffer(stored, "<i8").reshape(BLANK_ROWS, -1)
    return np.concatenate([cells, np.zeros((ROWS - BLANK_ROWS, cells.shape[1]), "<i8")])


def _renumber(cells: Cells, row: int, names: Sequence[str], numbers: dict[str, int]) -> None:
    """Replace the numbers in `names` by those in `numbers`, adding the new names that cells have."""
    for name in [names[number] for number in np.unique(cells[row])]:
        numbers.setdefault(name, len(numbers))
    if cells.shape[1]:
        cells[row] = np.array([numbers.get(name, -1) for name in names], np.int64)[cells[row]]


def unpack(
    packed: Packed, first_slot: int, labels: dict[str, int], sources: dict[str, int], *, is_long: bool
) -> RunCells:
    """Return the packed cells of a run, by the numbers of `labels` and `sources`; number new names.

    `first_slot` is that of the run's day; `is_long` says whether long ranges use the step.
    """
    of_label = np.array([labels.setdefault(name, len(labels)) for name in packed.labels], np.int64)
    of_source = np.array([sources.setdefault(name, len(sources)) for name in packed.sources], np.int64)
    blocks = []
    for cells in _unpacked(packed):
        if first_slot >= 2**30:
            cells = cells.astype("<i8", copy=False)
        cells[SLOT] += first_slot
        if cells.shape[1]:
            cells[SOURCE] = of_source[cells[SOURCE]]
        blocks.append(cells)
    counts, coverage = blocks
    if not packed.covered:  # see `Coverage.is_measured`; rates are below zero
        coverage[OBJECTS] = np.where(coverage[PEAK] < 0, 0, -1)
    if counts.shape[1]:
        counts[LABEL] = of_label[counts[LABEL]]
        if (counts[LABEL, 1:] < counts[LABEL, :-1]).any():
            counts = np.ascontiguousarray(counts[:, np.argsort(counts[LABEL], kind="stable")])
    blank = None
    if packed.blank is not None:
        blank = _cells_in(packed.blank)
        blank[SLOT] += first_slot
        if blank.shape[1]:
            blank[SOURCE] = of_source[blank[SOURCE]]
    writers = {part: writer for part, (writer, _) in parts_in(packed).items()}
    together = add_up(counts, counts[LABEL], counts[SLOT], 0).astype(counts.dtype) if is_long else counts
    return RunCells(counts, together, coverage, writers, blank)


def differing_sources(parts: Sequence[Packed]) -> set[str]:
    """Return the sources whose packed steps differ; for a single step, all of its sources."""
    names = {name for part in parts for name in part.sources}
    if len(parts) < 2:
        return names or {"all sources"}
    labels: dict[str, int] = {}
    sources: dict[str, int] = {}
    first, second = (unpack(part, 0, labels, sources, is_long=False) for part in parts)
    return {
        name
        for name, number in sources.items()
        for cells, beside in (
            (first.counts, second.counts),
            (first.coverage, second.coverage),
            (blank_cells(first), blank_cells(second)),
        )
        if not np.array_equal(_of_source(cells, number), _of_source(beside, number))
    }


def _of_source(cells: Cells, number: int) -> Cells:
    of_source = cells[:, cells[SOURCE] == number]
    return of_source[:, np.lexsort(of_source)]


def _or_unknown(number: int | None) -> int:
    return -1 if number is None else number
