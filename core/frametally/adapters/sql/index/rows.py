"""Answers from rows, of a base interval or a rolled step: what the packed hours must say, too."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, func, select

from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.queries import (
    RowSelection,
    select_buckets,
    select_coverage,
    select_week_counts,
    select_week_coverage,
)
from frametally.ports.count_index import Bucket, CoverageBucket, Series, SourceSummary, WeekHour
from frametally.ports.merging import bar_order, coverage_order
from frametally.ports.steps import Piece, rolled_steps
from frametally.rules.times import DAY_MS, HOUR_MS

_MOST_LISTED = 100_000


class Rows:
    """The rows of a selection in one piece."""

    def __init__(self, connection: Connection, selection: RowSelection, piece: Piece) -> None:
        """Nothing is read yet."""
        self._connection = connection
        self._selection = selection
        self._piece = piece

    def buckets(self, *, interval_ms: int, offset_ms: int, by_source: bool, limit: int) -> list[Bucket]:
        """Bars, at most `limit` of them, by start, label and source."""
        query = select_buckets(
            self._selection,
            self._piece,
            interval_ms=interval_ms,
            offset_ms=offset_ms,
            by_source=by_source,
            limit=limit,
        )
        found = [
            Bucket(start_ms, label, int(detections), peak, _whole_number(objects), source)
            for start_ms, label, detections, peak, objects, source in self._connection.execute(*query).all()
        ]
        found.sort(key=bar_order)
        return found

    def coverage(
        self, *, interval_ms: int, offset_ms: int, by_source: bool, limit: int
    ) -> list[CoverageBucket]:
        """What was filmed, at most `limit` of it, by start and source."""
        query = select_coverage(
            self._selection,
            self._piece,
            interval_ms=interval_ms,
            offset_ms=offset_ms,
            by_source=by_source,
            limit=limit,
        )
        found = [
            CoverageBucket(start_ms, int(frames), slowest_fps, source)
            for start_ms, frames, slowest_fps, source in self._connection.execute(*query).all()
        ]
        found.sort(key=coverage_order)
        return found

    def week_hours(self, *, offset_ms: int) -> list[WeekHour]:
        """Counts by hour of the week, without frames; in no order."""
        query = select_week_counts(self._selection, self._piece, offset_ms=offset_ms)
        return [
            WeekHour(start_ms // HOUR_MS, 0, int(detections), peak, _whole_number(objects))
            for start_ms, detections, peak, objects in self._connection.execute(*query).all()
        ]

    def week_coverage(self, *, offset_ms: int) -> list[CoverageBucket]:
        """What was filmed by hour of the week; `start_ms` is that of the hour since Monday 00:00."""
        query = select_week_coverage(self._selection, self._piece, offset_ms=offset_ms)
        return [
            CoverageBucket(start_ms, int(frames), slowest_fps)
            for start_ms, frames, slowest_fps in self._connection.execute(*query).all()
        ]

    def labels(self) -> Counter[str]:
        """Detections by label."""
        shape = self._selection.shape(self._piece)
        table = shape.counts
        query = (
            select(table.c.label, func.sum(table.c.detections))
            .where(shape.of(table))
            .group_by(table.c.label)
            .limit(_MOST_LISTED)
        )
        rows = self._connection.execute(query, self._selection.parameters(self._piece)).all()
        return Counter({label: int(total) for label, total in rows})


def whole(series: Series) -> Piece:
    """All there is of a series, by the longest step that is kept of it."""
    return Piece([series.base_interval_s, *rolled_steps(series.base_interval_s)][-1], None, None)


def source_summaries(connection: Connection, series: Series) -> list[SourceSummary]:
    """What there is of each source of a series, in no order."""
    selection, piece = RowSelection(series), whole(series)
    shape = selection.shape(piece)
    table = shape.coverage
    start = table.c.interval_start_ms
    query = (
        select(table.c.source, func.sum(table.c.frames), func.min(start), func.max(start))
        .where(shape.of(table))
        .group_by(table.c.source)
        .limit(_MOST_LISTED)
    )
    found = []
    for source, frames, first_ms, last_ms in connection.execute(query, selection.parameters(piece)).all():
        if piece.step_s != series.base_interval_s:  # the first and the last day say it exactly
            first_ms = _end(connection, series, source, first_ms, func.min)
            last_ms = _end(connection, series, source, last_ms, func.max)
        next_ms = last_ms + series.base_interval_s * 1000
        found.append(SourceSummary(source, int(frames), first_ms, next_ms))
    return found


def _end(connection: Connection, series: Series, source: str, day_ms: int, of_starts: Any) -> int:
    """The first or the last start of a base interval of a day that has some."""
    selection, piece = (
        RowSelection(series, (source,)),
        Piece(series.base_interval_s, day_ms, day_ms + DAY_MS),
    )
    query = select(of_starts(tables.coverage.c.interval_start_ms)).where(
        selection.shape(piece).of(tables.coverage)
    )
    found: int = connection.execute(query, selection.parameters(piece)).scalar_one()
    return found


def _whole_number(value: Any) -> int | None:
    return None if value is None else int(value)
