"""The count index in a SQL database: SQLite here, PostgreSQL by the same statements.

A query is one transaction, so that what it reads from several tables belongs together.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from typing import Any

import msgspec
from sqlalchemy import Connection, asc, desc, func, select

from frametally.access import ServerAccess
from frametally.adapters import sql_publication
from frametally.adapters import sql_tables as tables
from frametally.adapters.sql_engine import BUSY_TIMEOUT_S, Layout, SqlDatabase
from frametally.adapters.sql_hours import HOUR_S, hour_buckets, is_served, week_cells
from frametally.adapters.sql_limits import limited
from frametally.adapters.sql_queries import (
    Selection,
    select_buckets,
    select_coverage,
    select_evidence,
    select_week_counts,
    select_week_coverage,
)
from frametally.count_index import (
    Bucket,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
    Series,
    SourceSummary,
    WeekHour,
)
from frametally.count_questions import (
    MAX_BUCKETS,
    check_interval,
    check_names,
    check_offset,
    check_week_hours,
    histogram_of,
)
from frametally.merging import add_week_hours, merge_bucket, merge_coverage
from frametally.records import Coverage, Evidence, IntervalCount, Run, decode
from frametally.steps import Piece, pieces, rolled_steps, usable_steps

_MAX_EVIDENCE_PER_LABEL = 100
_MAX_LISTED = 100_000
_MAX_TIME_MS = 2**62
_DAY_S = 86_400
_WEEK_MS = 7 * _DAY_S * 1000
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
            return self._series(connection)

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
        query = select(tables.about.c.next_number, tables.runs.c.record).select_from(
            tables.about.outerjoin(tables.runs, tables.runs.c.number == tables.about.c.next_number - 1)
        )
        with self._reading() as connection:
            number, record = connection.execute(query).one()
        return f"{number}-{zlib.crc32((record or '').encode()):08x}"

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Labels of the model with their detections, most first, then by name.

        Never summed over base intervals: of several, the one that holds most of the label counts.
        """
        most: dict[str, int] = {}
        with self._reading() as connection:
            for series in self._series(connection, model):
                selection, piece = Selection(series), _whole(series)
                table = selection.counts(piece)
                query = select(table.c.label, func.sum(table.c.detections)).where(selection.of(table, piece))
                for name, total in connection.execute(query.group_by(table.c.label).limit(_MAX_LISTED)):
                    most[name] = max(int(total), most.get(name, 0))
        return sorted(most.items(), key=lambda item: (-item[1], item[0]))

    def sources(self, model: str) -> list[SourceSummary]:
        """Sources of the model, by name; of several base intervals, the one that holds most frames counts."""
        found: dict[str, SourceSummary] = {}
        with self._reading() as connection:
            for series in self._series(connection, model):
                for summary in self._sources(connection, series):
                    if summary.source not in found or found[summary.source].frames < summary.frames:
                        found[summary.source] = summary
        return [found[source] for source in sorted(found)]

    def histogram(
        self,
        *,
        model: str,
        base_interval_s: int,
        interval_s: int,
        sources: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        offset_ms: int = 0,
        by_source: bool = False,
    ) -> Histogram:
        """Counts per `interval_s` (a multiple of `base_interval_s`) and label; see `CountIndex.histogram`.

        Raises:
            Misconfigured: No such interval or offset, too many names, or more bars than an answer holds.
        """
        check_interval(interval_s, base_interval_s)
        check_offset(offset_ms, base_interval_s)
        selection = _selection(model, base_interval_s, sources, labels)
        asked: dict[str, Any] = {
            "interval_ms": interval_s * 1000,
            "offset_ms": offset_ms % (interval_s * 1000),
            "by_source": by_source,
            "limit": MAX_BUCKETS + 1,
        }
        bars: dict[tuple[int, str, str], Bucket] = {}
        covered: dict[tuple[int, str], CoverageBucket] = {}
        with self._reading() as connection:
            for piece in _pieces(selection, interval_s, offset_ms, from_ms, to_ms):
                if piece.step_s == HOUR_S and is_served(selection, [HOUR_S]):
                    for bucket in hour_buckets(connection, selection, piece, **asked):
                        merge_bucket(bars, bucket)
                else:
                    for row in connection.execute(select_buckets(selection, piece, **asked)):
                        merge_bucket(bars, _bucket(row))
                for row in connection.execute(select_coverage(selection, piece, **asked)):
                    merge_coverage(covered, CoverageBucket(row[0], int(row[1]), row[2], row[3]))
        return histogram_of(
            bars, covered, model=model, base_interval_s=base_interval_s, interval_s=interval_s
        )

    def week_hours(
        self,
        *,
        model: str,
        base_interval_s: int,
        sources: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        offset_ms: int = 0,
    ) -> list[WeekHour]:
        """Counts per hour of the week of local time; see `CountIndex.week_hours`.

        Raises:
            Misconfigured: A base interval that divides no hour, a bad offset, or too many names.
        """
        check_week_hours(base_interval_s)
        check_offset(offset_ms, base_interval_s)
        selection = _selection(model, base_interval_s, sources, labels)
        frames: Counter[int] = Counter()
        sums: dict[int, WeekHour] = {}
        with self._reading() as connection:
            for piece in _pieces(selection, HOUR_S, offset_ms, from_ms, to_ms):
                for cell in _week_cells(connection, selection, piece, offset_ms % _WEEK_MS):
                    sums[cell.hour] = add_week_hours(sums[cell.hour], cell) if cell.hour in sums else cell
                query = select_week_coverage(selection, piece, offset_ms=offset_ms % _WEEK_MS)
                for start_ms, analysed in connection.execute(query):
                    frames[start_ms // (HOUR_S * 1000)] += int(analysed)
        empty = WeekHour(0, 0, 0, 0, 0)
        return [
            sums.get(hour, empty)._replace(hour=hour, frames=frames[hour])
            for hour in sorted(frames.keys() | sums.keys())
        ]

    def evidence(
        self,
        *,
        model: str,
        base_interval_s: int,
        sources: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit_per_label: int = 1,
    ) -> list[IndexedEvidence]:
        """The busiest evidence frames per label, by label, then count (most first), then time, then path.

        Raises:
            Misconfigured: Too many sources or labels.
        """
        limit = max(0, min(limit_per_label, _MAX_EVIDENCE_PER_LABEL))
        selection = _selection(model, base_interval_s, sources, labels)
        few = limit <= tables.MOST_EVIDENCE and base_interval_s < _DAY_S
        steps = [base_interval_s, _DAY_S] if few else [base_interval_s]
        found = []
        with self._reading() as connection:
            for piece in pieces(steps, _bounded(from_ms), _bounded(to_ms)):
                query = select_evidence(selection, piece, limit_per_label=limit, limit=_MAX_LISTED)
                for source, label, frames in connection.execute(query):
                    for item in _evidence_decoder.decode(frames):
                        start_ms = item.captured_at_ms // (base_interval_s * 1000) * (base_interval_s * 1000)
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

    def _sources(self, connection: Connection, series: Series) -> list[SourceSummary]:
        selection, piece = Selection(series), _whole(series)
        table = selection.coverage(piece)
        start = table.c.interval_start_ms
        query = (
            select(table.c.source, func.sum(table.c.frames), func.min(start), func.max(start))
            .where(selection.of(table, piece))
            .group_by(table.c.source)
            .limit(_MAX_LISTED)
        )
        found = []
        for source, frames, first_ms, last_ms in connection.execute(query).all():
            if piece.step_s != series.base_interval_s:  # the first and the last day say it exactly
                ends = [
                    select(end(tables.coverage.c.interval_start_ms)).where(
                        Selection(series, (source,)).of(
                            tables.coverage, Piece(series.base_interval_s, day_ms, day_ms + _DAY_S * 1000)
                        )
                    )
                    for end, day_ms in ((func.min, first_ms), (func.max, last_ms))
                ]
                first_ms, last_ms = (connection.execute(end).scalar_one() for end in ends)
            next_ms = last_ms + series.base_interval_s * 1000
            found.append(SourceSummary(source, int(frames), first_ms, next_ms))
        return found

    def _series(self, connection: Connection, model: str | None = None) -> list[Series]:
        table = tables.runs.c
        query = select(table.model, table.interval_s, func.max(table.number)).group_by(
            table.model, table.interval_s
        )
        if model is not None:
            query = query.where(table.model == model)
        newest: dict[str, int] = {}
        found = []
        for name, interval_s, number in connection.execute(query):
            newest[name] = max(number, newest.get(name, 0))
            found.append(Series(name, interval_s))
        return sorted(found, key=lambda series: (-newest[series.model], -series.base_interval_s))


def _whole(series: Series) -> Piece:
    """All there is of a series, by the longest step that is kept of it."""
    return Piece([series.base_interval_s, *rolled_steps(series.base_interval_s)][-1], None, None)


def _pieces(
    selection: Selection, interval_s: int, offset_ms: int, from_ms: int | None, to_ms: int | None
) -> list[Piece]:
    steps_s = usable_steps(selection.series.base_interval_s, interval_s, offset_ms)
    if is_served(selection, steps_s):  # by packed hours, which need no days
        steps_s = [step_s for step_s in steps_s if step_s <= HOUR_S]
    return pieces(steps_s, _bounded(from_ms), _bounded(to_ms))


def _week_cells(
    connection: Connection, selection: Selection, piece: Piece, offset_ms: int
) -> Iterator[WeekHour]:
    if piece.step_s == HOUR_S and is_served(selection, [HOUR_S]):
        yield from week_cells(connection, selection, piece, offset_ms=offset_ms)
        return
    query = select_week_counts(selection, piece, offset_ms=offset_ms)
    for start_ms, detections, peak, objects in connection.execute(query):
        hour = start_ms // (HOUR_S * 1000)
        yield WeekHour(hour, 0, int(detections), peak, _whole_number(objects))


def _selection(
    model: str, base_interval_s: int, sources: Sequence[str] | None, labels: Sequence[str] | None
) -> Selection:
    check_names(sources, labels)
    return Selection(Series(model, base_interval_s), tuple(sources or ()), tuple(labels or ()))


def _bounded(time_ms: int | None) -> int | None:
    """Any whole number may be asked for; the database knows those of 64 bits."""
    return None if time_ms is None else max(-_MAX_TIME_MS, min(time_ms, _MAX_TIME_MS))


def _bucket(row: Sequence[Any]) -> Bucket:
    start_ms, label, detections, peak, objects, source = row
    return Bucket(start_ms, label, int(detections), peak, _whole_number(objects), source)


def _whole_number(value: Any) -> int | None:
    return None if value is None else int(value)


def _evidence_order(item: IndexedEvidence) -> tuple[str, int, int, str]:
    frame = item.evidence
    return (item.label, -frame.count, frame.captured_at_ms, frame.image_path)
