"""Finds possible crossings that were not seen: beyond the ends of a day's paths, and near lone boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from frametally.rules.known import TRACK_GAP_MS
from frametally.rules.path_columns import UNSEEN_MS, Began, Ended, code_of
from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import CAME, CROSSINGS_MISSING, DIRECTIONS, WENT
from frametally_traffic.flows.flow_rows import Rows, held_at
from frametally_traffic.flows.passages import is_within
from frametally_traffic.flows.path_arrays import Flags, VisitArrays, Whole
from frametally_traffic.flows.shapes import LineShape, Row, holds_at
from frametally_traffic.geometry.crossings import NEAR_HEIGHTS, Border
from frametally_traffic.geometry.cut_paths import CutEnd, End, with_pairs
from frametally_traffic.geometry.foot_paths import FootPath

_MISSING, _TOO_FEW = (1 + CROSSINGS_MISSING.index(reason) for reason in ("cut_path", "too_few_boxes"))
_MOST_MS = 1 << 40
_LONE_HEIGHTS = NEAR_HEIGHTS // 2, 1
"""Greatest distance of a lone box from a line, across and down, in heights of the box: half of that between
the boxes of a measured crossing, and half of that again down the picture, where objects move in depth."""


def cut_ends(visits: VisitArrays) -> list[CutEnd]:
    """Return the ends in the day of visits whose objects may have moved on unseen; times as in `visits`."""
    ends: list[CutEnd] = []
    key = visits.of_point * _MOST_MS + visits.time_ms + DAY_MS
    for end, codes, point, step_ms in (
        ("first", _codes(visits.began, Began, "found"), visits.first, UNSEEN_MS),
        ("last", _codes(visits.ended, Ended, "lost"), visits.last, -UNSEEN_MS),
    ):
        visit = np.flatnonzero(visits.is_asked & (codes > 0))
        end_point = point[visit]
        visit, end_point = (
            column[(visits.time_ms[end_point] >= 0) & (visits.time_ms[end_point] < DAY_MS)]
            for column in (visit, end_point)
        )
        beyond = visit * _MOST_MS + visits.time_ms[end_point] + step_ms + DAY_MS
        if end == "first":
            near = np.minimum(np.searchsorted(key, beyond), visits.last[visit])
        else:
            near = np.maximum(np.searchsorted(key, beyond, side="right") - 1, visits.first[visit])
        ends += _moving(visits, end, visit, end_point, near, codes[visit] == 2)  # type: ignore[arg-type]
    return with_pairs(ends)


def _codes(codes: Whole, ways: object, lost: str) -> Whole:
    """Return 1 for an end within the picture, 2 for one at its border, 0 for any other."""
    return np.where(codes == code_of(lost, ways), 1, np.where(codes == code_of("border", ways), 2, 0))


def _moving(
    visits: VisitArrays, end: End, visit: Whole, end_point: Whole, near: Whole, at_border: Whole
) -> Iterator[CutEnd]:
    x, y, height = visits.x[end_point], visits.y[end_point], visits.height[end_point]
    dx, dy = x - visits.x[near], y - visits.y[near]
    passed_ms = np.abs(visits.time_ms[end_point] - visits.time_ms[near])
    part = TRACK_GAP_MS / np.maximum(passed_ms, 1)
    part = np.where(at_border, np.minimum(part, height / np.maximum(np.sqrt(dx * dx + dy * dy), 1)), part)
    to_x, to_y = (start + np.rint(way * part).astype(np.int64) for start, way in ((x, dx), (y, dy)))
    moves = (passed_ms > 0) & ((to_x != x) | (to_y != y))
    columns = (visit, visits.time_ms[end_point], x, y, to_x, to_y, height, ~at_border)
    for number, *place in zip(*(column[moves].tolist() for column in columns), strict=True):
        yield CutEnd(number, end, *place)


def lone_crossings(line: LineShape, border: Border, number: int, visits: VisitArrays) -> Rows:
    """Return a row for each lone box near a line; lone boxes are numbered after the visits."""
    _, _, _, times, xs, ys, heights = visits.lone
    near = [_is_near(border, *box) for box in zip(xs.tolist(), ys.tolist(), heights.tolist(), strict=True)]
    box = np.flatnonzero(_holds(line, visits) & np.array(near, bool))
    return {
        "visit": box + len(visits.points),
        "time": times[box],
        "line": np.full(len(box), number),
        "missing": np.full(len(box), _TOO_FEW),
        **dict.fromkeys(("direction", "before", "after"), np.zeros_like(box)),
    }


def _is_near(border: Border, x: int, y: int, height: int) -> bool:
    across, down = (heights * height for heights in _LONE_HEIGHTS)
    ways = ((x - across, x + across), (y, y)), ((x, x), (y - down, y + down))
    return any(True for xs, ys in ways for _ in border.passages(FootPath((0, 1), xs, ys, (0, 0), (1, 1))))


def lone_stays(zone: ZoneShape, border: Border, number: int, visits: VisitArrays) -> Rows:
    """Return a row for each lone box in a zone, as an object that appeared and vanished there."""
    _, _, _, times, xs, ys, _ = visits.lone
    box = np.flatnonzero(_holds(zone, visits) & is_within(border, xs, ys))
    return {
        "visit": box + len(visits.points),
        **dict.fromkeys(("from", "to"), times[box]),
        "zone": np.full(len(box), number),
        "came": np.full(len(box), CAME.index("appeared")),
        "went": np.full(len(box), WENT.index("vanished")),
    }


def _holds(shape: LineShape | ZoneShape, visits: VisitArrays) -> Flags:
    """Return which lone boxes of the day are within a shape's time."""
    times = visits.lone[3]
    is_held = held_at(shape.from_ms, shape.to_ms, times + visits.file.day_start_ms)
    is_held &= (times >= 0) & (times < DAY_MS)
    return is_held


def cut_rows(
    ends: list[CutEnd], line: LineShape, border: Border, number: int, day_ms: int
) -> Iterator[tuple[int, Row]]:
    """Yield a visit and a row of `CROSSING_COLUMNS` for each end beyond which it may have crossed a line."""
    xs = [x for ax, _, ux, _ in border.pieces for x in (ax, ax + ux)]
    ys = [y for _, ay, _, uy in border.pieces for y in (ay, ay + uy)]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    for cut in ends:
        if (cut.x < left and cut.to_x < left) or (cut.x > right and cut.to_x > right):
            continue
        if (cut.y < top and cut.to_y < top) or (cut.y > bottom and cut.to_y > bottom):
            continue
        side = cut.crossed(border)
        if side and holds_at(line, day_ms + cut.time_ms):
            direction = DIRECTIONS.index("to_right" if side > 0 else "to_left")
            yield cut.visit, (cut.time_ms, number, 0, direction, _MISSING, 0, 0, 0, 0)
