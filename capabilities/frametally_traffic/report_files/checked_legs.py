"""Computes intervals for the crossings of a report's legs where people have checked the lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from frametally.ports.count_index import CountIndex
from frametally.ports.picture_places import directed_label
from frametally.settings.loading import Settings
from frametally_traffic.counting.crossing_events import lines_of
from frametally_traffic.flows.day_columns import DIRECTIONS
from frametally_traffic.geometry.crossings import Direction
from frametally_traffic.line_counts.crossing_intervals import line_intervals
from frametally_traffic.records import DrawnLine
from frametally_traffic.report.junction_report import ReportFootage, TrafficReport
from frametally_traffic.report.quarters import IN_HOUR, QUARTER_MS, quarter_of
from frametally_web.charts.checked_counts import CheckedCount, check_words
from frametally_web.charts.question import checks_version
from frametally_web.requests.answers import CountCheck

MOVEMENTS_UNCHECKED = "No check covers movements from leg to leg: they have no confidence interval."

Way = Literal["in", "out"]
WAYS: tuple[Way, ...] = get_args(Way)
NUMBERS = ("counted", "low", "high", "estimate")
"""The numbers of a `CheckedLeg` in files."""


class ReportSpan(NamedTuple):
    """A part of a report, in whole quarter-hours."""

    start_ms: int
    end_ms: int


class CheckedLeg(NamedTuple):
    """Motor vehicles over a leg in one direction, in a part of the report.

    Attributes:
        counted: Crossings that the model counted.
        low: Lower end of the interval for the true number.
        high: Upper end of it.
        estimate: The count corrected for the model's errors.
        check: Name of the accuracy check.
    """

    leg: str
    way: Way
    span: ReportSpan
    counted: int
    low: float
    high: float
    estimate: float
    check: str


class CheckedLegs(NamedTuple):
    """The intervals of a report from accuracy checks.

    Attributes:
        rows: By leg, way and time: quarter-hours, peak hours, and the whole report.
        words: One line per check: what its rows are based on, or why it no longer applies.
    """

    rows: list[CheckedLeg]
    words: list[str]

    def rows_of(self, span: ReportSpan) -> dict[tuple[str, Way], CheckedLeg]:
        """Return the rows of one part of the report, by leg and way."""
        return {(row.leg, row.way): row for row in self.rows if row.span == span}


NOT_CHECKED = CheckedLegs([], [])


def checked_legs(settings: Settings, index: CountIndex, report: TrafficReport) -> CheckedLegs:
    """Return the intervals of a report's legs; empty without checks.

    Raises:
        Retryable: The index is unavailable.
    """
    if report.footage is None or not checks_version(settings):
        return NOT_CHECKED
    crossed = _crossings(report.footage)
    checks: dict[str, CountCheck] = {}
    rows = []
    places = {place.name: place for place in lines_of(report.footage.drawing)}
    for leg in report.legs:
        numbers = dict(_numbers(report, leg, crossed))
        if not numbers:
            continue
        leg_checks, intervals = line_intervals(
            settings, index, places[leg.name], report.model, report.footage.base_interval_s, numbers
        )
        checks |= leg_checks
        rows += [
            CheckedLeg(
                leg.name,
                way,
                span,
                numbers[way, span].counted or 0,
                interval.low,
                interval.high,
                interval.estimate,
                checks[interval.check].name,
            )
            for (way, span), interval in intervals.items()
        ]
    words = [
        f"{check.name}: {' '.join(check.stale)}" if check.stale else check_words(check, report.query.zone)
        for check in checks.values()
    ]
    return CheckedLegs(rows, [*words, MOVEMENTS_UNCHECKED] if words else [])


def _spans(report: TrafficReport) -> Iterator[ReportSpan]:
    for quarter in report.table.quarters:
        yield ReportSpan(quarter.start_ms, quarter.start_ms + QUARTER_MS)
    for day in report.peaks:
        for hour in (day.am, day.pm):
            if hour is not None:
                yield ReportSpan(hour.start_ms, hour.start_ms + IN_HOUR * QUARTER_MS)
    yield ReportSpan(report.from_ms, report.to_ms)


def _numbers(
    report: TrafficReport, leg: DrawnLine, crossed: Counter[tuple[int, str, str, Direction]]
) -> Iterator[tuple[tuple[Way, ReportSpan], CheckedCount]]:
    motor = {label for group in report.table.motor for label in group.labels}
    labels = sorted({label for _, name, label, _ in crossed if name == leg.name} & motor)
    frames = {} if report.footage is None else report.footage.frames
    measured_starts = {quarter.start_ms for quarter in report.table.quarters if quarter.missing is None}
    for direction in DIRECTIONS if labels else ():
        for span in dict.fromkeys(_spans(report)):
            starts = range(span.start_ms, span.end_ms, QUARTER_MS)
            filmed = [start_ms for start_ms in starts if frames.get(start_ms)]
            counted = sum(
                crossed[start_ms, leg.name, label, direction] for start_ms in filmed for label in labels
            )
            yield (
                ("in" if direction == leg.inward else "out", span),
                CheckedCount(
                    span.start_ms,
                    span.end_ms,
                    report.query.source,
                    tuple(directed_label(label, direction) for label in labels),
                    sum(frames[start_ms] for start_ms in filmed),
                    counted
                    if measured_starts.issuperset(filmed)
                    and report.table.missing_of(report.table.motor, filmed) is None
                    else None,
                ),
            )


def _crossings(footage: ReportFootage) -> Counter[tuple[int, str, str, Direction]]:
    """Return the measured crossings by start of the quarter, line, label and direction."""
    crossed: Counter[tuple[int, str, str, Direction]] = Counter()
    for day in footage.flows:
        names = ("time", "line", "label", "direction", "missing")
        columns = (day.columns[f"crossing_{name}"] for name in names)
        for time_ms, line, label, direction, missing in zip(*columns, strict=True):
            if not missing:
                start_ms = quarter_of(day.day_start_ms + time_ms)
                crossed[start_ms, day.lines[line], day.labels[label], DIRECTIONS[direction]] += 1
    return crossed
