"""How fast a visit was on the ground and how far it went, with the standard error, or why that is not known.

Of floats only + - * / are taken, in a fixed order, and `math.sqrt`, where lengths are added up and where a
speed is shown: it is correctly rounded by IEEE 754, so it has the same bits everywhere, too. No other
function of the C library is used, and no `sum` of floats, which differs between versions of Python. Standard
library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Literal, NamedTuple

from frametally.rules.metres.ground import FootPoint, Ground, PlacedFoot, boxes_of, on_ground

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


class GroundSpeed(NamedTuple):
    """A speed.

    Attributes:
        squared_m2_s2: Its square, in (m/s)².
        variance_m2_s2: The square of its standard error.
    """

    squared_m2_s2: float
    variance_m2_s2: float

    @property
    def speed_km_h(self) -> float:
        """The speed."""
        return 3.6 * sqrt(self.squared_m2_s2)

    @property
    def error_km_h(self) -> float:
        """Its standard error."""
        return 3.6 * sqrt(self.variance_m2_s2)


class Way(NamedTuple):
    """The length of a path on the ground, and the square of its standard error."""

    length_m: float
    variance_m2: float

    @property
    def error_m(self) -> float:
        """Its standard error."""
        return sqrt(self.variance_m2)


def speed_of_visit(
    path: Sequence[FootPoint], ground: Ground, *, came_in: bool = False, went_out: bool = False
) -> GroundSpeed | NotMeasured:
    """Return the speed over the ground of a visit, from all its boxes within reach.

    If it `came_in` or `went_out` at the picture's border, without those that the border may have cut.

    A motion of constant velocity is fitted to them by least squares; each weighs by the inverse of
    `pixel_m2`: far away a pixel is more metres. The way is that velocity over the time of as many boxes,
    spread evenly, as have their variance in time. A place's squared error is the fit's mean squared residual
    (of 2n coordinates, less the 4 that were fitted) and that of half a pixel. Neighbouring boxes err alike,
    so n of them are no surer than one: the speed's error is that of two ends, each off by a place's error,
    and that of the calibration's scale. How weighted lines are fitted: Bevington & Robinson, Data Reduction
    and Error Analysis for the Physical Sciences, 3rd ed., chapter 6.
    """
    whole = _whole_boxes(path, came_in=came_in, went_out=went_out)
    feet = [foot for box in whole if (foot := _foot(box, ground)) is not None]
    boxes = len(feet)
    if boxes < LEAST_BOXES:
        return "out_of_reach" if len(whole) >= LEAST_BOXES else "too_few_boxes"
    if feet[-1].time_ms - feet[0].time_ms < LEAST_MS:
        return "too_brief"
    start_ms = feet[0].time_ms
    weight = by_t = by_x = by_y = 0.0
    weighted = [(1 / foot.pixel_m2, (foot.time_ms - start_ms) / 1000, foot.x_m, foot.y_m) for foot in feet]
    for one, t, x, y in weighted:
        weight += one
        by_t += one * t
        by_x += one * x
        by_y += one * y
    mean_t, mean_x, mean_y = by_t / weight, by_x / weight, by_y / weight
    tt = tx = ty = 0.0
    for one, t, x, y in weighted:
        tt += one * (t - mean_t) * (t - mean_t)
        tx += one * (t - mean_t) * (x - mean_x)
        ty += one * (t - mean_t) * (y - mean_y)
    v_x, v_y = tx / tt, ty / tt
    squares = 0.0
    for one, t, x, y in weighted:
        off_x, off_y = x - mean_x - v_x * (t - mean_t), y - mean_y - v_y * (t - mean_t)
        squares += one * (off_x * off_x + off_y * off_y)
    time_s2 = 12 * tt / weight * (boxes - 1) / (boxes + 1)
    place_m2 = squares / weight * boxes / (boxes - 2) + HALF_PIXEL * HALF_PIXEL * boxes / weight
    squared = v_x * v_x + v_y * v_y
    if (boxes - 1) * (boxes - 1) * MOST_M_PER_BOX * MOST_M_PER_BOX < squared * time_s2:
        return "too_few_boxes"
    if squared * time_s2 < LEAST_WAY_ERRORS * LEAST_WAY_ERRORS * place_m2:
        return "too_short"
    variance = 2 * place_m2 / time_s2 + squared * ground.scale_error * ground.scale_error
    return GroundSpeed(squared, variance) if _is_sure(squared, variance) else "too_uncertain"


def _whole_boxes(path: Sequence[FootPoint], *, came_in: bool, went_out: bool) -> list[FootPoint]:
    """Return the boxes of a path without those that the picture's border may have cut (`CUT_HEIGHTS`)."""
    boxes = [*boxes_of(path)]
    if not boxes or not (came_in or went_out):
        return boxes
    first, last = path[0], path[-1]
    way_x, way_y = last.x - first.x, last.y - first.y
    way_px = sqrt(way_x * way_x + way_y * way_y)
    first_px, last_px = (
        min(CUT_HEIGHTS * end.height, MOST_CUT * way_px) if is_at_border else 0.0
        for end, is_at_border in ((first, came_in), (last, went_out))
    )
    at_first, at_last = (
        [(box.x - end.x) * (box.x - end.x) + (box.y - end.y) * (box.y - end.y) < px * px for box in boxes]
        for end, px in ((first, first_px), (last, last_px))
    )
    between = len(boxes) - sum(at_first) - sum(at_last)
    between_px = way_px - first_px - last_px
    leaves_first, leaves_last = (
        sum(at_end) * between_px <= CUT_SLOWNESS * between * px
        for at_end, px in ((at_first, first_px), (at_last, last_px))
    )
    return [
        box
        for box, is_first, is_last in zip(boxes, at_first, at_last, strict=True)
        if not ((is_first and leaves_first) or (is_last and leaves_last))
    ]


def speed_along(
    path: Sequence[FootPoint], ground: Ground, from_ms: float, to_ms: float
) -> GroundSpeed | NotMeasured:
    """Return the mean speed along a stretch: the way between two moments, along its bends, by the time.

    The moments are those at which a path crosses the stretch's two ends. It may turn and brake.
    """
    way = way_between(path, ground, from_ms, to_ms)
    if not isinstance(way, Way):
        return way
    if to_ms - from_ms < LEAST_MS:
        return "too_brief"
    time_s = (to_ms - from_ms) / 1000
    return GroundSpeed(way.length_m * way.length_m / (time_s * time_s), way.variance_m2 / (time_s * time_s))


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
