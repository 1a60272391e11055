"""The number of units for a chosen width, and where to check next."""

from __future__ import annotations

import math

import numpy as np

from frametally_accuracy.rules.drawing import Numbers
from frametally_accuracy.rules.estimation import LEAST_OBJECTS, NORMAL, Estimate

USUAL_ERROR = 0.3
"""Before anything is checked: errors of a unit, as a part of what the model counts in it."""
_AT_WILL = 3.1
"""So many standard errors an interval for stopping at will reaches, 0.1 less or more from 30 to 700 units."""


def units_before(mean: float, units: int, width: float, *, at_will: bool, least: int = 0) -> int:
    """Return how many units a half-width takes that is a part of the total, before a check begins.

    Args:
        mean: The model's mean count in a unit.
        units: How many there are.
        width: Such as 0.1.
        at_will: Whether the interval is to hold whenever people stop.
        least: With fewer units there is no interval.
    """
    if mean <= 0:
        return units
    quantile = _AT_WILL if at_will else NORMAL
    least = max(least, math.ceil(LEAST_OBJECTS / mean))
    return max(_corrected(quantile**2 * USUAL_ERROR / width**2 / mean, units), min(least, units))


def units_for(estimate: Estimate, answered: int, units: int, width: float, *, at_will: bool) -> int:
    """Return how many units such a half-width takes in all, as the answers so far have it."""
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
    """Return by zone how much one more unit there would take off the variance, as a part of it."""
    whole = estimate.parts.sum()
    if not whole:
        return np.zeros(len(drawn_by_zone))
    return np.asarray(estimate.parts / whole / (drawn_by_zone + 1))


def _corrected(endless: float, units: int) -> int:
    """Return the size of a sample of so many units that is worth one of `endless` out of infinitely many."""
    return min(units, math.ceil(endless / (1 + endless / units)))
