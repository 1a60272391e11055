"""Where the values of intervals go over a threshold, or under it, for long enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from frametally_alerts.rules import AlertRule


class Stretch(NamedTuple):
    """Intervals from `start_ms` up to `end_ms` that all fulfil a rule, the first of a row of such.

    Attributes:
        value: The one that is furthest beyond the threshold.
    """

    start_ms: int
    end_ms: int
    value: float


def lasting_ms(rule: AlertRule) -> int:
    """Return how long a rule has to be fulfilled: one interval at least."""
    return max(rule.duration_s, rule.interval_s) * 1000


def find_stretches(rule: AlertRule, values: Mapping[int, float], from_ms: int, to_ms: int) -> list[Stretch]:
    """Return where a rule begins to be fulfilled in `[from_ms, to_ms)`, and then is for as long as it says.

    An interval without a value (not filmed, not measured) fulfils nothing. Whether a stretch begins at a
    time is told by the interval before it and by those of its duration: so a change of counts changes only
    what is near it.

    Args:
        rule: With a threshold.
        values: By start of the interval.
        from_ms: First start.
        to_ms: End of the starts.
    """
    bar_ms, all_ms = rule.interval_s * 1000, lasting_ms(rule)
    threshold = rule.threshold or 0.0

    def fulfils(start_ms: int) -> bool:
        value = values.get(start_ms)
        return value is not None and (value < threshold if rule.below else value >= threshold)

    found = []
    for start_ms in sorted(values):
        if not from_ms <= start_ms < to_ms or not fulfils(start_ms) or fulfils(start_ms - bar_ms):
            continue
        starts = range(start_ms, start_ms + all_ms, bar_ms)
        if all(map(fulfils, starts)):
            of_all = [values[one] for one in starts]
            found.append(Stretch(start_ms, start_ms + all_ms, min(of_all) if rule.below else max(of_all)))
    return found
