"""How far a visit went on the ground, with the standard error, or why that and its speed are not known.

Of floats only + - * / are taken, in a fixed order, and `math.sqrt`, where lengths are added up:
it is correctly rounded by IEEE 754, so it has the same bits everywhere, too. No other
function of the C library is used, and no `sum` of floats, which differs between versions of Python. Standard
library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Literal, NamedTuple

from frametally_traffic.geometry.ground import FootPoint, Ground, PlacedFoot, boxes_of, on_ground

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
"""Boxes are no surer than that, however well a straight line meets them."""
CUT_HEIGHTS = 2
"""The picture's border cuts the box of who comes or goes there, and its middle moves at half his speed until
all of him is in the picture. So far from his first and last place boxes are left out: half of a lorry that is
seen from its side, which is four times as long as it is tall."""
MOST_CUT = 0.25
"""Of the way from the first to the last place: the part that is left out at each of them at most."""
CUT_SLOWNESS = 2
"""A vehicle with more than so many times the boxes there that its speed in between explains has waited there.
The border does not explain that, so these boxes count."""
_STEP_HEIGHTS = 0.2
"""Paths pass boxes by a tenth of their height: what is within twice that of where it was has stood."""


class Way(NamedTuple):
    """The length of a path on the ground, and the square of its standard error."""

    length_m: float
    variance_m2: float

    @property
    def error_m(self) -> float:
        """Its standard error."""
        return sqrt(self.variance_m2)


def way_between(path: Sequence[FootPoint], ground: Ground, from_ms: float, to_ms: float) -> Way | NotMeasured:
    """Return how long a path is on the ground between two moments, along its bends.

    Steps of less than `_STEP_HEIGHTS` are not taken one by one: a parked car whose box trembles goes nowhere.

    Raises:
        ValueError: The path does not have those moments, or not in that order.
    """
    if not (path and path[0].time_ms <= from_ms <= to_ms <= path[-1].time_ms):
        raise ValueError(f"the path is not there from {from_ms} to {to_ms} ms")
    inside = [box for box in boxes_of(path) if from_ms <= box.time_ms <= to_ms]
    if len(inside) < LEAST_BOXES:
        return "too_few_boxes"
    feet: list[PlacedFoot] = []
    kept = last = _place_at(path, from_ms)
    for point in (kept, *inside, _place_at(path, to_ms)):
        foot = _foot(point, ground)
        if foot is None:
            return "out_of_reach"
        off_x, off_y, least = point.x - kept.x, point.y - kept.y, _STEP_HEIGHTS * point.height
        if not feet or off_x * off_x + off_y * off_y >= least * least:
            feet.append(foot)
            kept = point
        last, last_foot = point, foot
    if len(feet) > 1 and last is not kept:
        feet.append(last_foot)
    length_m = 0.0
    for start, end in pairwise(feet):
        off_x, off_y = end.x_m - start.x_m, end.y_m - start.y_m
        length_m += sqrt(off_x * off_x + off_y * off_y)
    squared = length_m * length_m
    ends_m2 = HALF_PIXEL * HALF_PIXEL * (feet[0].pixel_m2 + feet[-1].pixel_m2)
    if (len(inside) - 1) * MOST_M_PER_BOX < length_m:
        return "too_few_boxes"
    if squared < LEAST_WAY_ERRORS * LEAST_WAY_ERRORS * ends_m2 or not squared:
        return "too_short"
    variance_m2 = ends_m2 + squared * ground.scale_error * ground.scale_error
    return Way(length_m, variance_m2) if _is_sure(squared, variance_m2) else "too_uncertain"


def _is_sure(squared: float, variance: float) -> bool:
    return variance <= MOST_ERROR * MOST_ERROR * squared


def _foot(point: FootPoint, ground: Ground) -> PlacedFoot | None:
    place = on_ground(ground, point.x, point.y)
    return place and PlacedFoot(point.time_ms, *place)


def _place_at(path: Sequence[FootPoint], time_ms: float) -> FootPoint:
    """Return where a path is at a moment that it has, on the straight line between two of its points."""
    for start, end in pairwise(path):
        if start.time_ms <= time_ms <= end.time_ms and start.time_ms < end.time_ms:
            part = (time_ms - start.time_ms) / (end.time_ms - start.time_ms)
            return end._replace(
                x=start.x + (end.x - start.x) * part,
                y=start.y + (end.y - start.y) * part,
                height=start.height + (end.height - start.height) * part,
            )
    return path[-1]
