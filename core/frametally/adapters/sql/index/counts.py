"""The count index in a SQL database: SQLite here, PostgreSQL by the same statements.

A query is one transaction, so that what it reads from several tables belongs together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Select, Table, asc, bindparam, desc, select

from frametally import keys
from frametally.adapters.sql.engine import SqlDatabase, limited
from frametally.adapters.sql.index import publication, tables
from frametally.adapters.sql.index.catalogue import (
    CurrentRun,
    SqlCatalogue,
    read_catalogue,
    read_runs,
    read_sources,
    read_version,
)
from frametally.adapters.sql.index.kept_cells import KeptCells
from frametally.adapters.sql.migration import MIGRATIONS, Layout
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.ports.base_index import BaseCountIndex
from frametally.ports.count_index import (
    Bucket,
    CountQuery,
    CoverageBucket,
    IndexDamaged,
    Series,
    SourceSummary,
)
from frametally.ports.steps import Piece, pieces, usable_steps
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.rules.times import DAY_MS, DAY_S
from frametally.rules.week_parts import ranges_of
from frametally.settings.access import ServerAccess

if TYPE_CHECKING:
    from frametally.adapters.sql.index.cells import RunCells

_LAYOUT = Layout(
    part="count index",
    setting="FRAMETALLY_INDEX_URL",
    refill="frametally index",
    tables=tables.ALL,
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations=MIGRATIONS / "index",
    first_version=4,
)
_evidence_decoder = msgspec.json.Decoder(list[Evidence])


def _evidence_of(table: Table) -> Select[Any]:
    return select(table).where(
        table.c.run == bindparam("of_run"),
        table.c.label == bindparam("of_label"),
        table.c.source.in_(bindparam("of_sources", expanding=True)),
    )


_OF_DAY = _evidence_of(tables.rolled_evidence)
_OF_BAR = _evidence_of(tables.evidence).where(tables.evidence.c.interval_start_ms == bindparam("of_start_ms"))
_SOURCES_AT_ONCE = 500


class SqlIndex(BaseCountIndex[Connection, SqlCatalogue]):
    """A count index in the database that a SQLAlchemy URL names. Threads and processes may share it."""

    def __init__(
        self, url: str, *, access: ServerAccess | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, making the tables if they are missing; see `SqlDatabase`."""
        self.url = url
        self._database = SqlDatabase(url, _LAYOUT, access=access, busy_timeout_s=busy_timeout_s)
        self._kept_cells = KeptCells()

    def publish(self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> bool:
        """Make `run` the current one of its model, interval and day; see `CountIndex.publish`."""
        with self._database.writing() as connection:
            return publication.publish(connection, run, counts, coverage)

    def remove(self, run: Run) -> None:
        """Have no run of this run's model, interval and day; see `CountIndex.remove`."""
        with self._database.writing() as connection:
            publication.remove(connection, run)

    def remove_damaged(self) -> list[str]:
        """Take out entries that are not as they were written; see `CountIndex.remove_damaged`."""
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
            Retryable: It is locked or away for now.
        """
        self._database.close()  # what its connections remember would hide it
        with self._moment() as connection:
            for table in tables.ALL.sorted_tables:
                for end in (asc, desc):
                    order = [end(column) for column in table.primary_key]
                    connection.execute(select(table).order_by(*order).limit(1)).first()

    def close(self) -> None:
        """Release connections."""
        self._database.close()

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        """Open one transaction, ended at the caller's time limit."""
        with self._database.reading() as connection, limited(connection):
            yield connection

    def _read_version(self, now: Connection) -> str:
        return read_version(now)

    def _read_catalogue(self, now: Connection, version: str) -> SqlCatalogue:
        catalogue = read_catalogue(now, version)
        self._kept_cells.keep_only(catalogue.all_runs())
        return catalogue

    def _read_runs(self, now: Connection, model: str | None = None) -> list[tuple[int, Run]]:
        return read_runs(now, model)

    def _read_sources(
        self, now: Connection, catalogue: SqlCatalogue, series: Series
    ) -> Iterator[SourceSummary]:
        return read_sources(now, catalogue, series)

    def _read_bars(
        self, now: Connection, catalogue: SqlCatalogue, query: CountQuery, piece: Piece
    ) -> Iterator[list[Bucket]]:
        from frametally.adapters.sql.index import sums  # numpy takes long, and `status` needs none

        for batch in self._batches(now, catalogue, query, piece):
            yield sums.bars_of(batch, self._kept_cells, query, piece)

    def _read_coverage(
        self, now: Connection, catalogue: SqlCatalogue, query: CountQuery, piece: Piece
    ) -> Iterator[list[CoverageBucket]]:
        from frametally.adapters.sql.index import sums  # numpy takes long, and `status` needs none

        for batch in self._batches(now, catalogue, query, piece):
            yield sums.coverage_of(batch, self._kept_cells, query, piece)

    def _read_evidence(
        self, now: Connection, catalogue: SqlCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[str, str, list[Evidence]]]:
        for part, labels in self._busiest_parts(now, catalogue, query, piece, limit):
            yield from self._evidence_of(now, catalogue, query._replace(labels=labels), part, limit)

    def _busiest_parts(
        self, now: Connection, catalogue: SqlCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[Piece, Sequence[str]]]:
        """Give the pieces in which evidence is looked for, each with the labels that are looked for.

        Of some hours of a year there is no evidence by days; that of its base intervals is looked for only in
        the hours of the `limit` greatest peaks.
        """
        from frametally.adapters.sql.index import sums  # numpy takes long, and `status` needs none

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
            for batch in self._batches(now, catalogue, query, part):
                for start_ms, _, label in sums.busiest(batch, self._kept_cells, query, part, limit):
                    labels_of[start_ms].append(label)
            for start_ms, labels in labels_of.items():
                yield Piece(base_s, start_ms, start_ms + part.step_s * 1000), sorted({*labels})

    def _evidence_of(
        self, now: Connection, catalogue: SqlCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[str, str, list[Evidence]]]:
        from frametally.adapters.sql.index import sums  # numpy takes long, and `status` needs none

        is_of_bar = piece.step_s == query.base_interval_s
        table = tables.evidence if is_of_bar else tables.rolled_evidence
        for batch in self._batches(now, catalogue, query, piece):
            runs = {run.day_ms: run.number for run, _ in batch}
            sources_by_bar: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
            for start_ms, source, label in sums.busiest(batch, self._kept_cells, query, piece, limit):
                sources_by_bar[start_ms, label].append(source)
            for (start_ms, label), sources in sources_by_bar.items():  # many sources can be level
                run = runs[start_ms // DAY_MS * DAY_MS]
                for first in range(0, len(sources), _SOURCES_AT_ONCE):
                    source_batch = sources[first : first + _SOURCES_AT_ONCE]
                    key = {
                        "of_run": run,
                        "of_sources": source_batch,
                        "of_label": label,
                        "of_start_ms": start_ms,
                    }
                    rows = {row.source: row for row in now.execute(_OF_BAR if is_of_bar else _OF_DAY, key)}
                    for source in source_batch:
                        row = rows.get(source)
                        if row is None or not tables.is_intact(table, row):
                            raise IndexDamaged(f"its evidence of {source} on {keys.utc_day(start_ms)}")
                        yield source, label, _evidence_decoder.decode(row.frames)

    def _steps_s(self, query: CountQuery) -> list[int]:
        # The ends of a range are of two days at most: each further step is one more piece of them to read.
        base_s, *longer = super()._steps_s(query)
        return [base_s, *longer[-1:]]

    def _batches(
        self, now: Connection, catalogue: SqlCatalogue, query: CountQuery, piece: Piece
    ) -> Iterator[list[tuple[CurrentRun, RunCells]]]:
        runs = [
            run
            for run in catalogue.runs(query.series, piece.from_ms, piece.to_ms)
            if any(ranges_of(query.week_parts, run.day_ms, run.day_ms + DAY_MS))
        ]
        return self._kept_cells.read_in_batches(now, runs, piece.step_s)
