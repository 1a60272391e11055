"""Which box goes on with which track: by overlap, the greatest first. Standard library only.

Exact by construction: + - * / on Python's numbers give the same bits on every machine. (`sum` over floats
does not: Python 3.12 changed it. Nor does `**`, which is the C library's.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Area: TypeAlias = tuple[float, float, float, float, float]
"""A widened box: left, top, right, bottom, and its area, in one unit of length."""

WIDENED_X = 0.6
WIDENED_Y = 0.3
"""Parts of its width and its height by which a box is widened on each side before overlaps are taken.

At 10 frames a second little depends on it; at 5 and fewer an object moves so far between two frames that its
own boxes hardly overlap (`docs/tracking.md` has the numbers).
"""


def widened(left: float, top: float, width: float, height: float) -> Area:
    """Return the area by which a box is compared."""
    by_x, by_y = WIDENED_X * width, WIDENED_Y * height
    right, bottom = left + width + by_x, top + height + by_y
    left, top = left - by_x, top - by_y
    return left, top, right, bottom, (right - left) * (bottom - top)


def pair_up(
    tracks: Sequence[Area], boxes: Sequence[Area], least_overlap: float
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair each track with one box at most, and each box with one track at most.

    The greatest overlap is taken first; of equal ones the earlier track's, then the earlier box's.
    Both sequences stand in an order that the footage alone decides, so the result is decided by it too.

    Args:
        tracks: Where the tracks should be.
        boxes: What was seen.
        least_overlap: Intersection over union from which on two may be a pair, above 0.

    Returns:
        The pairs as indices, and the indices of the tracks and of the boxes without one.
    """
    overlaps = []
    for i, (left, top, right, bottom, area) in enumerate(tracks):
        for j, (other_left, other_top, other_right, other_bottom, other_area) in enumerate(boxes):
            if other_left >= right or left >= other_right or other_top >= bottom or top >= other_bottom:
                continue
            shared = (
                (right if right < other_right else other_right) - (left if left > other_left else other_left)
            ) * (
                (bottom if bottom < other_bottom else other_bottom) - (top if top > other_top else other_top)
            )
            overlap = shared / (area + other_area - shared)
            if overlap >= least_overlap:
                overlaps.append((-overlap, i, j))
    overlaps.sort()
    pairs = []
    track_is_free, box_is_free = [True] * len(tracks), [True] * len(boxes)
    for _, i, j in overlaps:
        if track_is_free[i] and box_is_free[j]:
            track_is_free[i] = box_is_free[j] = False
            pairs.append((i, j))
    return (
        pairs,
        [i for i, free in enumerate(track_is_free) if free],
        [j for j, free in enumerate(box_is_free) if free],
    )
