"""Movements by quarter-hour and class, and the visits that have none: the table of a traffic report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from frametally_traffic.flows.day_columns import NO_MOVEMENTS, FlowColumns, NoMovement
from frametally_traffic.report.quarters import Quarter, quarter_of
from frametally_traffic.report.schemes import LABELS, MOTOR, Group, groups_of


class TrafficTable(NamedTuple):
    """What went over a junction.

    Attributes:
        quarters: In order, none left out.
        legs: Names of the junction's legs; where their sides are known, clockwise from north.
        groups: Columns, see `schemes.Group`.
        movements: Of start of the quarter, leg come over, leg gone over and name of the group; a movement is
            in the quarter in which it came into the junction. None of a quarter of which nothing is known.
        without: Visits without a movement, of start of the quarter, reason and name of the group.
        left_out: Visits in quarters of which nothing is known.
    """

    quarters: tuple[Quarter, ...]
    legs: tuple[str, ...]
    groups: tuple[Group, ...]
    movements: Mapping[tuple[int, str, str, str], int]
    without: Mapping[tuple[int, NoMovement, str], int]
    left_out: int = 0

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every leg with every leg, from left to right; turning back, last, only where somebody did.

        Of a junction with one leg that is all there can be.
        """
        turned = {from_leg for _, from_leg, to_leg, _ in self.movements if from_leg == to_leg}
        return [
            (from_leg, to_leg)
            for at, from_leg in enumerate(self.legs)
            for to_leg in (*self.legs[at + 1 :], *self.legs[: at + 1])
            if from_leg != to_leg or from_leg in turned or len(self.legs) == 1
        ]

    @property
    def motor(self) -> tuple[Group, ...]:
        """Its columns of motor vehicles."""
        return tuple(group for group in self.groups if group.kind in MOTOR)

    @property
    def others(self) -> tuple[Group, ...]:
        """Its columns of pedestrians, bicycles and what else was followed."""
        return tuple(group for group in self.groups if group.kind not in MOTOR)

    def total(
        self,
        *,
        starts_ms: Collection[int] | None = None,
        from_leg: str | None = None,
        to_leg: str | None = None,
        groups: Collection[str] | None = None,
    ) -> int:
        """Return the movements of some quarters, legs and groups (by name); None: of all."""
        return sum(
            count
            for (start_ms, come_over, gone_over, group), count in self.movements.items()
            if (starts_ms is None or start_ms in starts_ms)
            and from_leg in (None, come_over)
            and to_leg in (None, gone_over)
            and (groups is None or group in groups)
        )

    def by_quarter(self, groups: Iterable[Group]) -> dict[int, int]:
        """Return the movements of some groups by start of the quarter; quarters that are not known lack."""
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
) -> TrafficTable:
    """Count the visits of one source's days.

    Args:
        flows: Of one source, its days in any order.
        quarters: Those that are asked for.
        scheme: See `schemes.groups_of`.
        labels: Those that have a column whether or not they occur.
        legs: Likewise, of legs, in their order; others come after them, by name.

    Raises:
        Misconfigured: There is no such scheme.
    """
    days = list(flows)
    groups = groups_of({*labels, *(label for day in days for label in _labels_of_visits(day))}, scheme)
    name_of = {label: group.name for group in groups for label in group.labels}
    known = {quarter.start_ms: quarter.missing is None for quarter in quarters}
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
            if not known.get(start_ms):
                left_out += start_ms in known
                continue
            group = name_of[day.labels[label]]
            if outcome:
                without[start_ms, NO_MOVEMENTS[outcome - 1], group] += 1
            else:
                movements[start_ms, day.lines[from_leg], day.lines[to_leg], group] += 1
    legs = dict.fromkeys([*legs, *sorted({leg for day in days for leg in day.legs})])
    return TrafficTable(tuple(quarters), tuple(legs), groups, movements, without, left_out)


def _labels_of_visits(day: FlowColumns) -> set[str]:
    return {day.labels[label] for label in day.columns["visit_label"]}
