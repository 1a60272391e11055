"""The count index in a SQL database: SQLite here, PostgreSQL by the same statements.

A query is one transaction, so that what it reads from several tables belongs together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from typing import Any

import msgspec
from sqlalchemy import Connection, asc, desc, select

from frametally.adapters.sql.engine import Layout, SqlDatabase
from frametally.adapters.sql.index import publication as sql_publication
from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.catalogue import SqlCatalogue, read_catalogue, read_days, read_version
from frametally.adapters.sql.index.hours import PackedHours, is_served
from frametally.adapters.sql.index.kept_hours import KeptHours
from frametally.adapters.sql.index.queries import RowSelection, select_evidence
from frametally.adapters.sql.index.rows import Rows, source_summaries, whole
from frametally.adapters.sql.limits import limited
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.ports.count_index import (
    Bucket,
    CountedDay,
    CountQuery,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
    Series,
    SourceSummary,
    WeekHour,
)
from frametally.ports.count_questions import (
    MAX_BUCKETS,
    check_interval,
    check_names,
    check_offset,
    check_week_hours,
    histogram_of,
)
from frametally.ports.merging import merge_bars, merge_coverage, merge_week
from frametally.ports.steps import pieces, usable_steps
from frametally.records import Coverage, Evidence, IntervalCount, Run, decode
from frametally.rules.evidence import MOST_EVIDENCE
from frametally.rules.times import DAY_S, HOUR_S, WEEK_MS
from frametally.settings.access import ServerAccess

_MAX_EVIDENCE_PER_LABEL = 100
_MAX_LISTED = 100_000
_MAX_TIME_MS = 2**62
_LAYOUT = Layout(
    what="count index",
    setting="FRAMETALLY_INDEX_URL",
    refill="frametally index",
    tables=tables.ALL,
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations="index",
)
_evidence_decoder = msgspec.json.Decoder(list[Evidence])


class SqlIndex:
    """A count index in the database that a SQLAlchemy URL names. Threads and processes may share it."""

    def __init__(
        self, url: str, *, access: ServerAccess | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, making the tables if they are missing.

        Args:
            url: `sqlite:////absolute/file.sqlite` or `postgresql://host/database`.
            access: How to log in to a server.
            busy_timeout_s: Seconds that SQLite waits for another process's lock.

        Raises:
            Misconfigured: The database is not an index of this version, or cannot be opened.
            Retryable: It is locked or away for now.
        """
        self.url = url
        self._database = SqlDatabase(url, _LAYOUT, access=access, busy_timeout_s=busy_timeout_s)
        self._hours = KeptHours()
        self._known: SqlCatalogue | None = None

    def publish(self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> bool:
        """Make `run` the current one of its model, interval and day; see `CountIndex.publish`.

        Raises:
            Poison: A record of another model, interval or day, or one that comes twice.
            Retryable: The database is locked or away for now; nothing has changed.
        """
        with self._database.writing() as connection:
            return sql_publication.publish(connection, run, counts, coverage)

    def current_runs(self) -> list[Run]:
        """The runs that queries read, by model, interval and day."""
        with self._reading() as connection:
            records = connection.execute(select(tables.runs.c.record)).scalars().all()
        found = [decode(record.encode(), Run) for record in records]
        # The order of texts is Python's, whatever the server's is.
        return sorted(found, key=lambda run: (run.model, run.interval_s, run.day))

    def series(self) -> list[Series]:
        """What can be asked for: the newest published model first, within a model the coarsest interval."""
        with self._reading() as connection:
            return [*self._catalogue(connection).series]

    def counted_days(self, model: str) -> list[CountedDay]:
        """The current runs of the model, in no order."""
        with self._reading() as connection:
            there = self._catalogue(connection)
            if model not in there.days:
                there.days[model] = read_days(connection, model)
            return [*there.days[model]]

    def check(self) -> None:
        """Read the first and the last row of every table, from the database itself.

        Raises:
            Misconfigured: It is damaged.
            Retryable: It is locked or away for now.
        """
        self._database.close()  # what its connections remember would hide it
        with self._reading() as connection:
            for table in tables.ALL.sorted_tables:
                for end in (asc, desc):
                    order = [end(column) for column in table.primary_key]
                    connection.execute(select(table).order_by(*order).limit(1)).first()

    def version(self) -> str:
        """The next number and the run that has the last one: a database made anew differs too."""
        with self._reading() as connection:
            return read_version(connection)

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Labels of the model with their detections, most first, then by name.

        Never summed over base intervals: of several, the one that holds most of the label counts.
        """
        with self._reading() as connection:
            there = self._catalogue(connection)
            if model not in there.labels:
                there.labels[model] = self._labels(connection, there, model)
            return [*there.labels[model]]

    def sources(self, model: str) -> list[SourceSummary]:
        """Sources of the model, by name; of several base intervals, the one that holds most frames counts."""
        with self._reading() as connection:
            there = self._catalogue(connection)
            if model not in there.sources:
                found: dict[str, SourceSummary] = {}
                for series in there.of_model(model):
                    for summary in source_summaries(connection, series):
                        if summary.source not in found or found[summary.source].frames < summary.frames:
                            found[summary.source] = summary
                there.sources[model] = [found[source] for source in sorted(found)]
            return [*there.sources[model]]

    def histogram(self, query: CountQuery) -> Histogram:
        """Counts per interval and label; see `CountIndex.histogram`.

        Raises:
            Misconfigured: No such interval or offset, too many names, or more bars than an answer holds.
        """
        check_interval(query.bar_s, query.base_interval_s)
        check_offset(query.offset_ms, query.base_interval_s)
        check_names(query)
        bar_ms = query.bar_s * 1000
        asked: dict[str, Any] = {
            "interval_ms": bar_ms,
            "offset_ms": query.offset_ms % bar_ms,
            "by_source": query.by_source,
            "limit": MAX_BUCKETS + 1,
        }
        bars: list[list[Bucket]] = []
        covered: list[list[CoverageBucket]] = []
        with self._reading() as connection:
            for part in self._parts(connection, query):
                bars.append(part.buckets(**asked))
                covered.append(part.coverage(**asked))
        return histogram_of(merge_bars(bars), merge_coverage(covered), query)

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Counts per hour of the week of local time; see `CountIndex.week_hours`.

        Raises:
            Misconfigured: A base interval that divides no hour, a bad offset, or too many names.
        """
        check_week_hours(query.base_interval_s)
        check_offset(query.offset_ms, query.base_interval_s)
        check_names(query)
        counted: list[WeekHour] = []
        covered: list[CoverageBucket] = []
        with self._reading() as connection:
            for part in self._parts(connection, query._replace(interval_s=HOUR_S)):
                counted += part.week_hours(offset_ms=query.offset_ms % WEEK_MS)
                covered += part.week_coverage(offset_ms=query.offset_ms % WEEK_MS)
        return merge_week(counted, covered)

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """The busiest evidence frames per label, by label, then count (most first), then time, then path.

        Raises:
            Misconfigured: Too many sources or labels.
        """
        check_names(query)
        limit = max(0, min(limit_per_label, _MAX_EVIDENCE_PER_LABEL))
        base_s = query.base_interval_s
        steps = [base_s, DAY_S] if limit <= MOST_EVIDENCE and base_s < DAY_S else [base_s]
        found = []
        with self._reading() as connection:
            for piece in pieces(steps, _bounded(query.from_ms), _bounded(query.to_ms)):
                chosen = select_evidence(_selection(query), piece, limit_per_label=limit, limit=_MAX_LISTED)
                for source, label, frames in connection.execute(*chosen).all():
                    for item in _evidence_decoder.decode(frames):
                        start_ms = item.captured_at_ms // (base_s * 1000) * (base_s * 1000)
                        found.append(IndexedEvidence(source, label, start_ms, item))
        found.sort(key=_evidence_order)
        by_label = groupby(found, key=lambda item: item.label)
        return [item for _, items in by_label for item in islice(items, limit)]

    def close(self) -> None:
        """Release connections."""
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One transaction, ended at the caller's time limit."""
        with self._database.reading() as connection, limited(connection):
            yield connection

    def _catalogue(self, connection: Connection) -> SqlCatalogue:
        """What there is, as the transaction of `connection` sees it."""
        version, known = read_version(connection), self._known
        if known is not None and known.version == version:
            return known
        there = read_catalogue(connection, version)
        self._hours.keep_only(there.all_runs())
        self._known = there
        return there

    def _parts(self, connection: Connection, query: CountQuery) -> Iterator[PackedHours | Rows]:
        """The range in pieces, in order, each by what reads it fastest."""
        selection = _selection(query)
        from_ms, to_ms = _bounded(query.from_ms), _bounded(query.to_ms)
        steps_s = usable_steps(query.base_interval_s, query.bar_s, query.offset_ms)
        there = self._catalogue(connection)
        runs = there.runs(selection.series, from_ms, to_ms)
        is_packed = is_served(selection, steps_s, self._hours, runs)
        if is_packed:  # they need no longer steps
            steps_s = [step_s for step_s in steps_s if step_s <= HOUR_S]
        for piece in pieces(steps_s, from_ms, to_ms):
            if is_packed and piece.step_s == HOUR_S:
                runs = there.runs(selection.series, piece.from_ms, piece.to_ms)
                for some in self._hours.batches(runs):
                    yield PackedHours(connection, self._hours, some, selection, piece)
            else:
                yield Rows(connection, selection, piece)

    def _labels(self, connection: Connection, there: SqlCatalogue, model: str) -> list[tuple[str, int]]:
        most: dict[str, int] = {}
        for series in there.of_model(model):
            if self._hours.can_hold(there.runs(series, None, None)):
                parts = self._parts(connection, CountQuery(*series, interval_s=DAY_S))
            else:  # days are fewer
                parts = iter([Rows(connection, RowSelection(series), whole(series))])
            totals: Counter[str] = Counter()
            for part in parts:
                totals.update(part.labels())
            for name, total in totals.items():
                most[name] = max(total, most.get(name, 0))
        return sorted(most.items(), key=lambda item: (-item[1], item[0]))


def _selection(query: CountQuery) -> RowSelection:
    series = Series(query.model, query.base_interval_s)
    return RowSelection(series, tuple(query.sources), tuple(query.labels))


def _bounded(time_ms: int | None) -> int | None:
    """Any whole number may be asked for; the database knows those of 64 bits."""
    return None if time_ms is None else max(-_MAX_TIME_MS, min(time_ms, _MAX_TIME_MS))


def _evidence_order(item: IndexedEvidence) -> tuple[str, int, int, str]:
    frame = item.evidence
    return (item.label, -frame.count, frame.captured_at_ms, frame.image_path)
