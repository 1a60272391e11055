"""Defines a camera's calibrated ground, why a speed may be unknown, and the distribution of speeds.

Standard library only. `flows.visit_speeds` explains how speeds and lengths are measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import sqrt
from typing import Literal, NamedTuple, TypeAlias

from frametally.rules.places import Size

Matrix: TypeAlias = tuple[float, float, float, float, float, float, float, float, float]
"""3x3, row by row."""


class Ground(NamedTuple):
    """A calibration's ground as a camera sees it; `frametally_traffic.calibration` makes it.

    Attributes:
        matrix: Homography from picture to ground. `matrix @ (x, y, 1)` in pixels is `(x_m * w, y_m * w, w)`;
            w is above 0 on the ground and 0 at the horizon.
        reach_px: Left, top, right and bottom of the part of the picture where it is valid.
        scale_error: Relative standard error of lengths on the ground, 0 to 1.
        from_ms: Event time from which it is valid; None for always.
        to_ms: Event time until which it is valid (exclusive); None for always.
        drawn_over: Size of the picture whose pixels it uses; None if it is scaled to the frames.
    """

    matrix: Matrix
    reach_px: tuple[float, float, float, float]
    scale_error: float
    from_ms: int | None = None
    to_ms: int | None = None
    drawn_over: Size | None = None

    def scaled_by(self, by_x: float, by_y: float) -> Ground:
        """Return the ground for a picture whose pixel is `by_x` by `by_y` pixels of this one."""
        a, b, c, d, e, f, g, h, i = self.matrix
        left, top, right, bottom = self.reach_px
        return self._replace(
            matrix=(a * by_x, b * by_y, c, d * by_x, e * by_y, f, g * by_x, h * by_y, i),
            reach_px=(left / by_x, top / by_y, right / by_x, bottom / by_y),
            drawn_over=None,
        )


NotMeasured = Literal["out_of_reach", "too_few_boxes", "too_brief", "too_short", "too_uncertain"]
"""Why a speed or a length is unknown; the first that applies:

- `out_of_reach`: fewer than three of its boxes are where the calibration is valid; for a length, not all are;
- `too_few_boxes`: fewer than three boxes that the border does not truncate, or fewer than one in ten metres;
- `too_brief`: less than a second passes between the first and the last;
- `too_short`: the distance is less than twice its error, because it stood or is too far away;
- `too_uncertain`: the standard error exceeds a tenth of the value: it turned or braked, or the calibration is
  too rough.
"""

LEAST_BOXES = 3
LEAST_MS = 1000
MOST_M_PER_BOX = 10
LEAST_WAY_ERRORS = 2
MOST_ERROR = 0.1
HALF_PIXEL = 0.5
"""Least error of a box, however well a straight line fits."""
CUT_HEIGHTS = 2
"""The picture's border truncates the box of an object that comes or goes there, and the box's middle moves at
half its speed until all of it is in the picture. Boxes this close to its first and last place are left out:
half the length of a lorry seen from the side, which is four times as long as it is tall."""
MOST_CUT = 0.25
"""Greatest part of the distance between the first and the last place that is left out at each end."""
CUT_SLOWNESS = 2
"""A vehicle with more than this many times the boxes there that its speed in between explains has waited
there. The border does not explain that, so these boxes count."""
BINS_PER_KM_H = 10
"""A bin is a tenth of a km/h, below the error of any speed; its number is the speed in tenths, rounded."""


class SpeedDistribution(NamedTuple):
    """The speeds of visits with one label, in one or more intervals.

    Attributes:
        visits: Pairs of bin and number of visits, sorted by bin.
        squared_errors: Sum of the squares of their standard errors, in tenths of a km/h, each rounded.
    """

    visits: tuple[tuple[int, int], ...] = ()
    squared_errors: int = 0

    @property
    def measured(self) -> int:
        """How many visits have a speed."""
        return sum(visits for _, visits in self.visits)

    @property
    def median_km_h(self) -> float | None:
        """The speed that half of the visits do not exceed; None if no visit has a speed."""
        return self.percentile_km_h(50)

    @property
    def p85_km_h(self) -> float | None:
        """The speed that 85 % of the visits do not exceed; None if no visit has a speed."""
        return self.percentile_km_h(85)

    @property
    def error_km_h(self) -> float | None:
        """The root mean square of the standard errors of single visits.

        The median's error is as large if the calibration causes most of it, as all visits share that part.
        """
        measured = self.measured
        return sqrt(self.squared_errors / measured) / BINS_PER_KM_H if measured else None

    def percentile_km_h(self, percent: int) -> float | None:
        """Return the lowest speed that at least `percent` % of the visits do not exceed, by nearest rank.

        It is always the speed of a visit, so that visit can prove it. None if no visit has a speed.
        """
        below, rank = 0, percent * self.measured
        for number, visits in self.visits:
            below += visits
            if 100 * below >= rank:
                return number / BINS_PER_KM_H
        return None


def speeds_together(parts: Iterable[SpeedDistribution]) -> SpeedDistribution:
    """Return the distribution over disjoint parts: intervals, sources, days."""
    bins: Counter[int] = Counter()
    squared_errors = 0
    for part in parts:
        bins.update(dict(part.visits))
        squared_errors += part.squared_errors
    return SpeedDistribution(tuple(sorted(bins.items())), squared_errors)
