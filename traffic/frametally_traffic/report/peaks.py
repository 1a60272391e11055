"""Peak hours: the busiest four quarters in a row before and after noon, and what engineers say of them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from frametally.rules.times import local_time
from frametally_traffic.report.movement_table import TrafficTable
from frametally_traffic.report.quarters import IN_HOUR, Quarter, whole_hours
from frametally_traffic.report.schemes import HEAVY, Group

_NOON = 12


class PeakHour(NamedTuple):
    """The busiest hour of some.

    Attributes:
        start_ms: Its start, of any quarter.
        vehicles: Motor vehicles that came into the junction.
        busiest_ms: Start of its busiest quarter, of several the first.
        busiest: Vehicles of that quarter.
        heavy: Those of `vehicles` that are heavy.
    """

    start_ms: int
    vehicles: int
    busiest_ms: int
    busiest: int
    heavy: int

    @property
    def factor(self) -> float | None:
        """Peak-hour factor: vehicles by four times those of the busiest quarter (Highway Capacity Manual)."""
        return self.vehicles / (IN_HOUR * self.busiest) if self.busiest else None

    @property
    def heavy_share(self) -> float | None:
        """Heavy vehicles by all motor vehicles, 0 to 1; None where there are none."""
        return self.heavy / self.vehicles if self.vehicles else None


class DayPeaks(NamedTuple):
    """Peak hours of a day of local time; None where no hour before or after noon was seen as a whole."""

    day: datetime.date
    am: PeakHour | None
    pm: PeakHour | None


def find_peaks(table: TrafficTable, zone: datetime.tzinfo) -> list[DayPeaks]:
    """Return the peak hours of each day, in order.

    An hour is of the day, and of the half of it, in which it begins. Only hours all of which was seen are
    compared; of several that are alike the first is taken.
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
    return [
        DayPeaks(day, busiest_hour(before, by_quarter, heavy), busiest_hour(after, by_quarter, heavy))
        for day, (before, after) in days.items()
    ]


def busiest_hour(
    hours: Sequence[Sequence[Quarter]], vehicles: dict[int, int], heavy: dict[int, int]
) -> PeakHour | None:
    """Return the hour with most vehicles, by start of the quarter; None where there is none."""

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
