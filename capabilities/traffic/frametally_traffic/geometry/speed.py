"""The ground that a camera sees, and speeds over it: what makes one known, and how many are spread.

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
    """A calibration's ground, as a camera sees it; made by `frametally_traffic.calibration`.

    Attributes:
        matrix: Homography from picture to ground. `matrix @ (x, y, 1)` in pixels is `(x_m * w, y_m * w, w)`;
            w is above 0 on the ground and 0 at the horizon.
        reach_px: Left, top, right and bottom of the part of the picture in which it holds.
        scale_error: Standard error of lengths on the ground, as a part of them, 0 to 1.
        from_ms: Event time from which on it holds; None: from the first.
        to_ms: Event time before which it does; None: to the last.
        drawn_over: Size of the picture whose pixels it is in; None: it is scaled to the frames.
    """

    matrix: Matrix
    reach_px: tuple[float, float, float, float]
    scale_error: float
    from_ms: int | None = None
    to_ms: int | None = None
    drawn_over: Size | None = None

    def scaled_by(self, by_x: float, by_y: float) -> Ground:
        """Return it on a picture whose pixel is so many of those that it is in."""
        a, b, c, d, e, f, g, h, i = self.matrix
        left, top, right, bottom = self.reach_px
        return self._replace(
            matrix=(a * by_x, b * by_y, c, d * by_x, e * by_y, f, g * by_x, h * by_y, i),
            reach_px=(left / by_x, top / by_y, right / by_x, bottom / by_y),
            drawn_over=None,
        )


NotMeasured = Literal["out_of_reach", "too_few_boxes", "too_brief", "too_short", "too_uncertain"]
"""Why a speed or a length is not known, the first that applies:

- `out_of_reach`: fewer than three of its boxes lie where the calibration holds; of a stretch, not all do;
- `too_few_boxes`: fewer than three boxes that the border has not cut, or fewer than one in ten metres;
- `too_brief`: less than a second, or no time at all passes between the first and the last;
- `too_short`: the way is less than twice its error: it stood, or it is too far away;
- `too_uncertain`: the standard error is more than a tenth of the value: it turned or braked, or the
  calibration is too rough.
"""

LEAST_BOXES = 3
LEAST_MS = 1000
MOST_M_PER_BOX = 10
LEAST_WAY_ERRORS = 2
MOST_ERROR = 0.1
HALF_PIXEL = 0.5
"""Least error of a box, however well a straight line fits."""
CUT_HEIGHTS = 2
"""The picture's border cuts the box of who comes or goes there, and its middle moves at half his speed until
all of him is in the picture. So far from his first and last place boxes are left out: half of a lorry that is
seen from its side, which is four times as long as it is tall."""
MOST_CUT = 0.25
"""Of the way from the first to the last place: the part that is left out at each of them at most."""
CUT_SLOWNESS = 2
"""A vehicle with more than so many times the boxes there that its speed in between explains has waited there.
The border does not explain that, so these boxes count."""
BINS_PER_KM_H = 10
"""A bin is a tenth of a km/h, below the error of any speed; its number is the speed in tenths, rounded."""


class SpeedDistribution(NamedTuple):
    """The speeds of visits of one label, in one interval or in many.

    Attributes:
        visits: Of each bin that occurs how many visits; sorted by bin.
        squared_errors: The squares of their standard errors, in tenths of a km/h, each rounded; summed.
    """

    visits: tuple[tuple[int, int], ...] = ()
    squared_errors: int = 0

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

        The error of the median is as large if the calibration's share is large: it is the same in all.
        """
        measured = self.measured
        return sqrt(self.squared_errors / measured) / BINS_PER_KM_H if measured else None

    def percentile_km_h(self, percent: int) -> float | None:
        """Return the lowest speed that at least `percent` % of the visits do not exceed, by nearest rank.

        It is a visit's speed, never one in between, so it opens onto that visit. None where none has one.
        """
        below, rank = 0, percent * self.measured
        for number, visits in self.visits:
            below += visits
            if 100 * below >= rank:
                return number / BINS_PER_KM_H
        return None


def speeds_together(parts: Iterable[SpeedDistribution]) -> SpeedDistribution:
    """Return the distribution of all visits of parts that have none in common: intervals, sources, days."""
    bins: Counter[int] = Counter()
    squared_errors = 0
    for part in parts:
        bins.update(dict(part.visits))
        squared_errors += part.squared_errors
    return SpeedDistribution(tuple(sorted(bins.items())), squared_errors)
