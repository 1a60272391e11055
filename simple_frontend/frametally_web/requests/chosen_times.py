"""The hours of the day and the days of the week that a query counts: what `hours` and `weekdays` say."""

from __future__ import annotations

import re
from typing import NamedTuple

from frametally.rules.week_parts import WeekParts, moved, parts_of_week
from frametally_web.requests.problems import bad_parameter

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_DAY_MINUTES = 24 * 60


class ChosenTimes(NamedTuple):
    """Hours and weekdays of local time, as clocks show it: an hour that comes twice counts twice.

    Attributes:
        hours: First minute of the day and the one that ends it, up to 1440; the second is not after the first
            where the hours go on past midnight. None: all day.
        weekdays: In order, 1 is Monday: the days on which the hours begin. None of them: every day.
    """

    hours: tuple[int, int] | None = None
    weekdays: tuple[int, ...] = ()

    @property
    def hours_text(self) -> str | None:
        """Return the hours as they are asked for, such as `08:00-09:00`."""
        return self.hours and "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in self.hours)

    @property
    def parameter(self) -> str:
        """Return the name of the parameter that says where they begin."""
        return "hours" if self.hours else "weekdays"

    def week_parts(self, offset_ms: int) -> WeekParts:
        """Return the parts of the week of UTC that they are where local time is ahead by `offset_ms`.

        None at all: they are the whole week.
        """
        return moved(parts_of_week(self.hours, self.weekdays), -offset_ms)


ALL_TIMES = ChosenTimes()


def parse_hours(text: str | None) -> tuple[int, int] | None:
    """Read hours such as `08:00-09:00` or `22:00-06:00`.

    Raises:
        Problem: 400, if they are none, or begin when they end.
    """
    if text is None:
        return None
    remedy = "Write a begin and an end such as hours=08:00-09:00 or hours=22:00-06:00, or leave it out."
    found = _HOURS.fullmatch(text)
    if found is None:
        raise bad_parameter("hours", f"hours={text[:80]!r} is no range of a day's hours.", remedy=remedy)
    from_hour, from_minute, to_hour, to_minute = found.groups()
    first = int(from_hour) * 60 + int(from_minute)
    end = _DAY_MINUTES if to_hour is None else int(to_hour) * 60 + int(to_minute)
    if first == end:
        raise bad_parameter("hours", f"hours={text!r} ends when it begins.", remedy=remedy)
    return first, end


def parse_weekdays(text: str | None) -> tuple[int, ...]:
    """Read weekdays such as `1,2,3`; none where there is no text.

    Raises:
        Problem: 400, if they are no numbers from 1 to 7.
    """
    if text is None:
        return ()
    if not re.fullmatch(r"[1-7](,[1-7])*", text):
        raise bad_parameter(
            "weekdays",
            f"weekdays={text[:80]!r} are no days of the week.",
            remedy="Give numbers from 1 (Monday) to 7 (Sunday) such as weekdays=1,2,3, or leave it out.",
        )
    return tuple(sorted({int(day) for day in text.split(",")}))
