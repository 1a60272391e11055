"""The count index in a SQL database: SQLite here, PostgreSQL by the same statements.

A query is one transaction, so that what it reads from several tables belongs together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from frametally.adapters import sql_publication
from frametally.adapters import sql_tables as tables
from frametally.adapters.sql_engine import BUSY_TIMEOUT_S, Layout, SqlDatabase
from frametally.adapters.sql_tables import Selection
from frametally.count_index import (
    Bucket,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
    Series,
    SourceSummary,
)
from frametally.errors import Misconfigured
from frametally.records import Coverage, Evidence, IntervalCount, Run, decode

_MAX_BUCKETS = 200_000
_MAX_NAMES = 1_000
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
)
_evidence_decoder = msgspec.json.Decoder(list[Evidence])


class SqlIndex:
    """A count index in the database that a SQLAlchemy URL names. Threads and processes may share it."""

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the database, making the tables if they are missing.

        Args:
            url: `sqlite:////absolute/file.sqlite`, or any other URL that SQLAlchemy knows.
            busy_timeout_s: Seconds that SQLite waits for another process's lock.

        Raises:
            Misconfigured: The database is not an index of this version, or cannot be opened.
            Retryable: It is locked or away for now.
        """
        self.url = url
        self._database = SqlDatabase(url, _LAYOUT, busy_timeout_s=busy_timeout_s)

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
        with self._database.reading() as connection:
            order = (tables.runs.c.model, tables.runs.c.interval_s, tables.runs.c.day)
            found = connection.execute(select(tables.runs.c.record).order_by(*order)).scalars().all()
        return [decode(record.encode(), Run) for record in found]

    def series(self) -> list[Series]:
        """What can be asked for: the newest published model first, within a model the coarsest interval."""
        with self._database.reading() as connection:
            return self._series(connection)

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Labels of the model with their detections, most first, then by name.

        Never summed over base intervals: of several, the one that holds most of the label counts.
        """
        label, detections = tables.counts.c.label, func.sum(tables.counts.c.detections)
        most: dict[str, int] = {}
        with self._database.reading() as connection:
            for series in self._series(connection, model):
                query = select(label, detections).where(Selection(series=series).of(tables.counts))
                for name, total in connection.execute(query.group_by(label).limit(_MAX_LISTED)):
                    most[name] = max(int(total), most.get(name, 0))
        return sorted(most.items(), key=lambda item: (-item[1], item[0]))

    def sources(self, model: str) -> list[SourceSummary]:
        """Sources of the model, by name; of several base intervals, the one that holds most frames counts."""
        table = tables.coverage.c
        start = table.interval_start_ms
        found: dict[str, SourceSummary] = {}
        with self._database.reading() as connection:
            for series in self._series(connection, model):
                query = select(table.source, func.sum(table.frames), func.min(start), func.max(start))
                query = query.where(Selection(series=series).of(tables.coverage)).group_by(table.source)
                for source, frames, first_ms, last_ms in connection.execute(query.limit(_MAX_LISTED)):
                    next_ms = last_ms + series.base_interval_s * 1000
                    summary = SourceSummary(source, int(frames), first_ms, next_ms)
                    if source not in found or found[source].frames < summary.frames:
                        found[source] = summary
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
    ) -> Histogram:
        """Counts per `interval_s` (a multiple of `base_interval_s`) and label.

        Raises:
            Misconfigured: No such interval, too many sources or labels, or more bars than an answer holds.
        """
        if interval_s < 1 or base_interval_s < 1 or interval_s % base_interval_s:
            raise Misconfigured(
                f"interval {interval_s} s is no multiple of the stored {base_interval_s} s; use "
                f"{base_interval_s}, {2 * base_interval_s}, {3 * base_interval_s} or another multiple of it"
            )
        selection = _selection(model, base_interval_s, sources, labels, from_ms, to_ms)
        with self._database.reading() as connection:
            query = tables.select_buckets(selection, interval_s * 1000, _MAX_BUCKETS + 1)
            bars = connection.execute(query).all()
            query = tables.select_coverage(selection, interval_s * 1000, _MAX_BUCKETS + 1)
            covered = connection.execute(query).all()
        if max(len(bars), len(covered)) > _MAX_BUCKETS:
            raise Misconfigured(
                f"interval {interval_s} s makes more than {_MAX_BUCKETS} bars; "
                "ask for a longer interval or a shorter range"
            )
        return Histogram(
            model=model,
            base_interval_s=base_interval_s,
            buckets=sorted(_bucket(row) for row in bars),
            coverage=sorted(CoverageBucket(start_ms, int(frames)) for start_ms, frames in covered),
        )

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
        selection = _selection(model, base_interval_s, sources, labels, from_ms, to_ms)
        with self._database.reading() as connection:
            rows = connection.execute(tables.select_evidence(selection, limit, _MAX_LISTED)).all()
        found = [
            IndexedEvidence(source, label, interval_start_ms, item)
            for source, label, interval_start_ms, frames in rows
            for item in _evidence_decoder.decode(frames)
        ]
        found.sort(key=_evidence_order)
        by_label = groupby(found, key=lambda item: item.label)
        return [item for _, items in by_label for item in islice(items, limit)]

    def close(self) -> None:
        """Release connections."""
        self._database.close()

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


def _selection(
    model: str,
    base_interval_s: int,
    sources: Sequence[str] | None,
    labels: Sequence[str] | None,
    from_ms: int | None,
    to_ms: int | None,
) -> Selection:
    for kind, names in (("sources", sources), ("labels", labels)):
        if names and len(names) > _MAX_NAMES:
            raise Misconfigured(
                f"{len(names)} {kind} in one query; name at most {_MAX_NAMES}, or none for all"
            )
    return Selection(
        series=Series(model, base_interval_s),
        sources=tuple(sources or ()),
        labels=tuple(labels or ()),
        from_ms=_bounded(from_ms),
        to_ms=_bounded(to_ms),
    )


def _bounded(time_ms: int | None) -> int | None:
    """Any whole number may be asked for; the database knows those of 64 bits."""
    return None if time_ms is None else max(-_MAX_TIME_MS, min(time_ms, _MAX_TIME_MS))


def _bucket(row: Sequence[Any]) -> Bucket:
    start_ms, label, detections, peak, objects = row
    return Bucket(start_ms, label, int(detections), peak, None if objects is None else int(objects))


def _evidence_order(item: IndexedEvidence) -> tuple[str, int, int, str]:
    frame = item.evidence
    return (item.label, -frame.count, frame.captured_at_ms, frame.image_path)
