"""The answer of `/api/traffic`, and its conversion from a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

from frametally.actions.answers import Answer, answer_of
from frametally.rules.known import Missing
from frametally_traffic.flows.day_columns import NoMovement
from frametally_traffic.geometry.crossings import Direction
from frametally_traffic.records import Side
from frametally_traffic.report.junction_report import TrafficReport
from frametally_traffic.report.movement_table import PeakHour, Turn
from frametally_traffic.report.schemes import HEAVY, MOTOR, Kind, not_told_apart
from frametally_web.translations.texts import problem_text

Half = Literal["am", "pm"]


class JunctionLeg(Answer, frozen=True, kw_only=True):
    """A leg of a junction, as it is drawn.

    Attributes:
        name: Name of its line.
        side: Its side of the junction, as on a map; None if not set.
        inward: Direction over its line into the junction.
        points: Points of its line, in pixels of the original picture.
        width_px: Width of the picture under the drawing.
        height_px: Its height.
        came_over: Motor vehicles that entered the junction over it; null if none is known.
        went_over: Motor vehicles that left the junction over it; null if none is known.
        missing: Why motor vehicles of some quarters are not known: both numbers are the least then.
    """

    name: str
    side: Side | None
    inward: Direction | None
    points: list[tuple[float, float]]
    width_px: int
    height_px: int
    came_over: int | None
    went_over: int | None
    missing: Missing | None


class TrafficClass(Answer, frozen=True, kw_only=True):
    """A column of the report.

    Attributes:
        name: Short name.
        title: Full name, with the names of all classes of the scheme that it covers.
        kind: Its kind among those that detectors can distinguish.
        labels: The detector's labels from which it is counted.
        codes: Classes of the scheme that it covers; several are counted together.
        is_motor: Whether it is a class of motor vehicles, which are summed up.
        is_heavy: Whether it is a heavy class.
        movements: Number of its movements; null if none is known.
        unassigned: Visits that were at a leg and made no movement; null if none is known.
        never_at_a_leg: Visits that were at no leg; null if none is known.
        missing: Why its movements in some quarters are not known: each number is the least then.
    """

    name: str
    title: str
    kind: Kind
    labels: list[str]
    codes: list[str]
    is_motor: bool
    is_heavy: bool
    movements: int | None
    unassigned: int | None
    never_at_a_leg: int | None
    missing: Missing | None


class TrafficMovement(Answer, frozen=True, kw_only=True):
    """A movement from one leg to another.

    Attributes:
        from_leg: Name of the leg that it comes over.
        to_leg: Name of the leg that it goes over.
        turn: Its turn; None if the side of one of the legs is unknown.
    """

    from_leg: str
    to_leg: str
    turn: Turn | None


class TrafficQuarter(Answer, frozen=True, kw_only=True):
    """A quarter of an hour.

    Attributes:
        start_ms: Its start.
        seen_ms: Milliseconds of it in which objects were followed.
        is_whole: Whether that is all of it, except for moments.
        missing: Why it has no data; None if it has some.
        counts: By movement, and in it by class, in the order of the report's; None without data. A class
            that could not be followed has null.
    """

    start_ms: int
    seen_ms: int
    is_whole: bool
    missing: Missing | None
    counts: list[list[int | None]] | None


class TrafficPeak(Answer, frozen=True, kw_only=True):
    """The busiest four quarters in a row that begin before noon, or after it, of a day.

    Attributes:
        day: By local clocks, `YYYY-MM-DD`.
        half: Half of the day.
        start_ms: When it begins; None, as all of these, where no such hour was seen as a whole.
        vehicles: Motor vehicles.
        missing: Why some of them are not known: `vehicles` and `busiest` are the least then.
        busiest_ms: Start of its busiest quarter.
        busiest: Vehicles of that.
        factor: Peak-hour factor: vehicles divided by four times `busiest`; None without vehicles.
        heavy_share: Heavy vehicles divided by all vehicles, 0 to 1; None without vehicles.
    """

    day: str
    half: Half
    start_ms: int | None = None
    vehicles: int | None = None
    busiest_ms: int | None = None
    busiest: int | None = None
    factor: float | None = None
    heavy_share: float | None = None
    missing: Missing | None = None


class TrafficTotals(Answer, frozen=True, kw_only=True):
    """The books: each visit has a movement, or the reason why it has none.

    Attributes:
        visits: All visits, in quarter-hours with data, of classes that were followed.
        assigned: Visits with a movement.
        reasons: Visits without a movement, by reason.
        left_out: Visits in quarter-hours without data, or of a class that could not be followed there.
        missing: Why some visits are not known: each number is the least then.
    """

    visits: int
    assigned: int
    reasons: dict[NoMovement, int]
    left_out: int
    missing: Missing | None


class Traffic(Answer, frozen=True, kw_only=True):
    """`/api/traffic`: the movements over a junction, by quarter-hour, movement and class.

    Attributes:
        model: The model of the detections.
        name: The source as its owner wrote it.
        from_ms: Start of the first quarter.
        to_ms: End of the last one.
        timezone: IANA time zone of days and halves of days.
        classes: The scheme of classes.
        revision: Revision of the drawing.
        legs: Clockwise from north; those whose side is not known last, by name.
        columns: Classes: motor vehicles, then the others.
        movements: In the order of each quarter's counts.
        quarters: In order, none left out.
        peaks: Two for each day.
        totals: The books.
        notes: Classes that the model cannot distinguish.
        image_url: A frame of that time, for the picture of the junction; None if there is none.
    """

    model: str
    source: str
    name: str
    from_ms: int
    to_ms: int
    timezone: str
    classes: str
    revision: int
    legs: list[JunctionLeg]
    columns: list[TrafficClass]
    movements: list[TrafficMovement]
    quarters: list[TrafficQuarter]
    peaks: list[TrafficPeak]
    totals: TrafficTotals
    notes: list[str]
    image_url: str | None


def shown_report(report: TrafficReport, image_url: str | None) -> Traffic:
    """Return a report as the answer of `/api/traffic`."""
    table = report.table
    without: Counter[tuple[str, str]] = Counter()
    for (_, reason, group), count in table.without.items():
        without[reason, group] += count
    columns = [
        TrafficClass(
            name=group.name,
            title=group.title,
            kind=group.kind,
            labels=[*group.labels],
            codes=[*group.codes],
            is_motor=group.kind in MOTOR,
            is_heavy=group.kind in HEAVY,
            movements=_or_unknown(table.total(groups={group.name}), missing),
            unassigned=_or_unknown(without["unassigned", group.name], missing),
            never_at_a_leg=_or_unknown(without["never_at_a_leg", group.name], missing),
            missing=missing,
        )
        for group in table.groups
        for missing in [table.missing_of([group])]
    ]
    assigned = table.total()
    return answer_of(
        Traffic,
        (report, report.query),
        name=report.source_name,
        timezone=report.query.zone_name,
        classes=report.query.scheme,
        legs=list(_legs(report)),
        columns=columns,
        movements=[
            TrafficMovement(from_leg=pair[0], to_leg=pair[1], turn=report.turns.get(pair))
            for pair in table.pairs
        ],
        quarters=list(_quarters(report)),
        peaks=[
            peak
            for day in report.peaks
            for peak in (_peak(day.day.isoformat(), "am", day.am), _peak(day.day.isoformat(), "pm", day.pm))
        ],
        totals=TrafficTotals(
            visits=assigned + sum(without.values()),
            assigned=assigned,
            reasons={
                "unassigned": sum(column.unassigned or 0 for column in columns),
                "never_at_a_leg": sum(column.never_at_a_leg or 0 for column in columns),
            },
            left_out=table.left_out,
            missing=table.missing_of(table.groups),
        ),
        notes=[*map(problem_text, not_told_apart(table.groups))],
        image_url=image_url,
    )


def _or_unknown(number: int, missing: Missing | None) -> int | None:
    """Return a sum, or None if none of it is known."""
    return number if number or missing is None else None


def _legs(report: TrafficReport) -> Iterator[JunctionLeg]:
    missing = report.table.missing_of(report.table.motor)
    motor = {group.name for group in report.table.motor}
    for leg in report.legs:
        yield answer_of(
            JunctionLeg,
            (leg,),
            points=[*leg.points],
            came_over=_or_unknown(report.table.total(from_leg=leg.name, groups=motor), missing),
            went_over=_or_unknown(report.table.total(to_leg=leg.name, groups=motor), missing),
            missing=missing,
        )


def _quarters(report: TrafficReport) -> Iterator[TrafficQuarter]:
    table = report.table
    for quarter in table.quarters:
        counts = None
        if quarter.missing is None:
            counts = [
                [table.movements_in(quarter.start_ms, pair, [group.name]) for group in table.groups]
                for pair in table.pairs
            ]
        yield answer_of(TrafficQuarter, (quarter,), counts=counts)


def _peak(day: str, half: Half, hour: PeakHour | None) -> TrafficPeak:
    if hour is None:
        return TrafficPeak(day=day, half=half)
    values = hour._asdict() | {"factor": hour.factor, "heavy_share": hour.heavy_share}
    del values["heavy"]
    return TrafficPeak(day=day, half=half, **values)
