"""Estimates the units needed for a chosen width, and where to check next."""

from __future__ import annotations

import math

import numpy as np

from frametally_accuracy.rules.drawing import Numbers
from frametally_accuracy.rules.estimation import LEAST_OBJECTS, NORMAL, Estimate

USUAL_ERROR = 0.3
"""Assumed errors of a unit before anything is checked, as a part of the model's count."""
_AT_WILL = 3.1
"""Reach of an interval for stopping at will in standard errors, within 0.1 from 30 to 700 units."""


def units_before(mean: float, units: int, width: float, *, at_will: bool, least: int = 0) -> int:
    """Return the units needed for a half-width relative to the total, before a check begins.

    Args:
        mean: The model's mean count in a unit.
        units: Number of units in all.
        width: Relative half-width, such as 0.1.
        at_will: Whether the interval must hold whenever people stop.
        least: Least number of units for an interval.
    """
    if mean <= 0:
        return units
    quantile = _AT_WILL if at_will else NORMAL
    least = max(least, math.ceil(LEAST_OBJECTS / mean))
    return max(_corrected(quantile**2 * USUAL_ERROR / width**2 / mean, units), min(least, units))


def units_for(estimate: Estimate, answered: int, units: int, width: float, *, at_will: bool) -> int:
    """Return the units needed in all for such a half-width, judging by the answers so far."""
    interval = estimate.at_will if at_will else estimate.fixed
    now = (interval.high - interval.low) / 2
    if estimate.total <= 0:
        return units
    left = 1 - answered / units
    if left <= 0:
        return units
    return max(
        answered if now <= width * estimate.total else answered + 1,
        _corrected((now / (width * estimate.total)) ** 2 * answered / left, units),
    )


def shrink_by_zone(estimate: Estimate, drawn_by_zone: Numbers) -> Numbers:
    """Return the part of the variance that one more unit in each zone would remove."""
    whole = estimate.parts.sum()
    if not whole:
        return np.zeros(len(drawn_by_zone))
    return np.asarray(estimate.parts / whole / (drawn_by_zone + 1))


def _corrected(endless: float, units: int) -> int:
    """Return the sample size out of `units` that is worth one of `endless` out of infinitely many."""
    return min(units, math.ceil(endless / (1 + endless / units)))
