"""Tabulates movements by quarter-hour and class, visits without one, turns, and peak hours.

A peak hour is the busiest four consecutive quarters before or after noon.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from frametally.rules.known import Missing
from frametally.rules.times import HOUR_MS, local_time
from frametally_traffic.flows.day_columns import NO_MOVEMENTS, FlowColumns, NoMovement
from frametally_traffic.report.quarters import (
    IN_HOUR,
    QUARTER_MS,
    Quarter,
    SeenBoxes,
    quarter_of,
    unknown_groups,
    whole_hours,
    without_unknown,
)
from frametally_traffic.report.schemes import HEAVY, LABELS, MOTOR, Group, groups_of

Turn = Literal["l2", "l", "t", "r", "r2", "u"]
"""Left, through, right and back; `l2` and `r2` are the sharper of two lefts and of two rights."""

TURNS: tuple[Turn, ...] = ("l2", "l", "t", "r", "r2", "u")
SIDES = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
"""The sides of drawn legs, clockwise from north."""

_EIGHTHS = len(SIDES)


def heading_of(side: str) -> str:
    """Return the heading of objects from a leg, as approaches are named in UTDF and traffic counts.

    Objects from the south leg are northbound, `NB`; those from the south-west head `NE`.
    """
    opposite = SIDES[(SIDES.index(side) + _EIGHTHS // 2) % _EIGHTHS]
    return f"{opposite}B" if len(opposite) == 1 else opposite


def turns_of(sides: Mapping[str, str | None]) -> dict[tuple[str, str], Turn]:
    """Return how each movement of a junction turns, by entry leg and exit leg.

    Movements with a leg whose side is unknown are left out.
    """
    known_sides = {leg: side for leg, side in sides.items() if side is not None}
    turns: dict[tuple[str, str], Turn] = {}
    for from_leg, from_side in known_sides.items():
        ways = {
            to_leg: (SIDES.index(to_side) - SIDES.index(from_side) - _EIGHTHS // 2) % _EIGHTHS
            for to_leg, to_side in known_sides.items()
        }
        for to_leg, way in ways.items():
            turns[from_leg, to_leg] = "u" if to_leg == from_leg else _turn(way, ways.values())
    return turns


def _turn(way: int, ways: Iterable[int]) -> Turn:
    """Return the turn of a way among all `ways`, in eighths of a circle clockwise from straight on."""
    ways = set(ways)
    if way == 0:
        return "t"
    if way == _EIGHTHS // 2:
        return "u"
    if way < _EIGHTHS // 2:
        rights = sorted(angle for angle in ways if 0 < angle < _EIGHTHS // 2)
        return "r" if way == rights[0] else "r2"
    lefts = sorted((angle for angle in ways if angle > _EIGHTHS // 2), reverse=True)
    return "l" if way == lefts[0] else "l2"


class TrafficTable(NamedTuple):
    """The movements over a junction, by quarter-hour and class.

    Attributes:
        quarters: In order, without gaps.
        legs: Names of the junction's legs; if their sides are known, clockwise from north.
        movements: By start of the quarter, entry leg, exit leg and name of the group; a movement is in the
            quarter in which it entered the junction. Quarters without data do not have a row.
        without: Visits without a movement, by start of the quarter, reason and name of the group.
        left_out: Number of visits where movements are unknown.
        unknown: By start of the quarter and name of the group, why its movements are unknown.
    """

    quarters: tuple[Quarter, ...]
    legs: tuple[str, ...]
    groups: tuple[Group, ...]
    movements: Mapping[tuple[int, str, str, str], int]
    without: Mapping[tuple[int, NoMovement, str], int]
    left_out: int = 0
    unknown: Mapping[tuple[int, str], Missing] = {}

    def movements_in(self, start_ms: int, pair: tuple[str, str], groups: Iterable[str]) -> int | None:
        """Return a movement's count in a quarter; None if it is unknown for any of the groups."""
        names = [*groups]
        if any((start_ms, name) in self.unknown for name in names):
            return None
        return sum(self.movements.get((start_ms, *pair, name), 0) for name in names)

    def missing_of(self, groups: Iterable[Group], starts_ms: Collection[int] | None = None) -> Missing | None:
        """Return why sums over some groups and quarters (all if None) are minimums, or None."""
        names = {group.name for group in groups}
        reasons = (
            reason
            for (start_ms, group), reason in self.unknown.items()
            if group in names and (starts_ms is None or start_ms in starts_ms)
        )
        return next(reasons, None)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Pairs of entry and exit leg, from left to right; U-turns come last, and only if they occurred.

        With one leg, its U-turn is the only pair.
        """
        turned = {from_leg for _, from_leg, to_leg, _ in self.movements if from_leg == to_leg}
        return [
            (from_leg, to_leg)
            for index, from_leg in enumerate(self.legs)
            for to_leg in (*self.legs[index + 1 :], *self.legs[: index + 1])
            if from_leg != to_leg or from_leg in turned or len(self.legs) == 1
        ]

    @property
    def motor(self) -> tuple[Group, ...]:
        """The columns of motor vehicles."""
        return tuple(group for group in self.groups if group.kind in MOTOR)

    @property
    def others(self) -> tuple[Group, ...]:
        """The columns of pedestrians, bicycles and everything else that was followed."""
        return tuple(group for group in self.groups if group.kind not in MOTOR)

    def total(
        self,
        *,
        starts_ms: Collection[int] | None = None,
        from_leg: str | None = None,
        to_leg: str | None = None,
        groups: Collection[str] | None = None,
    ) -> int:
        """Return the number of movements in some quarters, legs and groups (by name); None means all."""
        return sum(
            count
            for (start_ms, come_over, gone_over, group), count in self.movements.items()
            if (starts_ms is None or start_ms in starts_ms)
            and from_leg in (None, come_over)
            and to_leg in (None, gone_over)
            and (groups is None or group in groups)
        )

    def by_quarter(self, groups: Iterable[Group]) -> dict[int, int]:
        """Return the movements of some groups by start of the quarter, without quarters that have no data."""
        names = {group.name for group in groups}
        totals = {quarter.start_ms: 0 for quarter in self.quarters if quarter.missing is None}
        for (start_ms, _, _, group), count in self.movements.items():
            if group in names:
                totals[start_ms] += count
        return totals


def make_table(
    flows: Iterable[FlowColumns],
    quarters: Sequence[Quarter],
    *,
    scheme: str = LABELS,
    labels: Iterable[str] = (),
    legs: Iterable[str] = (),
    boxes: Iterable[SeenBoxes] = (),
) -> TrafficTable:
    """Count the visits of one source's days.

    `flows`: the source's days in any order. `scheme`: see `schemes.groups_of`. `labels` and `legs` have
    columns even if they do not occur; further legs follow by name. `boxes` decide whether a group's movements
    are known.

    Raises:
        Misconfigured: The scheme does not exist.
    """
    days = list(flows)
    of_visits = (day.labels[label] for day in days for label in set(day.columns["visit_label"]))
    boxes = [*boxes]
    weak_labels = {label for _, label in unknown_groups(boxes, {})}
    groups = groups_of({*labels, *of_visits, *weak_labels}, scheme)
    name_of = {label: group.name for group in groups for label in group.labels}
    unknown = unknown_groups(boxes, name_of)
    quarters = [*without_unknown(quarters, boxes, name_of, unknown)]
    has_data = {quarter.start_ms: quarter.missing is None for quarter in quarters}
    unknown = {key: reason for key, reason in unknown.items() if has_data.get(key[0])}
    movements: Counter[tuple[int, str, str, str]] = Counter()
    without: Counter[tuple[int, NoMovement, str]] = Counter()
    left_out = 0
    for day in days:
        columns = day.columns
        for time_ms, label, outcome, from_leg, to_leg in zip(
            columns["visit_time"],
            columns["visit_label"],
            columns["visit_outcome"],
            columns["visit_from_leg"],
            columns["visit_to_leg"],
            strict=True,
        ):
            start_ms = quarter_of(day.day_start_ms + time_ms)
            if not has_data.get(start_ms):
                left_out += start_ms in has_data
                continue
            group = name_of[day.labels[label]]
            if (start_ms, group) in unknown:
                left_out += 1
                continue
            if outcome:
                without[start_ms, NO_MOVEMENTS[outcome - 1], group] += 1
            else:
                movements[start_ms, day.lines[from_leg], day.lines[to_leg], group] += 1
    legs = dict.fromkeys([*legs, *sorted({leg for day in days for leg in day.legs})])
    return TrafficTable(tuple(quarters), tuple(legs), groups, movements, without, left_out, unknown)


_NOON = 12


class PeakHour(NamedTuple):
    """The busiest of several hours; it may begin with any quarter.

    `vehicles` are motor vehicles that entered the junction, `heavy` the heavy ones; `busiest` are those of
    its (first) busiest quarter, which begins at `busiest_ms`. `missing`: why some of its motor vehicles are
    unknown; then the numbers are minimums, and shares are unknown.
    """

    start_ms: int
    vehicles: int
    busiest_ms: int
    busiest: int
    heavy: int
    missing: Missing | None = None

    @property
    def factor(self) -> float | None:
        """Peak-hour factor: vehicles over four times the busiest quarter's (Highway Capacity Manual)."""
        return None if self.missing or not self.busiest else self.vehicles / (IN_HOUR * self.busiest)

    @property
    def heavy_share(self) -> float | None:
        """Heavy vehicles divided by all motor vehicles, 0 to 1; None if unknown or without motor vehicles."""
        return None if self.missing or not self.vehicles else self.heavy / self.vehicles


class DayPeaks(NamedTuple):
    """Peak hours of a day in local time; None if no whole hour before or after noon was seen."""

    day: datetime.date
    am: PeakHour | None
    pm: PeakHour | None


def find_peaks(table: TrafficTable, zone: datetime.tzinfo) -> list[DayPeaks]:
    """Return the peak hours of each day, in order.

    An hour belongs to the day, and the half of it, in which it begins. Only hours that were seen as a whole
    are compared; if several are equal, the first wins.
    """
    hours = list(whole_hours(table.quarters))
    days: dict[datetime.date, tuple[list[Sequence[Quarter]], list[Sequence[Quarter]]]] = {}
    for quarter in table.quarters:
        days.setdefault(local_time(quarter.start_ms, zone).date(), ([], []))
    for hour in hours:
        began = local_time(hour[0].start_ms, zone)
        days[began.date()][began.hour >= _NOON].append(hour)
    by_quarter = table.by_quarter(table.motor)
    heavy = table.by_quarter(heavy_of(table.groups))

    def peak_of(hours: Sequence[Sequence[Quarter]]) -> PeakHour | None:
        hour = busiest_hour(hours, by_quarter, heavy)
        if hour is None:
            return None
        starts_ms = range(hour.start_ms, hour.start_ms + HOUR_MS, QUARTER_MS)
        return hour._replace(missing=table.missing_of(table.motor, starts_ms))

    return [DayPeaks(day, peak_of(before), peak_of(after)) for day, (before, after) in days.items()]


def busiest_hour(
    hours: Sequence[Sequence[Quarter]], vehicles: dict[int, int], heavy: dict[int, int]
) -> PeakHour | None:
    """Return the hour with most vehicles, or None without hours; vehicles are by start of the quarter."""

    def total(hour: Sequence[Quarter]) -> int:
        return sum(vehicles[quarter.start_ms] for quarter in hour)

    if not hours:
        return None
    hour = max(hours, key=total)  # the first of several
    top = max(hour, key=lambda quarter: vehicles[quarter.start_ms])
    return PeakHour(
        hour[0].start_ms,
        total(hour),
        top.start_ms,
        vehicles[top.start_ms],
        sum(heavy[quarter.start_ms] for quarter in hour),
    )


def heavy_of(groups: Sequence[Group]) -> list[Group]:
    """Return the columns of heavy vehicles."""
    return [group for group in groups if group.kind in HEAVY]
