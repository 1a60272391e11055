"""Joins lone boxes of fast objects, and counts the crossings and stays that they cannot prove.

An object that moves too far from frame to frame for the tracker leaves lone boxes. Two of them are of one
object if they have the same label and nearly the same size, are one frame or two apart, and a vehicle could
drive from one to the other; it does not turn back on the way. A joined object goes on for one step at both
ends, as no one has seen where. It crosses a line, or is in a zone, where a segment of its way is. A box that
is joined to no other goes the way of the joined object that passed nearest to it in the picture, if there is
one. Boxes may be joined wrongly, so an object also crosses each line within `_LONE_HEIGHTS` of a box.

Boxes on the way beyond the end of a track are of the track's object. `cut_paths` tests lines on that way. The
job's zip carries this module to a cluster's nodes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, pairwise
from typing import NamedTuple

import numpy as np

from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import CAME, CROSSINGS_MISSING, WENT
from frametally_traffic.flows.flow_rows import Rows, held_at
from frametally_traffic.flows.passages import is_within
from frametally_traffic.flows.path_arrays import Flags, VisitArrays, Whole
from frametally_traffic.flows.shapes import LineShape
from frametally_traffic.geometry.crossings import NEAR_HEIGHTS, Border
from frametally_traffic.geometry.cut_paths import CutEnd

_TOO_FEW = 1 + CROSSINGS_MISSING.index("too_few_boxes")
_LONE_HEIGHTS = NEAR_HEIGHTS // 2, 1
"""Greatest distance of a box from a line, across and down, in heights of the box: half of that between the
boxes of a measured crossing, and half of that again down the picture, where objects move in depth."""
_MOST_STEP_MS = 450
"""Two frames at the slowest rate that is tracked by default."""
_MOST_HEIGHTS_S = 60
"""A car 1.2 m high at 259 km/h goes this many of its heights a second."""
_SIZE_PART = 4
"""The heights of two boxes of an object differ by at most this part of the greater one."""
_OFF_HEIGHTS, _OFF_STEP = 1, 0.5
"""How far a box of a track's object may be off the way beyond the track's end: heights of the box and parts
of the step, added up."""


class LoneObjects(NamedTuple):
    """The objects of a day's lone boxes, by time; places are foot points, in tenths of a pixel.

    Attributes:
        first_box: The number in `VisitArrays.lone` of the first box of each object.
        of_box: The number of the object of each lone box.
        steps: Its columns are the steps of the ways of objects: object, x, y, x and y after it. A way goes
            through the object's boxes and a step beyond, or to the end of the track that it is part of. An
            object may have none.
        track_ends: Its columns are the ends of tracks that objects are part of: object, x, y.
    """

    first_box: Whole
    of_box: Whole
    steps: Whole
    track_ends: Whole


def lone_objects(visits: VisitArrays, ends: Sequence[CutEnd]) -> LoneObjects:
    """Return the objects of a day's lone boxes; `ends` are the open ends of its tracks."""
    lone_ms = np.sort(visits.lone[3])
    end_ms = np.array([end.time_ms for end in ends], np.int64)
    since, until = np.searchsorted(lone_ms, (end_ms - _MOST_STEP_MS, end_ms + _MOST_STEP_MS + 1))
    ends = [*compress(ends, since < until)]
    of_ends = [(int(visits.label[end.visit]), end.time_ms, end.x, end.y, end.height) for end in ends]
    places = np.concatenate((visits.lone[2:], np.array(of_ends, np.int64).reshape(-1, 5).T), axis=1)
    labels, times, xs, ys, _ = places.tolist()
    following = _following(_possible_steps(places, ends), xs, ys)
    chains = _chains(sorted(range(len(times)), key=times.__getitem__), following)
    guides: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)  # by label: y, first place
    for chain in chains:
        if len(chain) > 1:
            guides[labels[chain[0]]].append((ys[chain[0]], chain[0]))
    for of_label in guides.values():
        of_label.sort()
    boxes = len(lone_ms)
    of_box = np.zeros(boxes, np.int64)
    first_box: list[int] = []
    steps: list[tuple[int, ...]] = []
    track_ends: list[tuple[int, ...]] = []
    for chain in chains:
        own = [place for place in chain if place < boxes]
        if not own:
            continue
        number = len(first_box)
        first_box.append(own[0])
        of_box[own] = number
        way = [(xs[place], ys[place]) for place in chain]
        track_ends += [(number, *foot) for place, foot in zip(chain, way, strict=True) if place >= boxes]
        guide = chain[0] if len(chain) > 1 else _nearest(guides[labels[own[0]]], ys[own[0]])
        if guide is None:
            continue
        dx, dy = xs[following[guide]] - xs[guide], ys[following[guide]] - ys[guide]
        (x, y), (end_x, end_y) = way[0], way[-1]
        before = [(x - dx, y - dy)] if chain[0] < boxes else []
        after = [(end_x + dx, end_y + dy)] if chain[-1] < boxes else []
        steps += [(number, *foot, *to) for foot, to in pairwise([*before, *way, *after])]
    return LoneObjects(
        np.array(first_box, np.int64),
        of_box,
        np.array(steps, np.int64).reshape(-1, 5).T,
        np.array(track_ends, np.int64).reshape(-1, 3).T,
    )


def _possible_steps(places: Whole, ends: Sequence[CutEnd]) -> list[tuple[int, int]]:
    """Return the pairs of places where one object may have been, one after the other; the likeliest first.

    The columns of `places` are label, time, x, y and height of the lone boxes, then of `ends`.
    """
    label, time_ms, x, y, height = places
    boxes = len(label) - len(ends)
    speed_x, speed_y = np.zeros((2, len(label)))
    speed_x[boxes:] = [(end.to_x - end.x) / end.way_ms for end in ends]
    speed_y[boxes:] = [(end.to_y - end.y) / end.way_ms for end in ends]
    may_lead, may_follow = np.ones((2, len(label)), bool)
    may_lead[boxes:] = [end.end == "last" for end in ends]
    may_follow[boxes:] = [end.end == "first" for end in ends]
    order = np.argsort(time_ms, kind="stable")
    pairs = [np.empty((2, 0), np.int64)]
    for apart in range(1, len(order)):
        pair = np.array((order[:-apart], order[apart:]))
        pair = pair[:, time_ms[pair[1]] - time_ms[pair[0]] <= _MOST_STEP_MS]
        if not pair.size:
            break
        pairs.append(pair)
    first, last = np.concatenate(pairs, axis=1)
    passed_ms = time_ms[last] - time_ms[first]
    dx, dy = x[last] - x[first], y[last] - y[first]
    way2 = dx * dx + dy * dy
    high = np.maximum(height[first], height[last])
    is_drivable = way2 <= (_MOST_HEIGHTS_S / 1000 * passed_ms * high) ** 2
    is_back = last >= boxes
    end, box = np.where(is_back, (last, first), (first, last))
    step_x, step_y = speed_x[end] * passed_ms, speed_y[end] * passed_ms
    off_x, off_y = x[box] - x[end] - step_x, y[box] - y[end] - step_y
    step, off = np.sqrt(step_x * step_x + step_y * step_y), np.sqrt(off_x * off_x + off_y * off_y)
    is_on_way = off <= _OFF_HEIGHTS * height[box] + _OFF_STEP * step
    are_lone = (first < boxes) & (last < boxes)
    is_step = (passed_ms > 0) & (label[first] == label[last]) & may_lead[first] & may_follow[last]
    is_step &= _SIZE_PART * (high - np.minimum(height[first], height[last])) <= high
    is_step &= np.where(are_lone, is_drivable, is_on_way & (box < boxes))
    keep = np.flatnonzero(is_step)
    # Boxes of one object are of one height: a tenth more counts as a third of the way. Of two objects that
    # meet, the nearest boxes are often not of one of them.
    ratio = high / np.maximum(np.minimum(height[first], height[last]), 1)
    unlike = way2 * (ratio * ratio * ratio) ** 2
    keep = keep[np.lexsort((last[keep], first[keep], unlike[keep], passed_ms[keep]))]
    return [*zip(first[keep].tolist(), last[keep].tolist(), strict=True)]


def _following(steps: Sequence[tuple[int, int]], xs: Sequence[int], ys: Sequence[int]) -> dict[int, int]:
    """Return which place is the next one of the same object, by the first of `steps` that fit together."""

    def turns_back(before: int, place: int, after: int) -> bool:
        dx, dy = xs[place] - xs[before], ys[place] - ys[before]
        return dx * (xs[after] - xs[place]) + dy * (ys[after] - ys[place]) < 0

    following: dict[int, int] = {}
    leading: dict[int, int] = {}
    for before, after in steps:
        if before in following or after in leading:
            continue
        if turns_back(leading.get(before, before), before, after):
            continue
        if turns_back(before, after, following.get(after, after)):
            continue
        following[before], leading[after] = after, before
    return following


def _chains(places: Iterable[int], following: Mapping[int, int]) -> list[list[int]]:
    """Return the places of each object, in the order of the first ones in `places`."""
    followed = {*following.values()}
    chains = []
    for first in places:
        if first not in followed:
            chain = [first]
            while chain[-1] in following:
                chain.append(following[chain[-1]])
            chains.append(chain)
    return chains


def _nearest(guides: list[tuple[int, int]], y: int) -> int | None:
    """Return the first place of the joined object nearest to a height in the picture, if there is any."""
    place = bisect_left(guides, (y, 0))
    near = guides[max(0, place - 1) : place + 1]
    return min(near, key=lambda guide: abs(guide[0] - y))[1] if near else None


def lone_crossings(
    line: LineShape, border: Border, number: int, visits: VisitArrays, objects: LoneObjects
) -> Rows:
    """Return a row for each crossing of a line by lone boxes; these are numbered after the visits."""
    _, _, _, times, xs, ys, heights = visits.lone
    across, down = (heights * most for most in _LONE_HEIGHTS)
    near = (
        np.array((objects.of_box, xs - across, ys, xs + across, ys)),
        np.array((objects.of_box, xs, ys - down, xs, ys + down)),
    )
    crosses = _pass(border, np.concatenate((objects.steps, *near), axis=1), objects)
    crosses[objects.track_ends[0]] = False
    box = objects.first_box[crosses]
    box = box[_holds(line, visits)[box]]
    return {
        "visit": box + len(visits.points),
        "time": times[box],
        "line": np.full(len(box), number),
        "missing": np.full(len(box), _TOO_FEW),
        **dict.fromkeys(("direction", "before", "after"), np.zeros_like(box)),
    }


def lone_stays(
    zone: ZoneShape, border: Border, number: int, visits: VisitArrays, objects: LoneObjects
) -> Rows:
    """Return a row for each object of lone boxes in a zone: it appeared and vanished there.

    If it has no box there, only a step through the zone, it was there at its first box. If it is part of a
    track that begins or ends there, the track has the row.
    """
    _, _, _, times, xs, ys, _ = visits.lone
    is_held = _holds(zone, visits)
    is_there = _pass(border, objects.steps, objects) & is_held[objects.first_box]
    inside = np.flatnonzero(is_held & is_within(border, xs, ys))
    first, last = objects.first_box.copy(), objects.first_box.copy()
    first[objects.of_box[inside[::-1]]] = inside[::-1]
    last[objects.of_box[inside]] = inside
    is_there[objects.of_box[inside]] = True
    in_track, end_x, end_y = objects.track_ends
    is_there[in_track[is_within(border, end_x, end_y)]] = False
    first, last = first[is_there], last[is_there]
    return {
        "visit": first + len(visits.points),
        "from": times[first],
        "to": times[last],
        "zone": np.full(len(first), number),
        "came": np.full(len(first), CAME.index("appeared")),
        "went": np.full(len(first), WENT.index("vanished")),
    }


def _pass(border: Border, steps: Whole, objects: LoneObjects) -> Flags:
    """Return which objects pass over a border with any of `steps`, as in `LoneObjects`."""
    number, x, y, to_x, to_y = steps
    mask = np.zeros(len(objects.first_box), bool)
    for ax, ay, ux, uy in border.pieces:
        sides = [ux * (foot_y - ay) - uy * (foot_x - ax) > 0 for foot_x, foot_y in ((x, y), (to_x, to_y))]
        ends = [
            (to_x - x) * (end_y - y) - (to_y - y) * (end_x - x) > 0
            for end_x, end_y in ((ax, ay), (ax + ux, ay + uy))
        ]
        mask[number[(sides[0] != sides[1]) & (ends[0] != ends[1])]] = True
    return mask


def _holds(shape: LineShape | ZoneShape, visits: VisitArrays) -> Flags:
    """Return which lone boxes of the day are within a shape's time."""
    times = visits.lone[3]
    is_held = held_at(shape.from_ms, shape.to_ms, times + visits.file.day_start_ms)
    is_held &= (times >= 0) & (times < DAY_MS)
    return is_held
