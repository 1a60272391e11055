"""A junction's visits and quarter-hours, as flows and as a report; a test sets only the relevant fields."""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import (
    CROSSING_COLUMNS,
    NO_CALIBRATION,
    NO_MOVEMENTS,
    STAY_COLUMNS,
    VISIT_COLUMNS,
    FlowColumns,
)
from frametally_traffic.records import DrawnLine, Side
from frametally_traffic.report.junction_report import ReportQuery, TrafficReport
from frametally_traffic.report.movement_table import make_table
from frametally_traffic.report.quarters import QUARTER_MS, Quarter, SeenBoxes, SeenPart, quarters_between
from frametally_traffic.report.schemes import LABELS

MODEL = "pixels-1"
START_MS = 1_714_543_200_000  # 2024-05-01 06:00 UTC
SIDES: dict[str, Side | None] = {"north": "N", "east": "E", "south": "S", "west": "W"}


class Visit(NamedTuple):
    """An object at a junction: with a movement, or the reason for its lack."""

    time_ms: int
    label: str
    movement: tuple[str, str] | Literal["unassigned", "never_at_a_leg"]


def make_flows(
    visits: Iterable[Visit], *, legs: Collection[str] = tuple(SIDES), source: str = "cross"
) -> list[FlowColumns]:
    """Return the flows of every day with visits, and nothing else."""
    days: dict[int, list[Visit]] = {}
    for visit in sorted(visits, key=lambda visit: visit.time_ms):
        days.setdefault(visit.time_ms // DAY_MS, []).append(visit)
    return [_day(day * DAY_MS, visits, tuple(sorted(legs)), source) for day, visits in days.items()]


def _day(day_start_ms: int, visits: Sequence[Visit], legs: tuple[str, ...], source: str) -> FlowColumns:
    labels = tuple(sorted({visit.label for visit in visits}))
    columns: dict[str, list[int]] = {name: [] for name in (*CROSSING_COLUMNS, *STAY_COLUMNS, *VISIT_COLUMNS)}
    for number, visit in enumerate(visits):
        row = dict.fromkeys(VISIT_COLUMNS, 0)
        row["visit_time"] = visit.time_ms - day_start_ms
        row["visit_number"] = number
        row["visit_label"] = labels.index(visit.label)
        row["visit_speed_missing"] = NO_CALIBRATION
        if isinstance(visit.movement, str):
            row["visit_outcome"] = 1 + NO_MOVEMENTS.index(visit.movement)
        else:
            row["visit_from_leg"], row["visit_to_leg"] = map(legs.index, visit.movement)
        for name, value in row.items():
            columns[name].append(value)
    return FlowColumns(MODEL, source, day_start_ms, labels, legs, legs, (), columns)


def make_quarters(count: int, start_ms: int = START_MS, missing: Collection[int] = ()) -> tuple[Quarter, ...]:
    """Return this many complete quarters, except for some numbers, which lack footage."""
    seen = [
        SeenPart(start_ms + number * QUARTER_MS, QUARTER_MS)
        for number in range(count)
        if number not in missing
    ]
    return quarters_between(start_ms, start_ms + count * QUARTER_MS, seen)


def make_report(
    visits: Iterable[Visit],
    quarters: Sequence[Quarter],
    *,
    sides: dict[str, Side | None] = SIDES,
    scheme: str = LABELS,
    timezone: str = "UTC",
    name: str = "Cross roads",
    boxes: Iterable[SeenBoxes] = (),
) -> TrafficReport:
    """Return the report of a junction with these legs."""
    legs = tuple(
        DrawnLine(
            name=leg,
            width_px=640,
            height_px=480,
            points=((10.0 * number, 10.0), (10.0 * number + 5, 90.0)),
            inward="to_right",
            side=sides[leg],
        )
        for number, leg in enumerate(sides)
    )
    asked = ReportQuery("cross", timezone, zoneinfo.ZoneInfo(timezone), scheme=scheme)
    flows = make_flows(visits, legs=sides)
    table = make_table(flows, quarters, scheme=scheme, legs=sides, boxes=boxes)
    from_ms, to_ms = quarters[0].start_ms, quarters[-1].start_ms + QUARTER_MS
    return TrafficReport(asked, MODEL, name, from_ms, to_ms, legs, 3, table)
