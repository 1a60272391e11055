"""Finds paths that begin or end just short of a line; a crossing there counts as not measured.

A track ends `TRACK_GAP_MS` after its last box. In that time its object, at its speed of the last second, may
have crossed a line unseen, as far as there is footage. At the picture's border, where its box is truncated,
an object goes on for at most a box's height. Standard library only.
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
"""A track that begins within this many heights of where an ended one would be has the same object."""


class CutEnd(NamedTuple):
    """An end of a path within the picture.

    Attributes:
        visit: Number of the path.
        time_ms: Time of its box there.
        x: Foot point, in tenths of a pixel, like `y`.
        to_x: Place of the object `way_ms` before or after it, like `to_y`; at the border, nearer.
        way_ms: `TRACK_GAP_MS`, or less if the footage begins or ends within it.
        height: Height of its box there, in tenths of a pixel.
        is_open: Whether it is not at the picture's border, so that its object may be found again.
    """

    visit: int
    end: End
    time_ms: int
    x: int
    y: int
    to_x: int
    to_y: int
    way_ms: int
    height: int
    is_open: bool

    def crossed(self, line: Border) -> Literal[1, -1, 0]:
        """Return to which side the object crossed the line beyond this end: 1 right, -1 left, 0 neither."""
        way: list[Place] = [(self.x, self.y), (self.to_x, self.to_y)]
        if line.distance2(self.x, self.y) == 0:  # a path that ends on the line has not crossed it
            way[0] = 2 * self.x - self.to_x, 2 * self.y - self.to_y
        if self.end == "first":
            way.reverse()
        path = FootPath((0, 1), (way[0][0], way[1][0]), (way[0][1], way[1][1]), (0, 0), (1, 1))
        side = sum(passage.side for passage in line.passages(path))
        return 1 if side > 0 else -1 if side < 0 else 0


def with_pairs(ends: Iterable[CutEnd]) -> list[CutEnd]:
    """Return the ends; if an object was found again, only its earlier end, up to where it was found.

    Of several candidates, the nearest in place is that object.
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
        part = (begin.time_ms - end.time_ms) / end.way_ms
        x, y = end.x + (end.to_x - end.x) * part, end.y + (end.to_y - end.y) * part
        return (begin.x - x) ** 2 + (begin.y - y) ** 2

    reach = [
        (off2(begin), number)
        for number, begin in begins
        if begin.visit != end.visit and off2(begin) <= (_FAR_HEIGHTS * max(end.height, begin.height)) ** 2
    ]
    return min(reach)[1] if reach else None
