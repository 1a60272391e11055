"""What the SQL index has at one version: its runs and series, read once and kept until that changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from frametally import keys
from frametally.adapters.day_cells.catalogue import CurrentRun, DayCatalogue, day_order
from frametally.adapters.day_cells.storage import Packed, decode_packed, sources_in
from frametally.adapters.sql.index import tables
from frametally.ports.base_index import outdated_numbers
from frametally.ports.count_index import IndexDamaged, Series
from frametally.records import Run, decode


def read_version(connection: Connection) -> str:
    """Return the next number and the run that has the last one: a database created again differs too."""
    number, mark = connection.execute(_VERSION).one()
    return f"{number}-{mark or 0:08x}"


def read_catalogue(connection: Connection, version: str) -> DayCatalogue:
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
        of_series.sort(key=day_order)
    return DayCatalogue(version, runs_by_series, newest)


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


_VERSION = select(tables.about.c.next_number, tables.runs.c.crc32).select_from(
    tables.about.outerjoin(tables.runs, tables.runs.c.number == tables.about.c.next_number - 1)
)


def read_packed(
    connection: Connection, runs: Sequence[CurrentRun], step_s: int
) -> Iterator[tuple[CurrentRun, Packed]]:
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
            sources = sources_in(row.packed if row is not None else None)
            raise IndexDamaged(f"its counts{sources} on {keys.utc_day(run.day_ms)}")
        yield run, decode_packed(row.packed)
