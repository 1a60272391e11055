"""The cells of runs, read once and kept in memory: a run's cells never change.

A query of a year sums up some hundred thousand cells; to read and unpack them takes longer than to add them
up. So they are kept, up to a size, the least lately asked for given up first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from frametally.adapters.day_cells.catalogue import CurrentRun, ReadPacked
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally.rules.times import DAY_S, HOUR_S

if TYPE_CHECKING:
    from frametally.adapters.day_cells.cells import RunCells

MOST_BYTES = 256_000_000
"""Of arrays that are kept: some years of three busy sources."""

_RUNS_AT_ONCE = 50
_SLOTS_AT_ONCE = 10_000
_Key = tuple[int, int | str, int]


class KeptCells:
    """The cells of the runs of one index. Threads may share it.

    Attributes:
        labels: Numbers of labels: of those that have been read, at least.
        sources: Numbers of sources, alike.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Keep nothing yet."""
        self._most_bytes = most_bytes
        self._lock = threading.Lock()  # held for moments
        self._loading: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)  # by step
        self._cells: OrderedDict[_Key, RunCells] = OrderedDict()
        self._bytes = 0
        # They only grow: what has a number keeps it, with many readers.
        self.labels: dict[str, int] = {}
        self.sources: dict[str, int] = {}

    def read_in_batches(
        self, read_packed: ReadPacked, runs: Sequence[CurrentRun], step_s: int
    ) -> Iterator[list[tuple[CurrentRun, RunCells]]]:
        """Read some runs, in their order, a number of slots at a time: a year of hours, a week of minutes."""
        runs_at_once = max(1, _SLOTS_AT_ONCE * step_s // DAY_S)
        for first in range(0, len(runs), runs_at_once):
            batch = runs[first : first + runs_at_once]
            yield [*zip(batch, self.read(read_packed, batch, step_s), strict=True)]

    def read(self, read_packed: ReadPacked, runs: Sequence[CurrentRun], step_s: int) -> list[RunCells]:
        """Read the cells of some runs, in their order, by `read_packed` as far as they are not kept.

        Raises:
            TookTooLong: At the time limit of the caller; what has been read is kept for the next one.
        """
        cells = self._kept_of(runs, step_s)
        if len(cells) < len(runs):
            # One loads while the others wait: they mostly want the same. Who has all waits for nobody.
            with _locked(self._loading[step_s]):
                cells |= self._kept_of(runs, step_s)
                missing = [run for run in runs if _key(run, step_s) not in cells]
                for first in range(0, len(missing), _RUNS_AT_ONCE):
                    for key, of_run in self._load(
                        read_packed, missing[first : first + _RUNS_AT_ONCE], step_s
                    ):
                        cells[key] = of_run
                        self._keep(key, of_run)
        return [cells[_key(run, step_s)] for run in runs]

    def keep_only(self, runs: Iterable[CurrentRun]) -> None:
        """Give up all others."""
        current = {(run.number, run.mark) for run in runs}
        with self._lock:
            for key in [key for key in self._cells if key[:2] not in current]:
                self._bytes -= self._cells.pop(key).bytes

    def _kept_of(self, runs: Iterable[CurrentRun], step_s: int) -> dict[_Key, RunCells]:
        with self._lock:
            keys = [key for run in runs if (key := _key(run, step_s)) in self._cells]
            for key in keys:
                self._cells.move_to_end(key)
            return {key: self._cells[key] for key in keys}

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
            yield _key(run, step_s), cells


def _key(run: CurrentRun, step_s: int) -> _Key:
    return run.number, run.mark, step_s


@contextmanager
def _locked(lock: threading.Lock) -> Iterator[None]:
    left_s = seconds_left()
    if not lock.acquire(timeout=-1 if left_s is None else left_s):
        raise TookTooLong("the count index took longer than the query's time limit")
    try:
        yield
    finally:
        lock.release()
