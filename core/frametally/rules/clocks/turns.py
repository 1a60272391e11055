"""Finds the turns of scheduled work by local clocks, at most one a day even if clocks change."""

from __future__ import annotations

import datetime
from typing import Literal, NamedTuple, get_args

from frametally.rules.times import EPOCH, MILLISECOND, local_time

Every = Literal["day", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "month"]
"""Every day, every week on that day, or the first day of every month."""

EVERY: tuple[Every, ...] = get_args(Every)
_DAY = datetime.timedelta(days=1)
_FURTHEST_DAYS = 70
"""This many days always include a first of a month, even if a zone skipped one."""


class ClockTurn(NamedTuple):
    """One turn of scheduled work.

    Attributes:
        day: Its local day, which has only this turn and names it.
        from_ms: Start of the day, week or month that has just ended: a local midnight.
        to_ms: End of that period, exclusive: the start of `day`.
    """

    day: datetime.date
    at_ms: int
    from_ms: int
    to_ms: int


def last_turn(every: Every, minute: int, zone: datetime.tzinfo, now_ms: int) -> ClockTurn | None:
    """Return the last turn due at `now_ms`, or None if there was none in `_FURTHEST_DAYS`.

    Args:
        every: The days of the turns.
        minute: Minute of the day by local clocks, from 0.
        zone: The time zone of the clocks.
        now_ms: The time, in milliseconds since 1970.
    """
    # Clocks that are set back across midnight show the previous day again.
    day = local_time(now_ms, zone).date() + _DAY
    for _ in range(_FURTHEST_DAYS):
        at_ms = moment_ms(day, minute, zone) if _is_of(every, day) else None
        if at_ms is not None and at_ms <= now_ms:
            return ClockTurn(day, at_ms, _start_ms(_first_day(every, day), zone), _start_ms(day, zone))
        day -= _DAY
    return None


def moment_ms(day: datetime.date, minute: int, zone: datetime.tzinfo) -> int | None:
    """Return when local clocks show a time of a day; the first time if they show it twice.

    Return None if they skip the day, as in Samoa on 2011-12-30; if only the time, return when they skip it.
    """
    wall_time = datetime.datetime.combine(day, datetime.time(minute // 60, minute % 60))
    late_ms = _ms(wall_time.replace(tzinfo=zone))
    if _local_time(late_ms, zone) == wall_time:
        return late_ms
    # A skipped time, read with the offsets before and after, is on both sides of the moment of skipping.
    early_ms = _ms(wall_time.replace(tzinfo=zone, fold=1))
    while late_ms - early_ms > 1:
        middle_ms = (early_ms + late_ms) // 2
        if _local_time(middle_ms, zone) < wall_time:
            early_ms = middle_ms
        else:
            late_ms = middle_ms
    is_left_out = _local_time(early_ms, zone).date() < day < _local_time(late_ms, zone).date()
    return None if is_left_out else late_ms


def _start_ms(day: datetime.date, zone: datetime.tzinfo) -> int:
    """Return the start of a local day, or of the next one if clocks skip it."""
    start_ms = moment_ms(day, 0, zone)
    return _start_ms(day + _DAY, zone) if start_ms is None else start_ms


def _is_of(every: Every, day: datetime.date) -> bool:
    if every == "month":
        return day.day == 1
    return every == "day" or EVERY.index(every) == day.isoweekday()


def _first_day(every: Every, day: datetime.date) -> datetime.date:
    if every == "month":
        return (day - _DAY).replace(day=1)
    return day - (_DAY if every == "day" else 7 * _DAY)


def _ms(moment: datetime.datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


def _local_time(time_ms: int, zone: datetime.tzinfo) -> datetime.datetime:
    return local_time(time_ms, zone).replace(tzinfo=None, fold=0)
