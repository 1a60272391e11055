"""Joins lone boxes of fast objects, and counts the crossings and stays that they cannot prove.

An object that moves too far from frame to frame for the tracker leaves lone boxes. Two of them are of one
object if they have the same label and nearly the same size, are one frame or two apart, and a vehicle could
drive from one to the other. A joined object goes on for one step at both ends, as no one has seen where. It
crosses a line where a segment of its way does. A box that is joined to no other goes the way of the joined
object that passed nearest to it in the picture, if there is one. Boxes may be joined wrongly, so an object
also crosses each line within `_LONE_HEIGHTS` of a box. The job's zip carries this module to a cluster's
nodes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import CAME, CROSSINGS_MISSING, WENT
from frametally_traffic.flows.flow_rows import Rows, held_at
from frametally_traffic.flows.passages import is_within
from frametally_traffic.flows.path_arrays import Flags, VisitArrays
from frametally_traffic.flows.shapes import LineShape
from frametally_traffic.geometry.crossings import NEAR_HEIGHTS, Border
from frametally_traffic.geometry.foot_paths import FootPath

_TOO_FEW = 1 + CROSSINGS_MISSING.index("too_few_boxes")
_LONE_HEIGHTS = NEAR_HEIGHTS // 2, 1
"""Greatest distance of a box from a line, across and down, in heights of the box: half of that between the
boxes of a measured crossing, and half of that again down the picture, where objects move in depth."""
_MOST_STEP_MS = 450
"""Two frames at the slowest rate that is tracked by default."""
_MOST_HEIGHTS_S = 40
"""A car 1.5 m high at 216 km/h goes this many of its heights a second."""
_SIZE_PART = 4
"""The heights of two boxes of an object differ by at most this part of the greater one."""


class LoneObject(NamedTuple):
    """Lone boxes of one object by time.

    Attributes:
        boxes: Their numbers in `VisitArrays.lone`.
        way: Its foot points by time, in tenths of a pixel: its boxes, with a step at both ends. Empty if
            unknown: then it has one box.
    """

    boxes: tuple[int, ...]
    way: tuple[tuple[int, int], ...]


def lone_objects(visits: VisitArrays) -> list[LoneObject]:
    """Return the objects of a day's lone boxes, by their first boxes."""
    _, _, labels, times, xs, ys, heights = (column.tolist() for column in visits.lone)
    order = sorted(range(len(times)), key=lambda box: (times[box], box))
    steps: list[tuple[int, int, int, int]] = []
    for place, first in enumerate(order):
        for last in order[place + 1 :]:
            passed_ms = times[last] - times[first]
            if passed_ms > _MOST_STEP_MS:
                break
            low, high = sorted((heights[first], heights[last]))
            way2 = (xs[last] - xs[first]) ** 2 + (ys[last] - ys[first]) ** 2
            is_one = labels[first] == labels[last] and _SIZE_PART * (high - low) <= high
            if passed_ms and is_one and way2 * 10**6 <= (_MOST_HEIGHTS_S * passed_ms * high) ** 2:
                steps.append((passed_ms, way2, first, last))
    following: dict[int, int] = {}
    followed: set[int] = set()
    for _, _, first, last in sorted(steps):
        if first not in following and last not in followed:
            following[first] = last
            followed.add(last)
    chains = []
    for first in order:
        if first not in followed:
            chain = [first]
            while chain[-1] in following:
                chain.append(following[chain[-1]])
            chains.append(chain)
    guides: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)  # by label: y, first box
    for chain in chains:
        if len(chain) > 1:
            guides[labels[chain[0]]].append((ys[chain[0]], chain[0]))
    for of_label in guides.values():
        of_label.sort()
    objects = []
    for chain in chains:
        way = [(xs[box], ys[box]) for box in chain]
        guide = chain[0] if len(chain) > 1 else _nearest(guides[labels[chain[0]]], ys[chain[0]])
        if guide is None:
            objects.append(LoneObject((chain[0],), ()))
            continue
        after = following[guide]
        dx, dy = xs[after] - xs[guide], ys[after] - ys[guide]
        (x, y), (end_x, end_y) = way[0], way[-1]
        objects.append(LoneObject(tuple(chain), ((x - dx, y - dy), *way, (end_x + dx, end_y + dy))))
    return objects


def _nearest(guides: list[tuple[int, int]], y: int) -> int | None:
    """Return the first box of the joined object nearest to a height in the picture, if there is any."""
    place = bisect_left(guides, (y, 0))
    near = guides[max(0, place - 1) : place + 1]
    return min(near, key=lambda guide: abs(guide[0] - y))[1] if near else None


def lone_crossings(
    line: LineShape, border: Border, number: int, visits: VisitArrays, objects: list[LoneObject]
) -> Rows:
    """Return a row for each crossing of a line by lone boxes; these are numbered after the visits."""
    times = visits.lone[3]
    is_held = _holds(line, visits)
    first_boxes = [
        lone.boxes[0] for lone in objects if is_held[lone.boxes[0]] and _crosses(border, lone, visits)
    ]
    box = np.array(first_boxes, np.int64)
    return {
        "visit": box + len(visits.points),
        "time": times[box],
        "line": np.full(len(box), number),
        "missing": np.full(len(box), _TOO_FEW),
        **dict.fromkeys(("direction", "before", "after"), np.zeros_like(box)),
    }


def lone_stays(
    zone: ZoneShape, border: Border, number: int, visits: VisitArrays, objects: list[LoneObject]
) -> Rows:
    """Return a row for each object of lone boxes in a zone: it appeared and vanished there."""
    _, _, _, times, xs, ys, _ = visits.lone
    is_inside = _holds(zone, visits) & is_within(border, xs, ys)
    spans = []
    for lone in objects:
        inside = [box for box in lone.boxes if is_inside[box]]
        if inside:
            spans.append((inside[0], inside[-1]))
    first, last = np.array(spans, np.int64).reshape(-1, 2).T
    return {
        "visit": first + len(visits.points),
        "from": times[first],
        "to": times[last],
        "zone": np.full(len(first), number),
        "came": np.full(len(first), CAME.index("appeared")),
        "went": np.full(len(first), WENT.index("vanished")),
    }


def _crosses(border: Border, lone: LoneObject, visits: VisitArrays) -> bool:
    if any(_passes(border, *step) for step in pairwise(lone.way)):
        return True
    for x, y, height in visits.lone[4:, lone.boxes].T.tolist():
        across, down = (heights * height for heights in _LONE_HEIGHTS)
        ways = ((x - across, y), (x + across, y)), ((x, y - down), (x, y + down))
        if any(_passes(border, *way) for way in ways):
            return True
    return False


def _passes(border: Border, start: tuple[int, int], end: tuple[int, int]) -> bool:
    path = FootPath((0, 1), (start[0], end[0]), (start[1], end[1]), (0, 0), (1, 1))
    return any(True for _ in border.passages(path))


def _holds(shape: LineShape | ZoneShape, visits: VisitArrays) -> Flags:
    """Return which lone boxes of the day are within a shape's time."""
    times = visits.lone[3]
    is_held = held_at(shape.from_ms, shape.to_ms, times + visits.file.day_start_ms)
    is_held &= (times >= 0) & (times < DAY_MS)
    return is_held
