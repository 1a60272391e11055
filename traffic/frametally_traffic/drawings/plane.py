"""Points, lines and polygons of a picture: which side, and what crosses what; + - * / on numbers alone.

What crosses what is asked in whole tenths of a pixel, as paths are kept in these: so the answer is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

from frametally_traffic.geometry.borders import tenths
from frametally_traffic.records import Point

Segment = tuple[Point, Point]


def turn(a: Point, b: Point, c: Point) -> float:
    """Return twice the area of the triangle `a b c`: above 0 if `c` lies to the right hand of `a` to `b`.

    Right is as a picture shows it, with y downwards.
    """
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def crosses_itself(points: Sequence[Point], *, closed: bool) -> bool:
    """Return whether a line, or a polygon that is `closed`, meets itself anywhere but from side to side.

    So does one that turns back on itself, or stands still: two points in a row in one tenth of a pixel.
    """
    places = tenths(points)
    sides = [*pairwise(places), *([(places[-1], places[0])] if closed else [])]
    last = len(sides) - 1
    for (i, one), (j, other) in combinations(enumerate(sides), 2):
        if j == i + 1:
            if _turns_back(*one, other[1]):
                return True
        elif closed and (i, j) == (0, last):
            if _turns_back(*other, one[1]):
                return True
        elif _meet(one, other):
            return True
    return any(start == end for start, end in sides)


def _turns_back(a: Point, b: Point, c: Point) -> bool:
    """Return whether the way from `a` over `b` to `c` goes back along itself."""
    ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return turn(a, b, c) == 0 and ahead <= 0


def _meet(one: Segment, other: Segment) -> bool:
    (a, b), (c, d) = one, other
    sides = (turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b))
    if _differ(sides[0], sides[1]) and _differ(sides[2], sides[3]):
        return True
    ends = ((one, c), (one, d), (other, a), (other, b))
    return any(side == 0 and _in_box(*at) for side, at in zip(sides, ends, strict=True))


def _differ(side: float, other: float) -> bool:
    return (side < 0 < other) or (other < 0 < side)


def _in_box(segment: Segment, point: Point) -> bool:
    (a, b), (x, y) = segment, point
    return min(a[0], b[0]) <= x <= max(a[0], b[0]) and min(a[1], b[1]) <= y <= max(a[1], b[1])
