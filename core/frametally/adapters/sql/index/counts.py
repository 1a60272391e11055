"""The count index in a SQL database: SQLite, or PostgreSQL with the same statements.

A query is one transaction, so that its reads from several tables are consistent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, asc, desc, select

from frametally import keys
from frametally.adapters.day_cells.day_index import DayCatalogue, DayIndex
from frametally.adapters.day_cells.storage import (
    CurrentRun,
    EvidenceBar,
    Packed,
    day_order,
    decode_packed,
    sources_in,
)
from frametally.adapters.sql.engine import SqlDatabase, limited
from frametally.adapters.sql.index import publication, tables
from frametally.adapters.sql.migration import MIGRATIONS, Layout
from frametally.books.counted_days import outdated_numbers
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.ports.count_index import IndexDamaged, NameOf, Series, no_name
from frametally.records import Coverage, Evidence, IntervalCount, Run, decode
from frametally.settings.access import ServerAccess

_LAYOUT = Layout(
    part="count index",
    setting="FRAMETALLY_INDEX_URL",
    refill="frametally index",
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations=MIGRATIONS / "index",
)
_VERSION = select(tables.about.c.next_number, tables.runs.c.crc32).select_from(
    tables.about.outerjoin(tables.runs, tables.runs.c.number == tables.about.c.next_number - 1)
)


class SqlIndex(DayIndex[Connection]):
    """A count index in the database that a SQLAlchemy URL names. Threads and processes may share it."""

    def __init__(
        self, url: str, *, access: ServerAccess | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, creating missing tables; see `SqlDatabase`."""
        super().__init__()
        self.url = url
        self._database = SqlDatabase(url, _LAYOUT, access=access, busy_timeout_s=busy_timeout_s)

    def part_names(self, run: Run) -> frozenset[str]:
        with self._moment() as now:
            return publication.part_names(now, run)

    def publish(
        self,
        run: Run,
        counts: Iterable[IntervalCount],
        coverage: Iterable[Coverage],
        *,
        name_of: NameOf = no_name,
        kept_names: Collection[str] = (),
    ) -> bool:
        """Make `run` the current one of its model, interval and day; see `CountIndex.publish`."""
        with self._database.writing() as connection:
            return publication.publish(connection, run, counts, coverage, name_of, kept_names)

    def remove(self, run: Run) -> None:
        with self._database.writing() as connection:
            publication.remove(connection, run)

    def remove_damaged(self) -> list[str]:
        with self._database.writing() as connection:
            return publication.remove_damaged(connection)

    def differing_sources(
        self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
    ) -> list[str]:
        """Return the sources that are not as `publish` would write them; see `CountIndex`."""
        with self._moment() as now:
            return publication.differing_sources(now, run, counts, coverage)

    def check(self) -> None:
        """Read the first and the last row of every table, from the database itself.

        Raises:
            Misconfigured: It is damaged.
            Retryable: It is locked or unavailable for now.
        """
        self._database.close()  # its connections' caches would hide damage
        with self._moment() as connection:
            for table in tables.ALL.sorted_tables:
                for end in (asc, desc):
                    order = [end(column) for column in table.primary_key]
                    connection.execute(select(table).order_by(*order).limit(1)).first()

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        """Open one transaction, which ends at the caller's time limit."""
        with self._database.reading() as connection, limited(connection):
            yield connection

    def _read_version(self, now: Connection) -> str:
        """Return the next number and the last run's checksum: a database created again has another."""
        number, mark = now.execute(_VERSION).one()
        return f"{number}-{mark or 0:08x}"

    def _read_catalogue(self, now: Connection, version: str) -> DayCatalogue:
        runs_by_series: dict[Series, list[CurrentRun]] = {}
        newest: dict[str, int] = {}
        rows = [*_intact_rows(now, None)]
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
        catalogue = DayCatalogue(version, runs_by_series, newest)
        self._kept_cells.keep_only(catalogue.all_runs())
        return catalogue

    def _read_runs(self, now: Connection, model: str | None = None) -> list[tuple[int, Run]]:
        return [(row.number, decode(row.record.encode(), Run)) for row in _intact_rows(now, model)]

    def _read_packed(
        self, now: Connection, runs: Sequence[CurrentRun], step_s: int
    ) -> Iterator[tuple[CurrentRun, Packed]]:
        cells = tables.cells.c
        of_runs = select(tables.cells).where(
            cells.run.in_([run.number for run in runs]), cells.step_s == step_s
        )
        rows = {row.run: row for row in now.execute(of_runs).all()}
        for run in runs:
            row = rows.get(run.number)
            if row is None or not tables.is_intact(tables.cells, row):
                sources = sources_in(row.packed if row is not None else None)
                raise IndexDamaged(f"its counts{sources} on {keys.utc_day(run.day_ms)}")
            yield run, decode_packed(row.packed)

    def _read_frames(
        self, now: Connection, bars: Sequence[EvidenceBar], of_day: bool
    ) -> Iterator[tuple[EvidenceBar, list[Evidence] | None]]:
        return publication.read_frames(now, bars, of_day)


def _intact_rows(connection: Connection, model: str | None) -> Iterator[Row[Any]]:
    query = select(tables.runs)
    if model is not None:
        query = query.where(tables.runs.c.model == model)
    for row in connection.execute(query):
        if not tables.is_intact(tables.runs, row):
            raise IndexDamaged(f"its entry for {row.day} ({row.model}, {row.interval_s} s)")
        yield row
