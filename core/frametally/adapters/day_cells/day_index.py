"""The shared part of every index of days: answers from the cells of runs, and evidence of a few bars.

A query of a year sums up some hundred thousand cells; to read and unpack them takes longer than to add them
up. A run's cells never change: so they are kept, up to a size, the least lately asked for given up first.
"""

from __future__ import annotations

import sys
import threading
from abc import abstractmethod
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from frametally import keys
from frametally.adapters.day_cells.parts import part_at
from frametally.adapters.day_cells.storage import DETECTIONS, SLOT, SOURCE, STORED_ROWS, Packed
from frametally.ports.base_index import BaseCatalogue, BaseCountIndex
from frametally.ports.count_index import (
    Bucket,
    CountQuery,
    CoverageBucket,
    IndexDamaged,
    Series,
    SourceSummary,
)
from frametally.ports.count_questions import Piece, pieces, rolled_steps, usable_steps
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally.records import Evidence, Run
from frametally.rules.times import DAY_MS, DAY_S, HOUR_S
from frametally.rules.week_parts import ranges_of

if TYPE_CHECKING:
    from frametally.adapters.day_cells.cells import RunCells

MomentT = TypeVar("MomentT")
_SLOTS_AT_ONCE = 10_000
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


def _coverage(packed: Packed, row: int) -> array[int]:
    """Return a row of the cells of what was filmed."""
    row_bytes = len(packed.coverage) // STORED_ROWS
    numbers = array("q", packed.coverage[row * row_bytes : (row + 1) * row_bytes])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


MOST_BYTES = 256_000_000
"""Of arrays that are kept: some years of three busy sources."""

_Key = tuple[int, int | str, int]


class KeptCells:
    """The cells of the runs of one index. Threads may share it.

    Attributes:
        labels: Numbers of labels: of those that have been read, at least.
        sources: Numbers of sources, alike.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()  # held for moments
        self._loading: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)  # by step
        self._cells: OrderedDict[_Key, RunCells] = OrderedDict()
        self._bytes = 0
        # They only grow: what has a number keeps it, with many readers.
        self.labels: dict[str, int] = {}
        self.sources: dict[str, int] = {}

    def read(self, read_packed: ReadPacked, runs: Sequence[CurrentRun], step_s: int) -> list[RunCells]:
        """Read the cells of some runs, in their order, by `read_packed` as far as they are not kept.

        Raises:
            TookTooLong: At the time limit of the caller; what has been read is kept for the next one.
        """
        keys = [(run.number, run.mark, step_s) for run in runs]
        cells = self._kept_of(keys)
        if len(cells) < len(runs):
            # One loads while the others wait: they mostly want the same. Who has all waits for nobody.
            with _locked(self._loading[step_s]):
                cells |= self._kept_of(keys)
                missing = [run for key, run in zip(keys, runs, strict=True) if key not in cells]
                for first in range(0, len(missing), _RUNS_AT_ONCE):
                    for key, of_run in self._load(
                        read_packed, missing[first : first + _RUNS_AT_ONCE], step_s
                    ):
                        cells[key] = of_run
                        self._keep(key, of_run)
        return [cells[key] for key in keys]

    def keep_only(self, runs: Iterable[CurrentRun]) -> None:
        """Give up all others."""
        current = {(run.number, run.mark) for run in runs}
        with self._lock:
            for key in [key for key in self._cells if key[:2] not in current]:
                self._bytes -= self._cells.pop(key).bytes

    def _kept_of(self, keys: Iterable[_Key]) -> dict[_Key, RunCells]:
        with self._lock:
            cells = {key: self._cells[key] for key in keys if key in self._cells}
            for key in cells:
                self._cells.move_to_end(key)
            return cells

    def _keep(self, key: _Key, cells: RunCells) -> None:
        with self._lock:
            self._cells[key] = cells
            self._bytes += cells.bytes
            while self._bytes > self._most_bytes:
                self._bytes -= self._cells.popitem(last=False)[1].bytes

    def _load(
        self, read_packed: ReadPacked, runs: Sequence[CurrentRun], step_s: int
    ) -> Iterator[tuple[_Key, RunCells]]:
        # Imported here: numpy takes long, and a look at the books needs none.
        from frametally.adapters.day_cells.cells import unpack

        for run, packed in read_packed(runs, step_s):
            first_slot = run.day_ms // (step_s * 1000)
            is_long = step_s >= HOUR_S
            cells = unpack(packed, first_slot, self.labels, self.sources, is_long=is_long)
            yield (run.number, run.mark, step_s), cells


@contextmanager
def _locked(lock: threading.Lock) -> Iterator[None]:
    left_s = seconds_left()
    if not lock.acquire(timeout=-1 if left_s is None else left_s):
        raise TookTooLong("the count index took longer than the query's time limit")
    try:
        yield
    finally:
        lock.release()


class EvidenceBar(NamedTuple):
    """A bar of a run that has evidence: of its base interval, or of its day.

    Attributes:
        writer: The run under which its row lies (see `WrittenPart`); None: under `run`.
    """

    run: CurrentRun
    start_ms: int
    source: str
    label: str
    writer: int | str | None = None


class DayIndex(BaseCountIndex[MomentT, DayCatalogue]):
    """A count index that keeps each run's cells by each step, and reads them whole."""

    def __init__(self) -> None:
        self._kept_cells = KeptCells()

    @abstractmethod
    def _read_packed(
        self, now: MomentT, runs: Sequence[CurrentRun], step_s: int
    ) -> Iterable[tuple[CurrentRun, Packed]]:
        """Read what is packed of some runs by a step, in their order. Raises `IndexDamaged`."""

    @abstractmethod
    def _read_frames(
        self, now: MomentT, bars: Sequence[EvidenceBar], *, of_day: bool
    ) -> Iterable[tuple[EvidenceBar, list[Evidence] | None]]:
        """Read the evidence of some bars, or of their days; None where it is not there as it was written."""

    def _read_sources(self, now: MomentT, catalogue: DayCatalogue, series: Series) -> Iterator[SourceSummary]:
        """Read the extent of each source of a series: its number of frames, and its first and last time."""
        runs = catalogue.runs(series, None, None)
        longest_s = [series.base_interval_s, *rolled_steps(series.base_interval_s)][-1]
        frames: Counter[str] = Counter()
        first_run: dict[str, CurrentRun] = {}
        last_run: dict[str, CurrentRun] = {}
        for first in range(0, len(runs), _RUNS_AT_ONCE):
            for run, packed in self._read_packed(now, runs[first : first + _RUNS_AT_ONCE], longest_s):
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
        for run, packed in self._read_packed(now, end_runs, series.base_interval_s):
            slots, sources = _coverage(packed, SLOT), _coverage(packed, SOURCE)
            order = range(len(slots))  # that of slots
            for name in (name for name in frames if run in (first_run[name], last_run[name])):
                number = packed.sources.index(name)
                first = next(place for place in order if sources[place] == number)
                last = next(place for place in reversed(order) if sources[place] == number)
                first_ms, last_ms = (run.day_ms + slots[place] * base_ms for place in (first, last))
                borders_ms[run, name] = first_ms, last_ms + base_ms
        for name, number in frames.items():
            from_ms, _ = borders_ms[first_run[name], name]
            _, next_ms = borders_ms[last_run[name], name]
            yield SourceSummary(name, number, from_ms, next_ms)

    def _read_counts(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, parts: Sequence[Piece]
    ) -> tuple[Sequence[Bucket], Sequence[CoverageBucket]]:
        from frametally.adapters.day_cells import sums  # numpy takes long, and `status` needs none

        return sums.counts_of(self._batches(now, catalogue, query, *parts), self._kept_cells, query)

    def _read_evidence(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[str, str, list[Evidence]]]:
        for part, labels in self._busiest_parts(now, catalogue, query, piece, limit):
            yield from self._evidence_of(now, catalogue, query._replace(labels=labels), part, limit)

    def _busiest_parts(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[Piece, Sequence[str]]]:
        """Give the pieces in which evidence is looked for, each with the labels that are looked for.

        Of some hours of a year there is no evidence by days; that of its base intervals is looked for only in
        the hours of the `limit` greatest peaks.
        """
        from frametally.adapters.day_cells import sums  # numpy takes long, and `status` needs none

        base_s = query.base_interval_s
        steps_s = [base_s]
        if query.week_parts and piece.step_s == base_s:
            steps_s += usable_steps(base_s, DAY_S, week_parts=query.week_parts)[1:][-1:]
        if len(steps_s) == 1:
            yield piece, query.labels
            return
        for part in pieces(steps_s, piece.from_ms, piece.to_ms):
            if part.step_s == base_s:
                yield part, query.labels
                continue
            labels_of: defaultdict[int, list[str]] = defaultdict(list)
            for _, batch in self._batches(now, catalogue, query, part):
                for start_ms, _, label in sums.busiest(batch, self._kept_cells, query, part, limit):
                    labels_of[start_ms].append(label)
            for start_ms, labels in labels_of.items():
                yield Piece(base_s, start_ms, start_ms + part.step_s * 1000), sorted({*labels})

    def _evidence_of(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[str, str, list[Evidence]]]:
        from frametally.adapters.day_cells import sums  # numpy takes long, and `status` needs none

        for _, batch in self._batches(now, catalogue, query, piece):
            runs = {run.day_ms: (run, cells.writers) for run, cells in batch}
            bars = []
            for start_ms, source, label in sums.busiest(batch, self._kept_cells, query, piece, limit):
                run, writers = runs[start_ms // DAY_MS * DAY_MS]
                bars.append(EvidenceBar(run, start_ms, source, label, writers.get(part_at(source, start_ms))))
            for bar, frames in self._read_frames(now, bars, of_day=piece.step_s != query.base_interval_s):
                if frames is None:
                    raise IndexDamaged(f"its evidence of {bar.source} on {keys.utc_day(bar.start_ms)}")
                yield bar.source, bar.label, frames

    def _batches(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, *parts: Piece
    ) -> Iterator[tuple[Piece, list[tuple[CurrentRun, RunCells]]]]:
        """Read what a query needs, a number of slots at a time: a year of hours, a week of minutes."""
        series, read_packed = Series(query.model, query.base_interval_s), partial(self._read_packed, now)
        for piece in parts:
            runs = catalogue.runs(series, piece.from_ms, piece.to_ms)
            if query.week_parts:
                days = ((run, (run.day_ms, run.day_ms + DAY_MS)) for run in runs)
                runs = [run for run, day in days if any(ranges_of(query.week_parts, *day))]
            runs_at_once = max(1, _SLOTS_AT_ONCE * piece.step_s // DAY_S)
            for first in range(0, len(runs), runs_at_once):
                batch = runs[first : first + runs_at_once]
                cells = self._kept_cells.read(read_packed, batch, piece.step_s)
                yield piece, [*zip(batch, cells, strict=True)]
