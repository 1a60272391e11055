"""What the SQL index has at one version: its runs and series, read once and kept until that changes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from frametally import keys
from frametally.adapters.sql.index import tables
from frametally.ports.base_index import BaseCatalogue, outdated_numbers
from frametally.ports.count_index import IndexDamaged, Series
from frametally.records import Run, decode
from frametally.rules.times import DAY_MS


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
            raise IndexDamaged(f"its entry of {row.day} ({row.model}, {row.interval_s} s)")
        yield row


_day_ms = attrgetter("day_ms")
_VERSION = select(tables.about.c.next_number, tables.runs.c.crc32).select_from(
    tables.about.outerjoin(tables.runs, tables.runs.c.number == tables.about.c.next_number - 1)
)
