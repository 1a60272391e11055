"""Paths of foot points for tests of lines and zones: drawn scenes, and random ones."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Literal

from hypothesis import strategies as st

from frametally.rules.path_columns import Began, Ended
from frametally.rules.times import HOUR_MS
from frametally_traffic.geometry.crossings import Place
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath

HEIGHT_PX = 40


def walk(
    *feet: tuple[float, float], step_ms: int = 200, height_px: float = HEIGHT_PX, boxes: int = 1
) -> FollowedPath:
    """An object that is seen at these foot points, in pixels, in order."""
    return followed(
        FootPath(
            tuple(step_ms * n for n in range(len(feet))),
            tuple(round(x * 10) for x, _ in feet),
            tuple(round(y * 10) for _, y in feet),
            (round(height_px * 10),) * len(feet),
            (1, *(boxes,) * (len(feet) - 1)),
        )
    )


def followed(path: FootPath, began: Began = "found", ended: Ended = "lost") -> FollowedPath:
    """The whole path of an object."""
    return FollowedPath(("0-0",), -HOUR_MS, 1000 * HOUR_MS, began, ended, path)


@st.composite
def paths(draw: st.DrawFn, reach: int = 12, most_height: int = 24, least_boxes: int = 1) -> FootPath:
    """Paths on a coarse grid: they touch lines, stop on them and follow them often."""
    place = st.integers(-reach, reach)
    point = st.tuples(
        st.integers(1, 2000), place, place, st.integers(0, most_height), st.integers(least_boxes, 6)
    )
    steps, x, y, height, boxes = zip(*draw(st.lists(point, min_size=1, max_size=12)), strict=True)
    return FootPath(tuple(accumulate(steps, initial=-500))[1:], x, y, height, (1, *boxes[1:]))


@st.composite
def lines(draw: st.DrawFn, most: int = 5, reach: int = 12) -> list[Place]:
    """Lines that do not cross themselves: from left to right, rotated."""
    xs = sorted(draw(st.sets(st.integers(-reach, reach), min_size=2, max_size=most)))
    turn = draw(TURNS)
    return [turn(x, draw(st.integers(-reach, reach))) for x in xs]


@st.composite
def rings(draw: st.DrawFn, reach: int = 12) -> list[Place]:
    """Corners of zones, some concave: one chain above another."""
    xs = sorted(draw(st.sets(st.integers(-reach, reach), min_size=2, max_size=5)))
    above = [(x, draw(st.integers(-reach, -1))) for x in xs]
    below = [(x, draw(st.integers(0, reach))) for x in reversed(xs)]
    if draw(st.booleans()):
        below.append((xs[0] - 1, draw(st.integers(-reach, reach))))
    return above + below


Turn = Callable[[int, int], Place]


def similarity(a: int, b: int, mirror: int = 1, shift: Place = (0, 0)) -> Turn:
    """The picture rotated and scaled by `a + bi`, whose length is whole, perhaps mirrored, and moved."""

    def moved(x: int, y: int) -> Place:
        x = mirror * x
        return a * x - b * y + shift[0], b * x + a * y + shift[1]

    return moved


TURNS = st.sampled_from(
    [similarity(a, b, mirror) for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1)) for mirror in (1, -1)]
)
# The length of `a + bi`, and whether it mirrors.
SIMILARITIES = st.tuples(
    st.sampled_from([(1, 0, 1), (0, 1, 1), (-1, 0, 1), (0, -1, 1), (7, 0, 7), (3, 4, 5), (-12, 5, 13)]),
    st.sampled_from([1, -1]),
    st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)),
)


def seen_by(path: FootPath, turn: Turn, scale: int) -> FootPath:
    """The same path in the rotated picture."""
    places = [turn(x, y) for x, y in zip(path.x, path.y, strict=True)]
    return path._replace(
        x=tuple(x for x, _ in places),
        y=tuple(y for _, y in places),
        height=tuple(scale * height for height in path.height),
    )


def side_by_side(line: list[Place], x: int, y: int) -> Literal[-1, 0, 1]:
    """The side of the straight line through two points on which a place is."""
    (ax, ay), (bx, by) = line
    cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    return 1 if cross > 0 else -1 if cross < 0 else 0
