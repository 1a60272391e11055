"""Where on the ground a foot point stands, in metres, by the matrix of a calibration.

+ - * / alone, in a fixed order, standard library: the same bits on every engine and machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

Matrix: TypeAlias = tuple[float, float, float, float, float, float, float, float, float]
"""3x3, row by row."""


class Ground(NamedTuple):
    """What a calibration says of the ground that a camera sees; made by `frametally_traffic.calibration`.

    Attributes:
        matrix: Homography from picture to ground. `matrix @ (x, y, 1)` in pixels of the
            original picture is `(x_m * w, y_m * w, w)`; w is above 0 on the ground and 0 at the horizon.
        reach_px: Left, top, right and bottom of the part of the picture in which it holds.
        scale_error: Standard error of lengths on the ground, as a part of them, 0 to 1.
    """

    matrix: Matrix
    reach_px: tuple[float, float, float, float]
    scale_error: float


class FootPoint(NamedTuple):
    """A point of a path, in pixels; `rules.path_columns` keeps them in tenths.

    Attributes:
        time_ms: When.
        x: Middle of the box's lower side.
        y: Likewise.
        height: Of the box.
        boxes: How many boxes there are since the point before, this one included.
    """

    time_ms: int
    x: float
    y: float
    height: float
    boxes: int


class PlacedFoot(NamedTuple):
    """A foot point on the ground.

    Attributes:
        time_ms: When.
        x_m: Where; axes as the calibration's points have them.
        y_m: Likewise.
        pixel_m2: Square metres by which the place is off where the foot point is a pixel off, in x and in y.
    """

    time_ms: float
    x_m: float
    y_m: float
    pixel_m2: float


def on_ground(ground: Ground, x: float, y: float) -> tuple[float, float, float] | None:
    """Return `x_m, y_m, pixel_m2` of a pixel, as `PlacedFoot`; None out of reach, or not on the ground.

    `pixel_m2` is the sum of the squared partial derivatives of the place by the pixel.
    """
    left, top, right, bottom = ground.reach_px
    if not (left <= x <= right and top <= y <= bottom):
        return None
    a, b, c, d, e, f, g, h, i = ground.matrix
    w = g * x + h * y + i
    if w <= 0:
        return None
    x_m, y_m = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    x_by_x, x_by_y = (a - x_m * g) / w, (b - x_m * h) / w
    y_by_x, y_by_y = (d - y_m * g) / w, (e - y_m * h) / w
    return x_m, y_m, x_by_x * x_by_x + x_by_y * x_by_y + y_by_x * y_by_x + y_by_y * y_by_y


def boxes_of(path: Sequence[FootPoint]) -> Iterator[FootPoint]:
    """Yield a foot point for each box of a path, those that the path leaves out where it runs between.

    They are spread evenly over the time between two points; each is one box. A box of an hour that two paths
    share comes as often as the path has it.
    """
    yield from (point._replace(boxes=1) for point in path[:1])
    for start, end in pairwise(path):
        for number in range(1, end.boxes):
            part = number / end.boxes
            yield FootPoint(
                start.time_ms + (end.time_ms - start.time_ms) * number // end.boxes,
                start.x + (end.x - start.x) * part,
                start.y + (end.y - start.y) * part,
                start.height + (end.height - start.height) * part,
                1,
            )
        yield end._replace(boxes=1)
