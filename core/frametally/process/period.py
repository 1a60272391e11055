"""Repeats work periodically until a stop; rounds never overlap."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from frametally.errors import Misconfigured, Retryable
from frametally.process.reports import Progress
from frametally.process.retrying import OnceAMinute, back_again, record_outages
from frametally.rules.times import DAY_S, HOUR_S

_PERIOD = re.compile(r"([0-9]{1,6})(s|m|h)")
_UNITS_S = {"s": 1, "m": 60, "h": HOUR_S}
_LOOK_EVERY_S = 0.2
_LONGEST_REST_S = 5.0
_AGAIN_WITHIN_S = 60.0


def parse_period_s(option: str, text: str) -> int:
    """Return the seconds of a period such as `15s`, `15m` or `1h`.

    Raises:
        Misconfigured: The text is not such a period.
    """
    match = _PERIOD.fullmatch(text.strip())
    period_s = int(match[1]) * _UNITS_S[match[2]] if match else 0
    if not 0 < period_s <= DAY_S:
        raise Misconfigured(
            f"{option} {text!r} is not a period of at most a day; write it like 15s, 15m or 1h"
        )
    return period_s


def shown_period(seconds: int) -> str:
    """Return a period in the form that `parse_period_s` reads, in the largest unit that divides it."""
    unit, size_s = next(item for item in reversed(_UNITS_S.items()) if seconds % item[1] == 0)
    return f"{seconds // size_s}{unit}"


def repeat(
    work: Callable[[], object],
    *,
    period_s: float,
    should_stop: Callable[[], bool],
    progress: Progress,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Do `work` every `period_s` seconds, from start to start, until `should_stop()` is true.

    A long round delays the next one; rounds are never parallel, and missed rounds are not made up. Each round
    is followed by a rest as long as the round, but at most a period and at most 5 s, so that frequent rounds
    leave time for other programs. A round in progress at a stop is finished.

    A round that raises `Retryable` is reported to `progress`, once a minute, and tried again after a period
    or a minute, whichever is shorter.

    Returns:
        The number of rounds.
    """
    rounds = 0
    once_a_minute, away_part = OnceAMinute(progress.say, clock=clock), ""
    next_s = clock()
    while not should_stop():
        now_s = clock()
        if now_s < next_s:
            sleep(min(_LOOK_EVERY_S, next_s - now_s))
            continue
        next_s = now_s + period_s
        rounds += 1
        try:
            record_outages("rounds", work)
            once_a_minute.over(back_again(away_part))
        except Retryable as error:
            away_part = error.part
            again_s = min(period_s, _AGAIN_WITHIN_S)
            next_s = now_s + again_s
            once_a_minute(str(error), f"waiting: {error}; trying again in {again_s:g} s")
        ended_s = clock()
        next_s = max(next_s, ended_s + min(ended_s - now_s, period_s, _LONGEST_REST_S))
    return rounds
