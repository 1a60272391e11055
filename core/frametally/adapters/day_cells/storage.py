"""The cells of runs: the steps that an index stores, their stored form, and a cache of them in memory.

A step serves a query if it divides the bars and their offset; where it would reach beyond the range, shorter
ones are read. A query of a year sums up some hundred thousand cells, and reading and unpacking them takes
longer than adding them up. A run's cells never change, so they are cached up to a size, and the least
recently used are dropped first.
"""

from __future__ import annotations

import sys
import threading
from array import array
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from frametally.errors import Misconfigured
from frametally.ports.count_index import NOT_LOOKED_AT, CountQuery, DayPart
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally.records import with_numbers
from frametally.rules.known import LATER_OF_TRACKS
from frametally.rules.times import DAY_S, HOUR_S, clamped_ms
from frametally.rules.week_parts import WeekParts

if TYPE_CHECKING:  # numpy is slow to import, and reading the books does not need it
    import numpy as np
    from numpy.typing import NDArray

    Cells = NDArray[np.integer[Any]]
    """Shape (rows, n): slot (start over step), label, source, detections, peak, then `OF_TRACKS`.

    Label and source are numbers of names; those of tracks are -1 if unknown. Coverage has the same shape, so
    the same sums work for it: label 0, frames for detections, covered milliseconds for tracked detections,
    and for the peak the rate of analysis as a `from_rate` number: the slowest counts, and an unknown one
    hides others.
    """

_MAX_NAMES = 1_000
ROLLED_STEPS_S = (900, HOUR_S, DAY_S)
"""Quarters of an hour (every zone's offset is a multiple of one), hours and days; the longest is a run's."""


class Piece(NamedTuple):
    """A part of a range and the step to read it by; None leaves that end open."""

    step_s: int
    from_ms: int | None
    to_ms: int | None


def rolled_steps(base_interval_s: int) -> list[int]:
    """Return the steps stored in addition to a base interval, shortest first, in seconds."""
    return [step for step in ROLLED_STEPS_S if step > base_interval_s and step % base_interval_s == 0]


def usable_steps(
    base_interval_s: int, interval_s: int, offset_ms: int = 0, week_parts: WeekParts = ()
) -> list[int]:
    """Return the base interval and its steps that divide bars, their offset and the parts of the week."""
    rolled = [
        step
        for step in rolled_steps(base_interval_s)
        if interval_s % step == 0
        and offset_ms % (step * 1000) == 0
        and all(border_ms % (step * 1000) == 0 for part in week_parts for border_ms in part)
    ]
    return [base_interval_s, *rolled]


def pieces(steps_s: Sequence[int], from_ms: int | None, to_ms: int | None) -> list[Piece]:
    """Split `[from_ms, to_ms)` into pieces, in order, that cover all of it and nothing twice.

    The steps are in ascending order, each a multiple of the previous one; the first can read any range.
    """
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        return []
    *shorter, step_s = steps_s
    if not shorter:
        return [Piece(step_s, from_ms, to_ms)]
    step_ms = step_s * 1000
    first_ms = None if from_ms is None else -(-from_ms // step_ms) * step_ms
    next_ms = None if to_ms is None else to_ms // step_ms * step_ms
    if first_ms is not None and next_ms is not None and first_ms >= next_ms:
        return pieces(shorter, from_ms, to_ms)
    before = [] if first_ms == from_ms else pieces(shorter, from_ms, first_ms)
    after = [] if next_ms == to_ms else pieces(shorter, next_ms, to_ms)
    return [*before, Piece(step_s, first_ms, next_ms), *after]


def range_of(query: CountQuery) -> tuple[int | None, int | None]:
    """Return the ends of the range, clamped: queries may have any integer, but nothing is counted beyond."""
    from_ms, to_ms = query.from_ms, query.to_ms
    return None if from_ms is None else clamped_ms(from_ms), None if to_ms is None else clamped_ms(to_ms)


def check_query(query: CountQuery) -> None:
    """Raise `Misconfigured` if bars or times are not whole stored intervals, or there are too many names."""
    base_s = query.base_interval_s
    bar_s = base_s if query.interval_s is None else query.interval_s
    if bar_s < 1 or base_s < 1 or bar_s % base_s:
        raise Misconfigured(
            f"interval {bar_s} s is not a multiple of the stored {base_s} s; use "
            f"{base_s}, {2 * base_s}, {3 * base_s} or another multiple of it"
        )
    if query.offset_ms % (base_s * 1000):
        raise Misconfigured(f"an offset of {query.offset_ms} ms is not a multiple of the stored {base_s} s")
    for part in query.week_parts:
        for border_ms in part:
            if border_ms % (base_s * 1000):
                raise Misconfigured(
                    f"a part of the week that begins or ends {border_ms} ms after Monday is not a multiple "
                    f"of the stored {base_s} s"
                )
    names_of = {"sources": query.sources, "labels": query.labels, "labels apart": query.apart or ()}
    for kind, names in names_of.items():
        if len(names) > _MAX_NAMES:
            raise Misconfigured(
                f"{len(names)} {kind} in one query is too many; give at most {_MAX_NAMES}, or none for all"
            )


STORED_ROWS = 6
"""The number of rows of cells that every version has packed."""
BLANK_ROWS = 7
"""The number of rows of blank cells that are packed."""
SLOT, LABEL, SOURCE, DETECTIONS = range(4)
"""The rows of cells that are read here without numpy, which is slow to import; `sums` has them all."""
BLANK_REASONS = ("black", "one_colour", "frozen", NOT_LOOKED_AT)
"""By number; blank cells have these numbers for labels."""


@with_numbers(LATER_OF_TRACKS[2:], bytes, b"")
class Packed(msgspec.Struct, frozen=True, array_like=True):
    """Counts and coverage as they are stored: machine integers, little-endian; slots count from the day on.

    Attributes:
        labels: The labels, which `LABEL` numbers.
        sources: The sources, which `SOURCE` numbers.
        counts: Cells by label, of 4 bytes, or of 8 if a value needs it.
        counts_dtype: The type of `counts`.
        coverage: Cells, of 8 bytes.
        tracked: A later row of `counts`; empty if no value is known.
        covered: A later row of `coverage`, in the same way.
        writers: With the base interval, the runs that wrote the rows of parts; see `parts`.
        parts: For each part, its number in `sources`, its hour, its number in `writers`, and its name.
        blank: Cells by `BLANK_REASONS`, of 8 bytes; None if the pictures were not measured.
        from_start: A later row of `counts`, like `tracked`.
        fast: A later row of `counts`, like `from_start`; the rows of further numbers follow by their names.
    """

    labels: list[str]
    sources: list[str]
    counts: bytes
    counts_dtype: str
    coverage: bytes
    tracked: bytes = b""
    covered: bytes = b""
    writers: list[int | str] = []
    parts: list[tuple[int, int, int, int]] = []
    blank: bytes | None = None
    from_start: bytes = b""
    fast: bytes = b""


def later_rows(packed: Packed) -> tuple[bytes, ...]:
    """Return the rows of the `LATER_OF_TRACKS` numbers of counts."""
    return msgspec.structs.astuple(packed)[-len(LATER_OF_TRACKS) :]


def encoded(packed: Packed) -> bytes:
    """Return the stored bytes."""
    return msgspec.msgpack.encode(packed)


def blank_in(packed: Packed) -> Iterator[tuple[int, str, int, int]]:
    """Yield the number of a source, a reason, frames and milliseconds for footage that shows nothing."""
    blank = packed.blank or b""
    rows = (_row(blank, BLANK_ROWS, row) for row in (SOURCE, LABEL, DETECTIONS, BLANK_ROWS - 1))
    for source, reason, frames, covered_ms in zip(*rows, strict=True):
        if BLANK_REASONS[reason] != NOT_LOOKED_AT:
            yield source, BLANK_REASONS[reason], frames, covered_ms


def coverage_row(packed: Packed, row: int) -> array[int]:
    """Return a row of the cells of coverage."""
    return _row(packed.coverage, STORED_ROWS, row)


def _row(cells: bytes, rows: int, row: int) -> array[int]:
    row_bytes = len(cells) // rows
    numbers = array("q", cells[row * row_bytes : (row + 1) * row_bytes])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


_decoder = msgspec.msgpack.Decoder(Packed)
decode_packed = _decoder.decode


def sources_in(stored: bytes | None) -> str:
    """Return " of " and the sources in a day's stored bytes, or "" if these are damaged."""
    if stored is not None:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return " of " + ", ".join(sorted(decode_packed(stored).sources))
    return ""


day_order = attrgetter("day_ms")
RUNS_AT_ONCE = 50


class CurrentRun(NamedTuple):
    """A run that queries read.

    Attributes:
        number: Greater than that of every run published earlier.
        mark: Distinguishes it from others: an index created again gives the same numbers to other runs.
        day_ms: Start of its day.
    """

    number: int
    mark: int | str
    day_ms: int


class EvidenceBar(NamedTuple):
    """A bar of a run that has evidence: of its base interval, or of its day.

    Attributes:
        writer: The run that has its row (see `WrittenPart`); None means `run`.
    """

    run: CurrentRun
    start_ms: int
    source: str
    label: str
    writer: int | str | None = None


ReadPacked = Callable[[Sequence[CurrentRun], int], Iterable[tuple[CurrentRun, Packed]]]
"""Reads the packed cells of some runs for a step, in their order; raises `IndexDamaged`."""

MOST_BYTES = 256_000_000
"""The maximum size of the cached arrays: some years of three busy sources."""

_PART_BYTES = 200
"""Approximate size of a part in memory."""


class RunCells(NamedTuple):
    """A run's cells of one step, by label.

    Attributes:
        together: `counts`, added up over all sources (source number 0) if long ranges use the step.
        writers: With the base interval, the runs that have the rows of parts; other parts are this run's.
        blank: Footage that shows nothing, with numbers of `BLANK_REASONS` for labels; None if not checked.
    """

    counts: Cells
    together: Cells
    coverage: Cells
    writers: Mapping[DayPart, int | str] = {}
    blank: Cells | None = None

    @property
    def bytes(self) -> int:
        """Size of its arrays, and approximately of its parts."""
        blank_bytes = 0 if self.blank is None else self.blank.nbytes
        return sum(array.nbytes for array in self[:3]) + blank_bytes + len(self.writers) * _PART_BYTES


Unpack = Callable[[Packed, int, dict[str, int], dict[str, int], bool], RunCells]
"""Returns the packed cells of a run from the first slot of its day, by the numbers of labels and sources;
numbers new names. The last argument is whether long ranges use the step."""
_Key = tuple[int, int | str, int]


class KeptCells:
    """The cached cells of one index's runs. Threads may share it.

    Attributes:
        labels: Numbers of labels, at least of those that were read.
        sources: Numbers of sources, at least of those that were read.
    """

    def __init__(self, unpack: Unpack, most_bytes: int = MOST_BYTES) -> None:
        self._unpack = unpack
        self._most_bytes = most_bytes
        self._lock = threading.Lock()  # held briefly
        self._loading: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)  # by step
        self._cells: OrderedDict[_Key, RunCells] = OrderedDict()
        self._bytes = 0
        # They only grow: a name keeps its number, even with many readers.
        self.labels: dict[str, int] = {}
        self.sources: dict[str, int] = {}

    def read(self, read_packed: ReadPacked, runs: Sequence[CurrentRun], step_s: int) -> list[RunCells]:
        """Return the cells of some runs, in their order, calling `read_packed` for those not cached.

        Raises:
            TookTooLong: The caller's time limit has passed; cells already read stay cached.
        """
        keys = [(run.number, run.mark, step_s) for run in runs]
        cells = self._kept_of(keys)
        if len(cells) < len(runs):
            # One loads while others, which mostly want the same, wait. A caller that has all does not wait.
            with _locked(self._loading[step_s]):
                cells |= self._kept_of(keys)
                missing = [run for key, run in zip(keys, runs, strict=True) if key not in cells]
                for first in range(0, len(missing), RUNS_AT_ONCE):
                    for key, of_run in self._load(read_packed, missing[first : first + RUNS_AT_ONCE], step_s):
                        cells[key] = of_run
                        self._keep(key, of_run)
        return [cells[key] for key in keys]

    def keep_only(self, runs: Iterable[CurrentRun]) -> None:
        """Drop the cells of all other runs."""
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
        for run, packed in read_packed(runs, step_s):
            first_slot = run.day_ms // (step_s * 1000)
            cells = self._unpack(packed, first_slot, self.labels, self.sources, step_s >= HOUR_S)
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
