"""The count index's queries, for SQLite and PostgreSQL alike: one piece of a range, by one stored step."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Executable, Select, Table, and_, case, func, literal, select

from frametally import keys
from frametally.adapters import sql_tables as tables
from frametally.count_index import Series
from frametally.steps import Piece

_DAY_S = 86_400
_WEEK_MS = 7 * _DAY_S * 1000
_HOUR_MS = 3_600_000
# Times that have a day of four digits, as runs do.
_FIRST_MS, _LAST_MS = keys.day_start_ms("1000-01-01"), keys.day_start_ms("9999-12-31")


class Selection(NamedTuple):
    """What a query selects: one model, one base interval, some sources and labels; empty means all."""

    series: Series
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def runs(self, piece: Piece) -> Select[tuple[int]]:
        """The numbers of the current runs that can have rows in `piece`."""
        runs = tables.runs.c
        query = select(runs.number).where(
            runs.model == self.series.model, runs.interval_s == self.series.base_interval_s
        )
        if piece.from_ms is not None and _FIRST_MS <= piece.from_ms < _LAST_MS:
            query = query.where(runs.day >= keys.utc_day(piece.from_ms))
        if piece.to_ms is not None and _FIRST_MS <= piece.to_ms < _LAST_MS:
            query = query.where(runs.day <= keys.utc_day(piece.to_ms - 1))
        return query

    def of(self, table: Table, piece: Piece) -> ColumnElement[bool]:
        """The condition on rows of a table; those on time, step and labels where it has them."""
        column = table.c
        conditions: list[ColumnElement[bool]] = [column.run.in_(self.runs(piece))]
        if "step_s" in column:
            conditions.append(column.step_s == piece.step_s)
        if "interval_start_ms" in column:
            if piece.from_ms is not None:
                conditions.append(column.interval_start_ms >= piece.from_ms)
            if piece.to_ms is not None:
                conditions.append(column.interval_start_ms < piece.to_ms)
        if self.sources:
            conditions.append(column.source.in_(self.sources))
        if self.labels and "label" in column:
            conditions.append(column.label.in_(self.labels))
        return and_(*conditions)

    def counts(self, piece: Piece) -> Table:
        """The table that has counts of the piece's step."""
        return tables.counts if piece.step_s == self.series.base_interval_s else tables.rolled_counts

    def coverage(self, piece: Piece) -> Table:
        """The table that has coverage of the piece's step."""
        return tables.coverage if piece.step_s == self.series.base_interval_s else tables.rolled_coverage


def floor_to(value: ColumnElement[int], step: int) -> ColumnElement[int]:
    """Rounded down to a multiple of `step`, also below zero, where SQL's remainder is negative."""
    return value - (value % step + step) % step


def all_or_null(column: ColumnElement[int], value: ColumnElement[int]) -> ColumnElement[int]:
    """An aggregate `value`, but NULL where any of the group's `column` is."""
    return case((func.count() == func.count(column), value), else_=None)


def select_buckets(
    selection: Selection, piece: Piece, *, interval_ms: int, offset_ms: int, by_source: bool, limit: int
) -> Executable:
    """Rows of `Bucket`, in no order."""
    table = selection.counts(piece)
    start = (floor_to(table.c.interval_start_ms + offset_ms, interval_ms) - offset_ms).label("start_ms")
    source = table.c.source if by_source else literal(None).label("source")
    detections, peak = func.sum(table.c.detections), func.max(table.c.peak)
    objects = all_or_null(table.c.objects, func.sum(table.c.objects))
    return (
        select(start, table.c.label, detections, peak, objects, source)
        .where(selection.of(table, piece))
        .group_by(start, table.c.label, *([source] if by_source else []))
        .limit(limit)
    )


def select_coverage(
    selection: Selection, piece: Piece, *, interval_ms: int, offset_ms: int, by_source: bool, limit: int
) -> Executable:
    """Rows of `CoverageBucket`, in no order."""
    table = selection.coverage(piece)
    start = (floor_to(table.c.interval_start_ms + offset_ms, interval_ms) - offset_ms).label("start_ms")
    source = table.c.source if by_source else literal(None).label("source")
    slowest_fps = all_or_null(table.c.slowest_fps, func.min(table.c.slowest_fps))
    return (
        select(start, func.sum(table.c.frames), slowest_fps, source)
        .where(selection.of(table, piece))
        .group_by(start, *([source] if by_source else []))
        .limit(limit)
    )


def select_week_counts(selection: Selection, piece: Piece, *, offset_ms: int) -> Executable:
    """Rows of milliseconds into the week, detections, peak and objects, by hour."""
    table = selection.counts(piece)
    into_week = _into_week(table, offset_ms)
    objects = all_or_null(table.c.objects, func.sum(table.c.objects))
    query = select(into_week, func.sum(table.c.detections), func.max(table.c.peak), objects)
    return query.where(selection.of(table, piece)).group_by(into_week)


def select_week_coverage(selection: Selection, piece: Piece, *, offset_ms: int) -> Executable:
    """Rows of milliseconds into the week and frames, by hour."""
    table = selection.coverage(piece)
    into_week = _into_week(table, offset_ms)
    return select(into_week, func.sum(table.c.frames)).where(selection.of(table, piece)).group_by(into_week)


def _into_week(table: Table, offset_ms: int) -> ColumnElement[int]:
    # 1970 began on a Thursday, three days after Monday.
    local = table.c.interval_start_ms + (offset_ms + 3 * _DAY_S * 1000)
    into_week = (local % _WEEK_MS + _WEEK_MS) % _WEEK_MS
    return (into_week - into_week % _HOUR_MS).label("into_week_ms")


def select_evidence(selection: Selection, piece: Piece, *, limit_per_label: int, limit: int) -> Executable:
    """Source, label and evidence of the bars that hold the busiest frames of each label.

    A bar's best frame has its peak count, and none of a bar's frames can be among the n busiest unless its
    best frame is: so n bars per label are enough, and those that are level with the n-th. A bar is one of the
    base interval, or the whole day.
    """
    if piece.step_s == selection.series.base_interval_s:
        ranked, shown = tables.counts, tables.evidence
    else:
        ranked = shown = tables.rolled_evidence
    rank = (
        func.rank()
        .over(partition_by=ranked.c.label, order_by=(ranked.c.peak.desc(), ranked.c.peak_at_ms))
        .label("place")
    )
    key = [ranked.c[column.name] for column in shown.primary_key]
    best = select(*key, rank).where(selection.of(ranked, piece)).subquery()
    same = and_(*(shown.c[column.name] == best.c[column.name] for column in shown.primary_key))
    return (
        select(shown.c.source, shown.c.label, shown.c.frames)
        .join(best, same)
        .where(best.c.place <= limit_per_label)
        .limit(limit)
    )
