"""The count index's queries, for SQLite and PostgreSQL alike: one piece of a range, by one stored step."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Executable,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
)

from frametally import keys
from frametally.adapters.sql.index import tables
from frametally.ports.count_index import Series
from frametally.ports.steps import Piece
from frametally.rules.times import FIRST_MS, HOUR_MS, MONDAY_TO_1970_MS, NEXT_MS, WEEK_MS

_T = TypeVar("_T")


Query = tuple[Executable, dict[str, Any]]
"""A statement and its parameters."""


class RowSelection(NamedTuple):
    """What a query selects: one model, one base interval, some sources and labels; empty means all."""

    series: Series
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def shape(self, piece: Piece) -> Shape:
        """What a statement on it depends on."""
        return Shape(
            piece.step_s == self.series.base_interval_s,
            _day_of(piece.from_ms) is not None,
            _day_of(piece.to_ms) is not None,
            piece.from_ms is not None,
            piece.to_ms is not None,
            bool(self.sources),
            bool(self.labels),
        )

    def parameters(self, piece: Piece) -> dict[str, Any]:
        """Of a statement of that shape."""
        return {
            "of_model": self.series.model,
            "of_interval_s": self.series.base_interval_s,
            "of_step_s": piece.step_s,
            "first_day": _day_of(piece.from_ms),
            "last_day": _day_of(None if piece.to_ms is None else piece.to_ms - 1),
            "from_ms": piece.from_ms,
            "to_ms": piece.to_ms,
            "of_sources": list(self.sources),
            "of_labels": list(self.labels),
        }


class Shape(NamedTuple):
    """What a statement on a selection in a piece depends on; what it does not are its parameters.

    Attributes:
        is_base: Whether the piece is read by the base interval, not by a rolled step.
        has_first_day: Whether the piece begins at a time that has a day.
        has_last_day: Whether it ends at one.
        has_start: Whether it has a start.
        has_end: Whether it has an end.
        of_sources: Whether sources are selected.
        of_labels: Whether labels are.
    """

    is_base: bool
    has_first_day: bool
    has_last_day: bool
    has_start: bool
    has_end: bool
    of_sources: bool
    of_labels: bool

    def of(self, table: Table) -> ColumnElement[bool]:
        """The condition on rows of a table; those on time, step and labels where it has them."""
        column = table.c
        conditions: list[ColumnElement[bool]] = [column.run.in_(self._runs())]
        if "step_s" in column:
            conditions.append(column.step_s == bindparam("of_step_s"))
        if "interval_start_ms" in column:
            if self.has_start:
                conditions.append(column.interval_start_ms >= bindparam("from_ms"))
            if self.has_end:
                conditions.append(column.interval_start_ms < bindparam("to_ms"))
        if self.of_sources:
            conditions.append(column.source.in_(bindparam("of_sources", expanding=True)))
        if self.of_labels and "label" in column:
            conditions.append(column.label.in_(bindparam("of_labels", expanding=True)))
        return and_(*conditions)

    @property
    def counts(self) -> Table:
        """The table that has counts of the piece's step."""
        return tables.counts if self.is_base else tables.rolled_counts

    @property
    def coverage(self) -> Table:
        """The table that has coverage of the piece's step."""
        return tables.coverage if self.is_base else tables.rolled_coverage

    def _runs(self) -> Select[tuple[int]]:
        """The numbers of the current runs that can have rows in the piece."""
        runs = tables.runs.c
        query = select(runs.number).where(
            runs.model == bindparam("of_model"), runs.interval_s == bindparam("of_interval_s")
        )
        if self.has_first_day:
            query = query.where(runs.day >= bindparam("first_day"))
        if self.has_last_day:
            query = query.where(runs.day <= bindparam("last_day"))
        return query


def select_buckets(
    selection: RowSelection, piece: Piece, *, interval_ms: int, offset_ms: int, by_source: bool, limit: int
) -> Query:
    """Rows of `Bucket`, in no order."""
    asked = {"interval_ms": interval_ms, "offset_ms": offset_ms, "most": limit}
    return _buckets(selection.shape(piece), by_source), selection.parameters(piece) | asked


def select_coverage(
    selection: RowSelection, piece: Piece, *, interval_ms: int, offset_ms: int, by_source: bool, limit: int
) -> Query:
    """Rows of `CoverageBucket`, in no order."""
    asked = {"interval_ms": interval_ms, "offset_ms": offset_ms, "most": limit}
    return _coverage(selection.shape(piece), by_source), selection.parameters(piece) | asked


def select_week_counts(selection: RowSelection, piece: Piece, *, offset_ms: int) -> Query:
    """Rows of milliseconds into the week, detections, peak and objects, by hour."""
    return _week_counts(selection.shape(piece)), selection.parameters(piece) | _since_monday(offset_ms)


def select_week_coverage(selection: RowSelection, piece: Piece, *, offset_ms: int) -> Query:
    """Rows of milliseconds into the week, frames and the slowest rate, by hour."""
    return _week_coverage(selection.shape(piece)), selection.parameters(piece) | _since_monday(offset_ms)


def select_evidence(selection: RowSelection, piece: Piece, *, limit_per_label: int, limit: int) -> Query:
    """Source, label and evidence of the bars that hold the busiest frames of each label.

    A bar's best frame has its peak count, and none of a bar's frames can be among the n busiest unless its
    best frame is: so n bars per label are enough, and those that are level with the n-th. A bar is one of the
    base interval, or the whole day.
    """
    asked = {"of_each": limit_per_label, "most": limit}
    return _evidence(selection.shape(piece)), selection.parameters(piece) | asked


def floor_to(value: ColumnElement[int], step: ColumnElement[int] | int) -> ColumnElement[int]:
    """Rounded down to a multiple of `step`, also below zero, where SQL's remainder is negative."""
    return value - (value % step + step) % step


def all_or_null(column: ColumnElement[Any], value: ColumnElement[_T]) -> ColumnElement[_T]:
    """An aggregate `value`, but NULL where any of the group's `column` is."""
    return case((func.count() == func.count(column), value), else_=None)


# To put a statement together takes longer than a small one takes to run: each shape is made once.


@cache
def _buckets(shape: Shape, by_source: bool) -> Executable:
    table = shape.counts
    start = _start_of_bar(table)
    source = table.c.source if by_source else literal(None).label("source")
    detections, peak = func.sum(table.c.detections), func.max(table.c.peak)
    objects = all_or_null(table.c.objects, func.sum(table.c.objects))
    return (
        select(start, table.c.label, detections, peak, objects, source)
        .where(shape.of(table))
        .group_by(start, table.c.label, *([source] if by_source else []))
        .limit(_number("most"))
    )


@cache
def _coverage(shape: Shape, by_source: bool) -> Executable:
    table = shape.coverage
    start = _start_of_bar(table)
    source = table.c.source if by_source else literal(None).label("source")
    return (
        select(start, func.sum(table.c.frames), _slowest_fps(table), source)
        .where(shape.of(table))
        .group_by(start, *([source] if by_source else []))
        .limit(_number("most"))
    )


@cache
def _week_counts(shape: Shape) -> Executable:
    table = shape.counts
    into_week = _into_week(table)
    objects = all_or_null(table.c.objects, func.sum(table.c.objects))
    query = select(into_week, func.sum(table.c.detections), func.max(table.c.peak), objects)
    return query.where(shape.of(table)).group_by(into_week)


@cache
def _week_coverage(shape: Shape) -> Executable:
    table = shape.coverage
    into_week = _into_week(table)
    query = select(into_week, func.sum(table.c.frames), _slowest_fps(table))
    return query.where(shape.of(table)).group_by(into_week)


@cache
def _evidence(shape: Shape) -> Executable:
    ranked, shown = (
        (tables.counts, tables.evidence)
        if shape.is_base
        else (tables.rolled_evidence, tables.rolled_evidence)
    )
    rank = (
        func.rank()
        .over(partition_by=ranked.c.label, order_by=(ranked.c.peak.desc(), ranked.c.peak_at_ms))
        .label("place")
    )
    key = [ranked.c[column.name] for column in shown.primary_key]
    best = select(*key, rank).where(shape.of(ranked)).subquery()
    same = and_(*(shown.c[column.name] == best.c[column.name] for column in shown.primary_key))
    return (
        select(shown.c.source, shown.c.label, shown.c.frames)
        .join(best, same)
        .where(best.c.place <= _number("of_each"))
        .limit(_number("most"))
    )


def _start_of_bar(table: Table) -> ColumnElement[int]:
    offset = _number("offset_ms")
    start = floor_to(table.c.interval_start_ms + offset, _number("interval_ms")) - offset
    return start.label("start_ms")


def _slowest_fps(table: Table) -> ColumnElement[float]:
    return all_or_null(table.c.slowest_fps, func.min(table.c.slowest_fps))


def _into_week(table: Table) -> ColumnElement[int]:
    local = table.c.interval_start_ms + _number("since_monday_ms")
    into_week = (local % WEEK_MS + WEEK_MS) % WEEK_MS
    return (into_week - into_week % HOUR_MS).label("into_week_ms")


def _since_monday(offset_ms: int) -> dict[str, int]:
    return {"since_monday_ms": offset_ms + MONDAY_TO_1970_MS}


def _number(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


def _day_of(time_ms: int | None) -> str | None:
    """The UTC day of a time, where it has one of four digits, as runs do."""
    return keys.utc_day(time_ms) if time_ms is not None and FIRST_MS <= time_ms < NEXT_MS else None
