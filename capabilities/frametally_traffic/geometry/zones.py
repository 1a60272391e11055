"""Finds the stays of objects in zones: entries, exits and occupancy. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import Literal, NamedTuple

from frametally_traffic.geometry.crossings import FLICKER_PART, Border, Exact, Passage, Place, why_sparse
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath

Came = Literal["entered", "appeared", "from_start"]
"""How a stay began: over the zone's rim or at the picture's border; first seen within the zone during
footage; or there from the start of footage."""

Went = Literal["left", "vanished", "to_end"]
"""How it ended: over the rim or at the picture's border; lost within the zone; or with the footage."""

CAME_BY: dict[str, Came] = {"border": "entered", "found": "appeared"}
WENT_BY: dict[str, Went] = {"border": "left", "lost": "vanished"}

SHALLOW_MS = 1000
"""An object on one side of the rim for this long is there, however close to the rim."""


class Stay(NamedTuple):
    """An object's stay in a zone, in `[from_ms, to_ms)`."""

    from_ms: int
    to_ms: int
    came: Came
    went: Went


class ZoneCounts(NamedTuple):
    """The events in a zone in an interval.

    `at_start + entered + appeared + from_start - left - vanished - to_end` is the number there at its end:
    the `at_start` of the next interval. These fields count the stays that began in it, by `Came`, and that
    ended in it, by `Went`.

    Attributes:
        at_start: Number of objects there just before it.
        occupied_ms: Milliseconds spent there, summed over objects; per millisecond of footage, their mean.
        peak: Most objects there at once; one that leaves as another comes (same millisecond) is left out.
    """

    at_start: int = 0
    entered: int = 0
    appeared: int = 0
    from_start: int = 0
    left: int = 0
    vanished: int = 0
    to_end: int = 0
    occupied_ms: int = 0
    peak: int = 0

    @property
    def at_end(self) -> int:
        """Number of objects there just before its end."""
        return (
            self.at_start
            + (self.entered + self.appeared + self.from_start)
            - (self.left + self.vanished + self.to_end)
        )


class PictureZone(Border):
    """The part of the picture within a ring of points, in tenths of a pixel, rim included."""

    def __init__(self, points: Sequence[Place]) -> None:
        """Connect the corners in order, clockwise or not.

        Raises:
            ValueError: They are on one line, so there is no area.
        """
        twice_area = sum(
            ax * by - ay * bx for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True)
        )
        if not twice_area:
            raise ValueError("a zone needs at least three corners that are not all on a straight line")
        super().__init__(points if twice_area > 0 else points[::-1], is_closed=True)

    @cached_property
    def narrow2(self) -> Fraction:
        """Squared height of a box whose flicker is half the depth; most zones are never asked for it."""
        return self._depth2() * (FLICKER_PART * FLICKER_PART) / 4

    def place_of(self, x: Exact, y: Exact) -> int:
        """Return 1 for a place within, 0 on the rim, -1 outside."""
        is_within = False
        for ax, ay, ux, uy in self.pieces:
            turn = ux * (y - ay) - uy * (x - ax)
            if turn == 0 and 0 <= ux * (x - ax) + uy * (y - ay) <= ux * ux + uy * uy:
                return 0
            if (ay > y) != (ay + uy > y) and (turn > 0) == (uy > 0):
                is_within = not is_within
        return 1 if is_within else -1

    def is_clear(self, x: Exact, y: Exact, height: Exact) -> bool:
        """Return whether a foot point is clear of the rim; in a narrow zone, half its depth is enough."""
        height2 = height * height
        if height2 > self.narrow2 and self.place_of(x, y) > 0:
            height2 = self.narrow2
        return self._is_beyond(x, y, height2)

    def _is_clear_between(self, path: FootPath, since: Passage, until: Passage) -> bool:
        """Return whether a path is clear of the rim between two passages, or off it for at least a second.

        Boxes jitter from frame to frame. An object that moves along the rim, just inside, is inside for that
        time; otherwise small zones would lose time.
        """
        if super()._is_clear_between(path, since, until):
            return True
        is_between = bool(since.side and until.side)
        return is_between and until.time_ms(path) - since.time_ms(path) >= SHALLOW_MS

    def _depth2(self) -> Fraction:
        """Return about the squared depth of the zone, measured at the middles of two or three corners."""
        corners = [(ax, ay) for ax, ay, _, _ in self.pieces]
        ears = zip(corners, [*corners[1:], corners[0]], [*corners[2:], *corners[:2]], strict=True)
        middles = [
            (Fraction(sum(xs), len(xs)), Fraction(sum(ys), len(ys)))
            for xs, ys in (zip(*group, strict=True) for group in (*combinations(corners, 2), *ears))
        ]
        return max((self.distance2(x, y) for x, y in middles if self.place_of(x, y) > 0), default=Fraction(0))


def stays_of(followed: FollowedPath, zone: PictureZone) -> list[Stay]:
    """Return an object's stays in a zone, by time.

    Flicker on the rim of less than a second is left out. An object that goes through the zone within one step
    stays for that part of the step, unless it was unseen for long and came back far off (`why_sparse`). A
    path that is never clear of the rim, nor off it for a second, stays where it began. If a path continues in
    other hours, only stays within its own hours are returned.
    """
    path = followed.path
    if zone.is_far(path):
        return []
    changes = _visible(path, (change.passage for change in zone.changes(path) if change.is_clear))
    times = [passage.time_ms(path) for passage in changes]
    if changes[0].side < 0 if changes else _begins_within(path, zone):
        times.insert(0, path.time_ms[0])
        came = CAME_BY.get(followed.began, "from_start")
    else:
        came = "entered"
    went: Went = "left"
    if len(times) % 2:
        times.append(path.time_ms[-1])
        went = WENT_BY.get(followed.ended, "to_end")
    stays = (
        Stay(
            times[n],
            times[n + 1],
            came if n == 0 else "entered",
            went if n + 2 == len(times) else "left",
        )
        for n in range(0, len(times), 2)
    )
    return [own for stay in stays if (own := _part_of(stay, followed.from_ms, followed.to_ms))]


def _part_of(stay: Stay, from_ms: int, to_ms: int) -> Stay | None:
    if stay.from_ms >= to_ms:
        return None
    if stay.from_ms < from_ms:
        if stay.to_ms <= from_ms:
            return None
        stay = stay._replace(from_ms=from_ms, came="from_start")
    return stay._replace(to_ms=to_ms, went="to_end") if stay.to_ms > to_ms else stay


def _visible(path: FootPath, passages: Iterable[Passage]) -> list[Passage]:
    """Return passages without the pairs within one gap: nobody saw that the object went through."""
    visible: list[Passage] = []
    for passage in passages:
        if visible and visible[-1].step == passage.step and why_sparse(path, passage) == "gap":
            visible.pop()
        else:
            visible.append(passage)
    return visible


def _begins_within(path: FootPath, zone: PictureZone) -> bool:
    """Return whether the first place off the rim is within, or all points are on the rim."""
    if first := next(zone.passages(path), None):
        return first.side < 0
    places = (zone.place_of(x, y) for x, y in zip(path.x, path.y, strict=True))
    return next((place > 0 for place in places if place), True)
