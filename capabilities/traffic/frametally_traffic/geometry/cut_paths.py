"""Paths that begin or end just short of a line: what would have crossed it is not measured, not absent.

A track ends `TRACK_GAP_MS` after its last box. Until then its object went on: a line within the distance
that it goes in that time, at its speed of the last second, may have been crossed unseen. At the picture's
border an object goes on for a box's height at most, as its box is cut there. Standard library only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from frametally.rules.known import TRACK_GAP_MS
from frametally_traffic.geometry.crossings import Border, Place
from frametally_traffic.geometry.foot_paths import FootPath

End = Literal["first", "last"]

_FAR_HEIGHTS = 2
"""A track that begins where one that ended would be is its object's; it may be off by so many heights."""


class CutEnd(NamedTuple):
    """An end of a path within the picture.

    Attributes:
        visit: Number of the path.
        time_ms: When its box was seen there.
        x: Foot point, in tenths of a pixel, as `y`.
        to_x: Where the object was `TRACK_GAP_MS` before it, or after it, as `to_y`.
        height: Of its box there, in tenths of a pixel.
        is_open: Whether it is not at the picture's border, so that its object may be found again.
    """

    visit: int
    end: End
    time_ms: int
    x: int
    y: int
    to_x: int
    to_y: int
    height: int
    is_open: bool

    def crossed(self, line: Border) -> Literal[1, -1, 0]:
        """Return to which hand of the line the object went beyond this end; 0: it did not cross it."""
        way: list[Place] = [(self.x, self.y), (self.to_x, self.to_y)]
        if line.distance2(self.x, self.y) == 0:  # a path that ends on the line has not crossed it
            way[0] = 2 * self.x - self.to_x, 2 * self.y - self.to_y
        if self.end == "first":
            way.reverse()
        path = FootPath((0, 1), (way[0][0], way[1][0]), (way[0][1], way[1][1]), (0, 0), (1, 1))
        side = sum(passage.side for passage in line.passages(path))
        return 1 if side > 0 else -1 if side < 0 else 0


def with_pairs(ends: Iterable[CutEnd]) -> list[CutEnd]:
    """Return the ends; of an object that was found again, the one before alone, up to where it was found.

    Of several that it may be, the nearest one in place is.
    """
    every = sorted(ends, key=lambda end: (end.time_ms, end.visit))
    begins = [end for end in every if end.end == "first" and end.is_open]
    times = [begin.time_ms for begin in begins]
    used: set[int] = set()
    paired: list[CutEnd] = []
    for end in every:
        if not end.is_open:
            paired.append(end)
        if not end.is_open or end.end == "first":
            continue
        near = range(bisect_right(times, end.time_ms), bisect_left(times, end.time_ms + TRACK_GAP_MS + 1))
        best = _nearest(end, [(number, begins[number]) for number in near if number not in used])
        if best is None:
            paired.append(end)
        else:
            used.add(best)
            paired.append(end._replace(to_x=begins[best].x, to_y=begins[best].y))
    return [*paired, *(begin for number, begin in enumerate(begins) if number not in used)]


def _nearest(end: CutEnd, begins: Sequence[tuple[int, CutEnd]]) -> int | None:
    def off2(begin: CutEnd) -> float:
        part = (begin.time_ms - end.time_ms) / TRACK_GAP_MS
        x, y = end.x + (end.to_x - end.x) * part, end.y + (end.to_y - end.y) * part
        return (begin.x - x) ** 2 + (begin.y - y) ** 2

    reach = [
        (off2(begin), number)
        for number, begin in begins
        if begin.visit != end.visit and off2(begin) <= (_FAR_HEIGHTS * max(end.height, begin.height)) ** 2
    ]
    return min(reach)[1] if reach else None
