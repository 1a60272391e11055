"""Rolls a run's rows up to longer steps, in the transaction that publishes it; see `sql_tables`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, func, insert, literal, select

from frametally.adapters.sql.index import packing as sql_packing
from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.queries import all_or_null, floor_to
from frametally.ports.steps import rolled_steps
from frametally.records import Evidence, IntervalCount
from frametally.rules.evidence import busiest
from frametally.rules.times import HOUR_S


def roll_up(connection: Connection, number: int, *, base_interval_s: int) -> None:
    """Make the rolled counts and coverage of run `number` from its rows."""
    for step_s in rolled_steps(base_interval_s):
        counts, coverage = tables.counts.c, tables.coverage.c
        start = floor_to(counts.interval_start_ms, step_s * 1000).label("start_ms")
        place = (counts.label, counts.source, start)
        sums = (func.sum(counts.detections), func.max(counts.peak))
        objects = all_or_null(counts.objects, func.sum(counts.objects))
        connection.execute(
            insert(tables.rolled_counts).from_select(
                [column.name for column in tables.rolled_counts.c],
                select(literal(number), literal(step_s), *place, *sums, objects)
                .where(counts.run == number)
                .group_by(*place),
            )
        )
        start = floor_to(coverage.interval_start_ms, step_s * 1000).label("start_ms")
        slowest_fps = all_or_null(coverage.slowest_fps, func.min(coverage.slowest_fps))
        connection.execute(
            insert(tables.rolled_coverage).from_select(
                [column.name for column in tables.rolled_coverage.c],
                select(
                    literal(number),
                    literal(step_s),
                    coverage.source,
                    start,
                    func.sum(coverage.frames),
                    slowest_fps,
                )
                .where(coverage.run == number)
                .group_by(coverage.source, start),
            )
        )


def pack_hours(connection: Connection, number: int) -> None:
    """Make the packed hours of run `number` from its rolled counts, which are made before."""
    rolled = tables.rolled_counts.c
    rows = connection.execute(
        select(
            rolled.label,
            rolled.source,
            rolled.interval_start_ms,
            rolled.detections,
            rolled.peak,
            rolled.objects,
        ).where(rolled.run == number, rolled.step_s == HOUR_S)
    )
    cells = sql_packing.pack(tuple(row) for row in rows)
    connection.execute(insert(tables.rolled_hours).values(run=number, cells=cells))


class DayEvidence:
    """The busiest frames of a run, per source and label, while its counts go by."""

    def __init__(self) -> None:
        """Nothing has gone by yet."""
        self._best: dict[tuple[str, str], list[Evidence]] = {}

    def add(self, counts: Iterable[IntervalCount]) -> None:
        """Take in some counts, in any order."""
        for count in counts:
            place = (count.label, count.source)
            self._best[place] = busiest([*self._best.get(place, ()), *count.evidence])

    def insert(self, connection: Connection, number: int) -> None:
        """Write those of run `number`."""
        rows = [
            {
                "run": number,
                "label": label,
                "source": source,
                "peak": best[0].count,
                "peak_at_ms": best[0].captured_at_ms,
                "frames": msgspec.json.encode(best).decode(),
            }
            for (label, source), best in self._best.items()
            if best
        ]
        if rows:
            connection.execute(insert(tables.rolled_evidence), rows)
