"""The count index's tables and their statements, for SQLite and PostgreSQL alike.

One row of `runs` per model, interval and day: the current one. `number` ties its rows in the other tables to
it, rises with every publication and is never used again. Rows of a run lie together, in the order of time,
so that a range of days reads just its part of each table; what is only shown for a few bars (evidence) lies
apart from what is summed over many.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Executable,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    case,
    func,
    select,
)

from frametally.count_index import Series

SCHEMA_VERSION = 1

_metadata = MetaData()

about = Table(
    "frametally_index",
    _metadata,
    Column("schema_version", Integer, primary_key=True, autoincrement=False),
    Column("next_number", BigInteger, nullable=False),
)

runs = Table(
    "frametally_runs",
    _metadata,
    Column("model", Text, primary_key=True),
    Column("interval_s", Integer, primary_key=True, autoincrement=False),
    Column("day", Text, primary_key=True),
    Column("params", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("record", Text, nullable=False),  # the Run, as JSON
)

counts = Table(
    "frametally_counts",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("detections", BigInteger, nullable=False),
    Column("peak", BigInteger, nullable=False),
    Column("peak_at_ms", BigInteger, nullable=False),  # when the best evidence frame was captured
    Column("objects", BigInteger),
    sqlite_with_rowid=False,
)

evidence = Table(
    "frametally_evidence",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("frames", Text, nullable=False),  # list of Evidence, as JSON
    sqlite_with_rowid=False,
)

coverage = Table(
    "frametally_coverage",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("frames", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

ALL = _metadata
DOCUMENTS = (counts, evidence, coverage)
"""Tables whose rows belong to a run."""


class Selection:
    """What a query selects: one model, one base interval, some sources, labels and times.

    `sources` and `labels` empty mean all; `from_ms` (inclusive) and `to_ms` (exclusive) are the starts of
    intervals, None leaves that end open.
    """

    def __init__(
        self,
        *,
        series: Series,
        sources: tuple[str, ...] = (),
        labels: tuple[str, ...] = (),
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> None:
        """Keep what is selected."""
        self._series = series
        self._sources = sources
        self._labels = labels
        self._from_ms = from_ms
        self._to_ms = to_ms

    def of(self, table: Table) -> ColumnElement[bool]:
        """The condition on rows of `counts` or `coverage`; one on labels where the table has them."""
        current = select(runs.c.number).where(
            runs.c.model == self._series.model, runs.c.interval_s == self._series.base_interval_s
        )
        conditions: list[ColumnElement[bool]] = [table.c.run.in_(current)]
        if self._from_ms is not None:
            conditions.append(table.c.interval_start_ms >= self._from_ms)
        if self._to_ms is not None:
            conditions.append(table.c.interval_start_ms < self._to_ms)
        if self._sources:
            conditions.append(table.c.source.in_(self._sources))
        if self._labels and "label" in table.c:
            conditions.append(table.c.label.in_(self._labels))
        return and_(*conditions)


def bucket_start(table: Table, interval_ms: int) -> ColumnElement[int]:
    """Start of the row's bucket: rounded down, also before 1970, where SQL's remainder is negative."""
    start = table.c.interval_start_ms
    return start - (start % interval_ms + interval_ms) % interval_ms


def select_buckets(selection: Selection, interval_ms: int, limit: int) -> Executable:
    """Rows of `Bucket`, in no order."""
    start = bucket_start(counts, interval_ms).label("start_ms")
    measured = case((func.count() == func.count(counts.c.objects), func.sum(counts.c.objects)), else_=None)
    return (
        select(start, counts.c.label, func.sum(counts.c.detections), func.max(counts.c.peak), measured)
        .where(selection.of(counts))
        .group_by(start, counts.c.label)
        .limit(limit)
    )


def select_coverage(selection: Selection, interval_ms: int, limit: int) -> Executable:
    """Rows of `CoverageBucket`, in no order."""
    start = bucket_start(coverage, interval_ms).label("start_ms")
    frames = func.sum(coverage.c.frames)
    return select(start, frames).where(selection.of(coverage)).group_by(start).limit(limit)


def select_evidence(selection: Selection, limit_per_label: int, limit: int) -> Executable:
    """Source, label, interval and evidence of the bars that hold the busiest frames of each label.

    A bar's best frame has its peak count, and none of a bar's frames can be among the n busiest unless its
    best frame is: so n bars per label are enough, and those that are level with the n-th.
    """
    rank = (
        func.rank()
        .over(partition_by=counts.c.label, order_by=(counts.c.peak.desc(), counts.c.peak_at_ms))
        .label("place")
    )
    best = (
        select(counts.c.run, counts.c.interval_start_ms, counts.c.source, counts.c.label, rank)
        .where(selection.of(counts))
        .subquery()
    )
    return (
        select(evidence.c.source, evidence.c.label, evidence.c.interval_start_ms, evidence.c.frames)
        .join(
            best,
            and_(*(evidence.c[key.name] == best.c[key.name] for key in evidence.primary_key)),
        )
        .where(best.c.place <= limit_per_label)
        .limit(limit)
    )
