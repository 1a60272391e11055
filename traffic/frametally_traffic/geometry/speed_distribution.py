"""How speeds are spread: median and 85th percentile of many visits, from parts that add up in any order.

A histogram of fixed width, of the bins that occur: whole numbers, so that parts add up the same however they
were split, and an interval of a minute holds a few of them. Sorted values would be the same list with
repetitions; a sketch (t-digest, KLL) depends on the order, or does not give the visits back.
Standard library only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple

from frametally_traffic.geometry.speed import NotMeasured

BINS_PER_KM_H = 10
"""A bin is a tenth of a km/h, below the error of any speed; its number is the speed in tenths, rounded."""


class SpeedDistribution(NamedTuple):
    """The speeds of visits of one label, in one interval or in many.

    Attributes:
        visits: Of each bin that occurs how many visits; sorted by bin.
        squared_errors: The squares of their standard errors, in tenths of a km/h, each rounded; summed.
        not_measured: Of each reason that occurs how many visits have it; sorted by reason.
    """

    visits: tuple[tuple[int, int], ...] = ()
    squared_errors: int = 0
    not_measured: tuple[tuple[NotMeasured, int], ...] = ()

    @property
    def measured(self) -> int:
        """How many visits have a speed."""
        return sum(visits for _, visits in self.visits)

    @property
    def median_km_h(self) -> float | None:
        """The speed that half of the visits do not exceed; None where none has one."""
        return self.percentile_km_h(50)

    @property
    def p85_km_h(self) -> float | None:
        """The speed that 85 % of the visits do not exceed; None where none has one."""
        return self.percentile_km_h(85)

    @property
    def error_km_h(self) -> float | None:
        """The standard error of a single visit's speed, as root mean square.

        That of the median is no smaller where the calibration's share is large: it is the same in all.
        """
        measured = self.measured
        return sqrt(self.squared_errors / measured) / BINS_PER_KM_H if measured else None

    def percentile_km_h(self, percent: int) -> float | None:
        """Return the lowest speed that at least `percent` % of the visits do not exceed, by nearest rank.

        It is a visit's speed, never one in between, so it opens onto that visit. None where none has one.
        """
        below, wanted = 0, percent * self.measured
        for number, visits in self.visits:
            below += visits
            if 100 * below >= wanted:
                return number / BINS_PER_KM_H
        return None


def speeds_together(parts: Iterable[SpeedDistribution]) -> SpeedDistribution:
    """Return the distribution of all visits of parts that have none in common: intervals, sources, days."""
    bins: Counter[int] = Counter()
    reasons: Counter[NotMeasured] = Counter()
    squared_errors = 0
    for part in parts:
        bins.update(dict(part.visits))
        reasons.update(dict(part.not_measured))
        squared_errors += part.squared_errors
    return _sorted(bins, squared_errors, reasons)


def _sorted(bins: Counter[int], squared_errors: int, reasons: Counter[NotMeasured]) -> SpeedDistribution:
    return SpeedDistribution(tuple(sorted(bins.items())), squared_errors, tuple(sorted(reasons.items())))
