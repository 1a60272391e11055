"""Tells whether lines and polygons cross themselves.

Places are whole numbers of a small unit, such as a tenth of a pixel, so the answer is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

Place = tuple[int, int]
Side = tuple[Place, Place]


def turn(a: Place, b: Place, c: Place) -> int:
    """Return twice the area of the triangle `a b c`; above 0 if `c` is to the right of `a` to `b`.

    Right is as seen in the picture, with y downwards.
    """
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def crosses_itself(places: Sequence[Place], *, closed: bool) -> bool:
    """Return whether a line, or a polygon if `closed`, meets itself other than where adjacent sides join.

    So does a line that turns back on itself, or has two consecutive points at the same place.
    """
    sides = [*pairwise(places), *([(places[-1], places[0])] if closed else [])]
    last = len(sides) - 1
    for (i, first), (j, second) in combinations(enumerate(sides), 2):
        if j == i + 1:
            if _turns_back(*first, second[1]):
                return True
        elif closed and (i, j) == (0, last):
            if _turns_back(*second, first[1]):
                return True
        elif _meet(first, second):
            return True
    return any(start == end for start, end in sides)


def _turns_back(a: Place, b: Place, c: Place) -> bool:
    """Return whether the path from `a` over `b` to `c` goes back along itself."""
    ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return turn(a, b, c) == 0 and ahead <= 0


def _meet(first: Side, second: Side) -> bool:
    (a, b), (c, d) = first, second
    sides = (turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b))
    if _differ(sides[0], sides[1]) and _differ(sides[2], sides[3]):
        return True
    ends = ((first, c), (first, d), (second, a), (second, b))
    return any(side == 0 and _in_box(*end) for side, end in zip(sides, ends, strict=True))


def _differ(side: int, other_side: int) -> bool:
    return (side < 0 < other_side) or (other_side < 0 < side)


def _in_box(segment: Side, point: Place) -> bool:
    (a, b), (x, y) = segment, point
    return min(a[0], b[0]) <= x <= max(a[0], b[0]) and min(a[1], b[1]) <= y <= max(a[1], b[1])
