"""The way from a picture to the ground, as far as is needed to refuse a calibration that cannot be.

A homography maps `(x, y)` to `(u / w, v / w)`, each of `u, v, w` a sum of `x`, `y` and 1 with factors of its
own; `w` is as the nearness of what a pixel shows: 0 at the horizon, of other signs on both sides of it
(Hartley and Zisserman, Multiple View Geometry, 2nd edition, 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from frametally.drawing_records import FEWEST_REFERENCES, DrawnCalibration, Point
from frametally.drawings.plane import are_collinear

_CLICK_PX = 1.0
"""Nobody points better than that."""
_SPAN = 1e-6
"""Of the extent of what was measured: what is nearer to a line lies on it."""
_FARTHEST = 100.0
"""Times as far as the nearest point: so far, a pixel is too many metres to be one."""


class References(NamedTuple):
    """Points of a picture, and where each lies on the ground, in metres."""

    points: Sequence[Point]
    metres: Sequence[Point]


def references_of(calibration: DrawnCalibration) -> list[References]:
    """Return what a calibration says of where points lie; a rectangle each for itself, nothing of a scale."""
    if calibration.metres:
        return [References(calibration.points, calibration.metres)]
    found = []
    for rectangle in calibration.rectangles:
        along, across = rectangle.sides_m
        corners = ((0.0, 0.0), (along, 0.0), (along, across), (0.0, across))
        found.append(References(rectangle.points, corners))
    return found


def are_in_line(references: References) -> bool:
    """Return whether there are no four of the points of which no three are in a line, here or there."""
    extent_m = max(abs(p[i] - q[i]) for p in references.metres for q in references.metres for i in (0, 1))
    sides = ((references.points, _CLICK_PX), (references.metres, _SPAN * extent_m))
    return not any(
        all(
            not are_collinear(*three, margin=margin)
            for places, margin in sides
            for three in combinations([places[at] for at in four], 3)
        )
        for four in combinations(range(len(references.points)), FEWEST_REFERENCES)
    )


def beyond_horizon(references: References) -> int | None:
    """Return which point lies at the horizon or beyond it, as the others have it; None if none does.

    Of four points each has a say in where the horizon is: there the farthest is named, or, where they are on
    both sides of it, that of the fewer. The points must not be `are_in_line`.
    """
    spare = len(references.points) > FEWEST_REFERENCES
    for index, point in enumerate(references.points if spare else ()):
        others = References(*([*some[:index], *some[index + 1 :]] for some in references))
        if are_in_line(others):
            continue
        nearness = _nearness(others, [*others.points, point])
        if nearness is None:
            continue
        *rest, own = nearness
        if _farthest(rest) is None and _farthest([max(rest, key=abs), own]) == 1:
            return index
    nearness = _nearness(references, references.points)
    return 0 if nearness is None else _farthest(nearness)  # none: the horizon goes through their middle


def _farthest(nearness: Sequence[float]) -> int | None:
    """Return which is not of the sign of the most, or less than a hundredth of the greatest; None: none."""
    positive = sum(w > 0 for w in nearness)
    sign = (
        1.0 if 2 * positive > len(nearness) or (2 * positive == len(nearness) and nearness[0] > 0) else -1.0
    )
    signed = [sign * w for w in nearness]
    least = min(range(len(signed)), key=signed.__getitem__)
    return least if signed[least] * _FARTHEST <= max(signed) else None


def _nearness(references: References, points: Sequence[Point]) -> list[float] | None:
    """Return `w` of each of `points` by the homography of least squares; None if there is none."""
    here, there = (_Scale.of(some) for some in references)
    rows, right = [], []
    for point, metre in zip(references.points, references.metres, strict=True):
        x, y = here.apply(point)
        across, along = there.apply(metre)
        rows.append([x, y, 1.0, 0.0, 0.0, 0.0, -x * across, -y * across])
        right.append(across)
        rows.append([0.0, 0.0, 0.0, x, y, 1.0, -x * along, -y * along])
        right.append(along)
    # w is 1 at the middle of the points: it cannot be 0 there unless they are on both sides of the horizon.
    found = _least_squares(rows, right)
    if found is None:
        return None
    return [found[6] * x + found[7] * y + 1.0 for x, y in map(here.apply, points)]


class _Scale(NamedTuple):
    """Moves points around 0 and to a size of about 1: what is solved in that is solved well (ibid., 4.4)."""

    middle: Point
    size: float

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Scale:
        x, y = (sum(point[i] for point in points) / len(points) for i in (0, 1))
        return cls((x, y), max(max(abs(px - x), abs(py - y)) for px, py in points) or 1.0)

    def apply(self, point: Point) -> Point:
        return (point[0] - self.middle[0]) / self.size, (point[1] - self.middle[1]) / self.size


def _least_squares(rows: list[list[float]], right: list[float]) -> list[float] | None:
    """Solve `rows * x = right` by normal equations and elimination; None if that has no one `x`."""
    size = len(rows[0])
    table = [
        [
            *(sum(row[i] * row[j] for row in rows) for j in range(size)),
            sum(row[i] * value for row, value in zip(rows, right, strict=True)),
        ]
        for i in range(size)
    ]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(table[row][column]))
        table[column], table[pivot] = table[pivot], table[column]
        if abs(table[column][column]) < 1e-12:
            return None
        for row in range(size):
            if row != column:
                factor = table[row][column] / table[column][column]
                table[row] = [a - factor * b for a, b in zip(table[row], table[column], strict=True)]
    return [table[i][size] / table[i][i] for i in range(size)]
