"""Makes a calibration from points with metres, rectangles with known sides, or a distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from math import hypot, inf, isfinite
from typing import Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np

from frametally.errors import Misconfigured
from frametally_traffic.calibration.homography import (
    IN_PICTURE,
    Array,
    check_points,
    extent,
    homography,
    laid_rectangles,
    mapped,
    scale_change,
    turn,
    with_ones,
)
from frametally_traffic.geometry.speed import Ground, Matrix
from frametally_traffic.records import FEWEST_REFERENCES, MOST_RECTANGLES, MOST_REFERENCES

DIGITS = 12
"""Significant digits of stored numbers, so that they survive JSON unchanged."""
_HORIZON_PART = 0.03
"""A point with a `w` below this part of the nearest point's is at the horizon: 33 times as far away."""
_CLICK_PX = 1.0
"""Least standard error of a clicked point in pixels; four points alone cannot show their own."""
_MOST_MISFIT = 0.05
"""Part of the points' extent in the picture; a point that is further off is wrong, not just inexact."""
_BEYOND = 0.25
"""How far the calibration reaches beyond its points, as a part of their extent."""

Fit: TypeAlias = Callable[[Array], tuple[Array, Array]]
"""Given places in the picture, returns the matrix and their places on the ground."""


class GroundPoint(NamedTuple):
    """A point on the ground: in the picture in pixels from its top left corner, and in metres.

    Its axes are those of a map: seen from above, y points to the left of x. Any origin will do; the matrix
    has it at the centre of the points.
    """

    x: float
    y: float
    x_m: float
    y_m: float


class Rectangle(NamedTuple):
    """A rectangle on the ground: a parking space, a marking.

    Its corners are four points (x, y) of the picture, in order around it, in either direction. The first side
    goes from the first corner to the second, the second side from there to the third.
    """

    corners: Sequence[tuple[float, float]]
    first_side_m: float
    second_side_m: float


class GroundCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """How pixels map to metres, and how reliable that is.

    Attributes:
        made_of: What it was made from; a `scale` is rough: valid only across the view, near its two points.
        matrix: As in `Ground`, like `reach_px` and `scale_error`.
        errors_px: Reprojection error of each point (corner by corner, rectangle by rectangle): its distance
            in the picture from where the matrix puts it.
        error_px: Their root mean square; with four points it is 0 and says nothing.
        error_m: The same on the ground.
    """

    made_of: Literal["points", "rectangles", "scale"]
    matrix: Matrix
    reach_px: tuple[float, float, float, float]
    scale_error: float
    errors_px: tuple[float, ...]
    error_px: float
    error_m: float

    @property
    def ground(self) -> Ground:
        """The ground that the rules in `geometry` measure with."""
        return Ground(self.matrix, self.reach_px, self.scale_error)

    @property
    def is_rough(self) -> bool:
        """Whether it ignores perspective."""
        return self.made_of == "scale"

    @property
    def is_checked(self) -> bool:
        """Whether there are more points than a matrix needs, so that their errors say something."""
        return len(self.errors_px) > FEWEST_REFERENCES


def calibration_of_points(points: Sequence[GroundPoint]) -> GroundCalibration:
    """Return the calibration from four or more points with their metres.

    Raises:
        Misconfigured: The points are not usable; the message says what to change.
    """
    if len(points) > MOST_REFERENCES:
        raise Misconfigured(
            f"{len(points)} points are too many: delete some until at most {MOST_REFERENCES} are left"
        )
    if len(points) < FEWEST_REFERENCES:
        raise Misconfigured(
            f"{len(points)} points with coordinates in metres are too few: add some until there are at least "
            f"{FEWEST_REFERENCES}, or use a distance"
        )
    every = np.array(points, dtype=np.float64).reshape(-1, 4)
    pixels, metres = every[:, :2], every[:, 2:]
    check_points(pixels, metres)
    metres = metres - metres.mean(axis=0)  # coordinates of a national grid would lose digits
    return _calibration("points", pixels, lambda picture_px: (homography(picture_px, metres), metres), 8)


def calibration_of_rectangles(rectangles: Sequence[Rectangle]) -> GroundCalibration:
    """Return the calibration from one or more rectangles with known sides, in any position to each other.

    The one that is largest in the picture is at the origin; the positions of the others are computed.

    Raises:
        Misconfigured: The rectangles are not usable; the message says what to change.
    """
    if not 1 <= len(rectangles) <= MOST_RECTANGLES:
        raise Misconfigured(f"there are {len(rectangles)} rectangles; use 1 to {MOST_RECTANGLES}")
    shapes = []
    for number, rectangle in enumerate(rectangles, 1):
        if len(rectangle.corners) != 4:
            raise Misconfigured(
                f"rectangle {number} has {len(rectangle.corners)} corners: set four, in order around it"
            )
        width, length = rectangle.first_side_m, rectangle.second_side_m
        if not (0 < width < inf and 0 < length < inf and all(map(isfinite, chain(*rectangle.corners)))):
            raise Misconfigured(
                f"rectangle {number}: a corner or a side is not a number: enter pixels, and metres above 0"
            )
        shape = np.array([(0, 0), (width, 0), (width, length), (0, length)], dtype=np.float64)
        corner_px = np.array(rectangle.corners, dtype=np.float64)
        # Corners clicked clockwise are laid out clockwise, and vice versa.
        if turn(corner_px, (0, 1, 2), IN_PICTURE) > 0:
            shape[:, 1] *= -1
        check_points(corner_px, shape, "corner", f" of rectangle {number}")
        shapes.append(shape)
    pixels = np.array([corner for rectangle in rectangles for corner in rectangle.corners], dtype=np.float64)
    order = sorted(range(len(shapes)), key=lambda index: -extent(pixels[4 * index : 4 * index + 4]))
    corners = np.array([4 * index + corner for index in order for corner in range(4)])
    back = np.argsort(corners)

    def fit(picture_px: Array) -> tuple[Array, Array]:
        matrix, metres = laid_rectangles(picture_px[corners], [shapes[index] for index in order])
        return matrix, metres[back]

    return _calibration("rectangles", pixels, fit, 8 + 3 * (len(shapes) - 1))


def calibration_of_scale(
    start: tuple[float, float], end: tuple[float, float], distance_m: float
) -> GroundCalibration:
    """Return the rough calibration from two points of the picture and their distance on the ground.

    It assumes a view from straight above: near the points, a pixel spans the same distance everywhere.

    Raises:
        Misconfigured: The scale is not usable; the message says what to change.
    """
    if not all(map(isfinite, (*start, *end, distance_m))) or distance_m <= 0:
        raise Misconfigured(
            "a scale needs two points in pixels and the distance between them in metres, greater than 0"
        )
    apart_px = hypot(end[0] - start[0], end[1] - start[1])
    if apart_px < 2 * _CLICK_PX:
        raise Misconfigured("the two points of the scale are the same: move them apart")
    by_px = distance_m / apart_px
    pixels = np.array([start, end], dtype=np.float64)
    return GroundCalibration(
        made_of="scale",
        matrix=_matrix9(np.diag([by_px, -by_px, 1.0])),
        reach_px=_reach(pixels, apart_px, apart_px),
        scale_error=_rounded(np.sqrt(2) * _CLICK_PX / apart_px),
        errors_px=(0.0, 0.0),
        error_px=0.0,
        error_m=0.0,
    )


def _calibration(
    made_of: Literal["points", "rectangles"],
    pixels: Array,
    fit: Fit,
    parameters: int,
) -> GroundCalibration:
    """Return the calibration from points of the picture and a function that fits the matrix to them."""
    matrix, metres = fit(pixels)
    w = with_ones(pixels) @ matrix[2]
    if w.sum() < 0:
        matrix, w = -matrix, -w
    if w.min() < _HORIZON_PART * w.max():
        raise Misconfigured(
            f"{_name_of(made_of, w.argmin())} is at the horizon: move it closer to the camera"
        )
    matrix = matrix / w.mean()
    off = mapped(np.linalg.inv(matrix), metres) - pixels
    errors_px = np.hypot(off[:, 0], off[:, 1])
    if not errors_px.max() <= _MOST_MISFIT * extent(pixels):
        raise Misconfigured(
            f"{_name_of(made_of, errors_px.argmax())} is {errors_px.max():.0f} px away from where the "
            "other points put it: check its position in the picture and on the ground (in metres)"
        )
    spare = 2 * len(pixels) - parameters
    # With p parameters fitted to n coordinates, the residual is (1 - p/n)^1/2 of the error: HZ 5.1.3.
    click_px = max(_CLICK_PX, float(np.sqrt((errors_px**2).sum() / spare)) if spare else 0.0)
    width, height = np.ptp(pixels, axis=0)
    off_m = mapped(matrix, pixels) - metres
    return GroundCalibration(
        made_of=made_of,
        matrix=_matrix9(matrix),
        reach_px=_reach(pixels, width, height),
        scale_error=_rounded(click_px * scale_change(pixels, matrix, fit)),
        errors_px=tuple(map(_rounded, errors_px)),
        error_px=_rounded(np.sqrt((errors_px**2).mean())),
        error_m=_rounded(np.sqrt((off_m**2).sum(axis=1).mean())),
    )


def _name_of(made_of: str, index: np.intp) -> str:
    return (
        f"point {index + 1}"
        if made_of == "points"
        else f"corner {index % 4 + 1} of rectangle {index // 4 + 1}"
    )


def _reach(pixels: Array, width: float, height: float) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    beyond_x, beyond_y = _BEYOND * width, _BEYOND * height
    return (
        _rounded(left - beyond_x),
        _rounded(top - beyond_y),
        _rounded(right + beyond_x),
        _rounded(bottom + beyond_y),
    )


def _matrix9(matrix: Array) -> Matrix:
    a, b, c, d, e, f, g, h, i = map(_rounded, matrix.ravel())
    return a, b, c, d, e, f, g, h, i


def _rounded(value: float) -> float:
    """Return a number rounded to `DIGITS` significant digits, which JSON stores exactly."""
    return float(f"{value:.{DIGITS}g}")
