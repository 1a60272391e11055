"""What the SQL index has at one version: its runs and series, read once and kept until that changes."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, select

from frametally import keys
from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.tables import DETECTIONS, SLOT, SOURCE, STORED_ROWS
from frametally.ports.base_index import BaseCatalogue, outdated_numbers
from frametally.ports.count_index import IndexDamaged, Series, SourceSummary
from frametally.ports.steps import rolled_steps
from frametally.records import Run, decode
from frametally.rules.times import DAY_MS

_RUNS_AT_ONCE = 50
_decoder = msgspec.msgpack.Decoder(tables.Packed)


class CurrentRun(NamedTuple):
    """A run that queries read.

    Attributes:
        number: What its rows in the other tables are tied to.
        mark: Of its row: a database created again gives the same numbers to other runs.
        day_ms: When its day begins.
    """

    number: int
    mark: int
    day_ms: int


class SqlCatalogue(BaseCatalogue[CurrentRun]):
    """What there is at one version; the runs of each series by day."""

    def runs(self, series: Series, from_ms: int | None, to_ms: int | None) -> Sequence[CurrentRun]:
        """Return the runs of a series whose days have something of `[from_ms, to_ms)`, by day."""
        runs = self._runs.get(series, ())
        first = 0 if from_ms is None else bisect_right(runs, from_ms - DAY_MS, key=_day_ms)
        return runs[first : len(runs) if to_ms is None else bisect_left(runs, to_ms, key=_day_ms)]

    def all_runs(self) -> list[CurrentRun]:
        """Return the runs of all series."""
        return [run for of_series in self._runs.values() for run in of_series]


def read_version(connection: Connection) -> str:
    """Return the next number and the run that has the last one: a database created again differs too."""
    number, mark = connection.execute(_VERSION).one()
    return f"{number}-{mark or 0:08x}"


def read_catalogue(connection: Connection, version: str) -> SqlCatalogue:
    """Read what there is at `version`, which is that of the transaction of `connection`."""
    runs_by_series: dict[Series, list[CurrentRun]] = {}
    newest: dict[str, int] = {}
    rows = [*_intact_rows(connection, None)]
    intervals = Counter((row.model, row.day) for row in rows)
    several = [row for row in rows if intervals[row.model, row.day] > 1]
    unread = outdated_numbers((row.number, decode(row.record.encode(), Run)) for row in several)
    for row in rows:
        if row.number in unread:
            continue
        run = CurrentRun(row.number, row.crc32, keys.day_start_ms(row.day))
        runs_by_series.setdefault(Series(row.model, row.interval_s), []).append(run)
        newest[row.model] = max(row.number, newest.get(row.model, 0))
    for of_series in runs_by_series.values():
        of_series.sort(key=_day_ms)
    return SqlCatalogue(version, runs_by_series, newest)


def read_runs(connection: Connection, model: str | None) -> list[tuple[int, Run]]:
    """Read the current runs, of one model if it is named, each behind its number."""
    return [(row.number, decode(row.record.encode(), Run)) for row in _intact_rows(connection, model)]


def _intact_rows(connection: Connection, model: str | None) -> Iterator[Row[Any]]:
    query = select(tables.runs)
    if model is not None:
        query = query.where(tables.runs.c.model == model)
    for row in connection.execute(query):
        if not tables.is_intact(tables.runs, row):
            raise IndexDamaged(f"its entry for {row.day} ({row.model}, {row.interval_s} s)")
        yield row


_day_ms = attrgetter("day_ms")
_VERSION = select(tables.about.c.next_number, tables.runs.c.crc32).select_from(
    tables.about.outerjoin(tables.runs, tables.runs.c.number == tables.about.c.next_number - 1)
)


def read_packed(
    connection: Connection, runs: Sequence[CurrentRun], step_s: int
) -> Iterator[tuple[CurrentRun, tables.Packed]]:
    """Read what is packed of some runs by a step, in their order.

    Raises:
        IndexDamaged: A row is not as it was written, or there is none.
    """
    of_runs = select(tables.cells).where(
        tables.cells.c.run.in_([run.number for run in runs]), tables.cells.c.step_s == step_s
    )
    rows = {row.run: row for row in connection.execute(of_runs).all()}
    for run in runs:
        row = rows.get(run.number)
        if row is None or not tables.is_intact(tables.cells, row):
            raise IndexDamaged(f"its counts{_sources_of(row)} on {keys.utc_day(run.day_ms)}")
        yield run, _decoder.decode(row.packed)


def _sources_of(row: Row[Any] | None) -> str:
    """Name the sources of a damaged row, as far as it can be read: all sources of a day are in one."""
    if row is not None:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return " of " + ", ".join(sorted(_decoder.decode(row.packed).sources))
    return ""


def read_sources(connection: Connection, catalogue: SqlCatalogue, series: Series) -> Iterator[SourceSummary]:
    """Read what there is of each source of a series: how many frames, and from when to when."""
    runs = catalogue.runs(series, None, None)
    longest_s = [series.base_interval_s, *rolled_steps(series.base_interval_s)][-1]
    frames: Counter[str] = Counter()
    first_run: dict[str, CurrentRun] = {}
    last_run: dict[str, CurrentRun] = {}
    for first in range(0, len(runs), _RUNS_AT_ONCE):
        for run, packed in read_packed(connection, runs[first : first + _RUNS_AT_ONCE], longest_s):
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
    for run, packed in read_packed(connection, end_runs, series.base_interval_s):
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


def _coverage(packed: tables.Packed, row: int) -> array[int]:
    """Return a row of the cells of what was filmed."""
    row_bytes = len(packed.coverage) // STORED_ROWS
    numbers = array("q", packed.coverage[row * row_bytes : (row + 1) * row_bytes])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
