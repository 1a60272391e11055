"""The packed hours of runs, read once and kept in memory as arrays: a run's rows never change.

A query of a year sums up some hundred thousand cells; to read and unpack them takes longer than to add them
up. So they are kept, up to a size, the least lately asked for given up first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.catalogue import CurrentRun
from frametally.adapters.sql.index.packing import Packed
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally.rules.times import HOUR_MS, HOUR_S

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_BYTES = 256_000_000
"""Of arrays that are kept: some years of three busy sources."""

_RUNS_AT_ONCE = 50
_BYTES_OF_PACKED = 3  # arrays take up to three times the bytes of the packed form
_decoder = msgspec.msgpack.Decoder(Packed)


class RunHours(NamedTuple):
    """A run's hours; labels and sources are numbers that `KeptHours` names.

    Attributes:
        cells: Shape (6, n), dtype int32 or int64, by label: hour since 1970, label, source, detections, peak,
            objects (-1: unknown).
        together: The same, with all sources added up; their number is 0.
        coverage: Shape (3, m), dtype int64: hour since 1970, source, frames.
        slowest_fps: Shape (m,), dtype float64: of the same hours; NaN where unknown.
    """

    cells: NDArray[np.integer[Any]]
    together: NDArray[np.integer[Any]]
    coverage: NDArray[np.int64]
    slowest_fps: NDArray[np.float64]

    @property
    def bytes(self) -> int:
        """Of its arrays."""
        return sum(one.nbytes for one in self)

    def between(self, from_ms: int | None, to_ms: int | None) -> RunHours:
        """Those of `[from_ms, to_ms)`, which are whole hours; None leaves that end open."""
        cells, together, covered = (
            (from_ms is None or hour >= from_ms // HOUR_MS) & (to_ms is None or hour < to_ms // HOUR_MS)
            for hour in (self.cells[0], self.together[0], self.coverage[0])
        )
        return RunHours(
            self.cells[:, cells],
            self.together[:, together],
            self.coverage[:, covered],
            self.slowest_fps[covered],
        )


class KeptHours:
    """The hours of the runs of one index. Threads may share it."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Keep nothing yet."""
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], RunHours] = OrderedDict()
        self._bytes = 0
        # They only grow: what has a number keeps it, whoever is reading.
        self._labels: dict[str, int] = {}
        self._sources: dict[str, int] = {}

    @property
    def labels(self) -> dict[str, int]:
        """Numbers of labels: of those that have been read, at least."""
        return self._labels

    @property
    def sources(self) -> dict[str, int]:
        """Numbers of sources: of those that have been read, at least."""
        return self._sources

    def can_hold(self, runs: Iterable[CurrentRun]) -> bool:
        """Whether all of these runs can be kept at the same time."""
        return sum(run.packed_bytes for run in runs) * _BYTES_OF_PACKED <= self._most_bytes

    def batches(self, runs: Sequence[CurrentRun]) -> Iterator[Sequence[CurrentRun]]:
        """These runs, in their order, so many at a time as can be kept at the same time."""
        first = size = 0
        for number, run in enumerate(runs):
            size += run.packed_bytes * _BYTES_OF_PACKED
            if size > self._most_bytes and number > first:
                yield runs[first:number]
                first, size = number, run.packed_bytes * _BYTES_OF_PACKED
        yield runs[first:]

    def read(self, connection: Connection, runs: Sequence[CurrentRun]) -> list[RunHours]:
        """The hours of some runs, in their order, from the database as far as they are not kept.

        Raises:
            TookTooLong: At the time limit of whoever asks; what has been read is kept for the next one.
        """
        with self._held():
            found: dict[tuple[int, int], RunHours] = {}
            missing = []
            for run in runs:
                hours = self._kept.get(_key(run))
                if hours is None:
                    missing.append(run)
                else:
                    found[_key(run)] = hours
                    self._kept.move_to_end(_key(run))
            for first in range(0, len(missing), _RUNS_AT_ONCE):
                for key, hours in self._load(connection, missing[first : first + _RUNS_AT_ONCE]):
                    found[key] = hours
                    self._keep(key, hours)
        return [found[_key(run)] for run in runs]

    def keep_only(self, runs: Iterable[CurrentRun]) -> None:
        """Give up all others."""
        current = {_key(run) for run in runs}
        with self._held():
            for key in [key for key in self._kept if key not in current]:
                self._bytes -= self._kept.pop(key).bytes

    @contextmanager
    def _held(self) -> Iterator[None]:
        # One reads while the others wait: they mostly want the same.
        left_s = seconds_left()
        if not self._lock.acquire(timeout=-1 if left_s is None else left_s):
            raise TookTooLong("the count index took longer than the query's time limit")
        try:
            yield
        finally:
            self._lock.release()

    def _keep(self, key: tuple[int, int], hours: RunHours) -> None:
        self._kept[key] = hours
        self._bytes += hours.bytes
        while self._bytes > self._most_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].bytes

    def _load(
        self, connection: Connection, runs: Sequence[CurrentRun]
    ) -> Iterator[tuple[tuple[int, int], RunHours]]:
        numbers = [run.number for run in runs]
        packed, rolled = tables.rolled_hours.c, tables.rolled_coverage.c
        of_cells = select(packed.run, packed.cells).where(packed.run.in_(numbers))
        cells = {number: _decoder.decode(body) for number, body in connection.execute(of_cells).all()}
        of_coverage = (
            select(rolled.run, rolled.source, rolled.interval_start_ms, rolled.frames, rolled.slowest_fps)
            .where(rolled.run.in_(numbers), rolled.step_s == HOUR_S)
            .order_by(rolled.run)
        )
        rows = connection.execute(of_coverage).all()
        coverage = {number: [*group] for number, group in groupby(rows, key=lambda row: int(row[0]))}
        for run in runs:
            yield _key(run), self._unpacked(run, cells.get(run.number), coverage.get(run.number, ()))

    def _unpacked(self, run: CurrentRun, packed: Packed | None, covered: Sequence[Any]) -> RunHours:
        import numpy as np

        size = len(packed.hour) if packed else 0
        coverage, slowest_fps = np.empty((3, 0), np.int64), np.empty(0)
        if covered:
            _, names, starts_ms, frames, rates = zip(*covered, strict=True)
            numbers = [self._sources.setdefault(name, len(self._sources)) for name in names]
            coverage = np.array([starts_ms, numbers, frames], np.int64)
            coverage[0] //= HOUR_MS
            slowest_fps = np.array(rates, np.float64)  # None becomes NaN
        if packed is None or not size:
            nothing = np.empty((6, 0), np.int32)
            return RunHours(nothing, nothing, coverage, slowest_fps)
        of_label = [self._labels.setdefault(name, len(self._labels)) for name in packed.labels]
        of_source = [self._sources.setdefault(name, len(self._sources)) for name in packed.sources]
        sums = [
            np.frombuffer(column, f"<i{len(column) // size}")
            for column in (packed.detections, packed.peak, packed.objects)
        ]
        cells = np.empty((6, size), np.result_type(*sums))
        cells[0] = np.frombuffer(packed.hour, "u1")
        cells[0] += run.day_ms // HOUR_MS
        cells[1] = np.array(of_label)[np.frombuffer(packed.label, "<u2")]
        cells[2] = np.array(of_source)[np.frombuffer(packed.source, "<u2")]
        cells[3:] = sums
        if (cells[1, 1:] < cells[1, :-1]).any():
            cells = np.ascontiguousarray(cells[:, np.argsort(cells[1], kind="stable")])
        return RunHours(cells, _over_sources(cells), coverage, slowest_fps)


def _over_sources(cells: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Cells of a run, by label, with their sources added up."""
    import numpy as np

    hour, label, _, detections, peak, objects = cells
    order = np.lexsort((hour, label))
    of_hour, of_label = hour[order], label[order]
    first = np.flatnonzero(np.r_[True, (np.diff(of_hour) != 0) | (np.diff(of_label) != 0)])
    sums = [np.add.reduceat(column[order], first, dtype=np.int64) for column in (detections, objects)]
    unknown = np.logical_or.reduceat(objects[order] < 0, first)
    together = np.stack(
        [
            of_hour[first],
            of_label[first],
            np.zeros(len(first), np.int64),
            sums[0],
            np.maximum.reduceat(peak[order], first),
            np.where(unknown, -1, sums[1]),
        ]
    )
    return together.astype(np.int32) if together.max() < 2**31 else together


def _key(run: CurrentRun) -> tuple[int, int]:
    return run.number, run.mark
