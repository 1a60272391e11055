"""Makes rows of crossings, stays and visits, with movements and speeds, from passages over lines and rims.

The numpy counterpart of `geometry/crossings.py` and `geometry/zones.py`, which go path by path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, get_args

import numpy as np

from frametally.rules.path_columns import UNSEEN_MS, Began, Ended
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import (
    CAME,
    CROSSINGS_MISSING,
    DIRECTIONS,
    NO_CALIBRATION,
    NO_MOVEMENTS,
    WENT,
    FlowColumns,
)
from frametally_traffic.flows.passages import SURE, Passages, is_far, is_within
from frametally_traffic.flows.path_arrays import Flags, VisitArrays, Whole
from frametally_traffic.flows.shapes import Ways
from frametally_traffic.flows.visit_speeds import speed_rows
from frametally_traffic.geometry.crossings import JUMP_PART, LEAST_BOXES, NEAR_HEIGHTS
from frametally_traffic.geometry.zones import CAME_BY, WENT_BY, PictureZone

Rows: TypeAlias = dict[str, Whole]
"""Columns of `day_columns`, named without the first word; the visit's number, `visit`, replaces label, hour
and number."""

_CAME = np.array([CAME.index(CAME_BY.get(began, "from_start")) for began in get_args(Began)])
_WENT = np.array([WENT.index(WENT_BY.get(end_name, "to_end")) for end_name in get_args(Ended)])
_TO_RIGHT, _TO_LEFT = DIRECTIONS.index("to_right"), DIRECTIONS.index("to_left")
_GAP, _TOO_FEW = (1 + CROSSINGS_MISSING.index(reason) for reason in ("gap", "too_few_boxes"))


def crossing_rows(passages: Passages, line: int, visits: VisitArrays) -> Rows:
    """Return a row for each passage over a line.

    Clears `passages.is_plain` for visits where floats cannot decide whether boxes are near enough, and for
    visits that cross again as their box jumps in size: the rule then checks all their crossings.
    """
    step, visit = passages.step, passages.visit
    boxes = visits.boxes[step + 1]
    dx, dy = visits.x[step + 1] - visits.x[step], visits.y[step + 1] - visits.y[step]
    height = visits.height[step] + passages.over / passages.under * (
        visits.height[step + 1] - visits.height[step]
    )
    way2 = (dx * dx + dy * dy).astype(np.float64)
    reach2 = (NEAR_HEIGHTS * boxes * height) ** 2
    is_sure = np.abs(way2 - reach2) > SURE * (way2 + reach2)
    passages.is_plain[visit[~is_sure]] = False
    growth = np.abs(visits.height[step + 1] - visits.height[step])
    jumps = (growth > 0) & (JUMP_PART * growth >= np.maximum(visits.height[step + 1], visits.height[step]))
    is_back = np.concatenate(([False], visit[1:] == visit[:-1])) if len(visit) else jumps
    passages.is_plain[visit[jumps & is_back]] = False
    all_boxes = np.add.reduceat(visits.boxes, visits.first) if len(visits.first) else visits.boxes
    is_enough = (way2 < reach2) & (all_boxes[visit] >= LEAST_BOXES)
    passed_ms = visits.time_ms[step + 1] - visits.time_ms[step]
    reason = np.where((boxes == 1) & (passed_ms > UNSEEN_MS), _GAP, _TOO_FEW)
    return {
        "visit": visit,
        "time": passages.time_ms,
        "line": np.full(len(visit), line),
        "direction": np.where(passages.side > 0, _TO_RIGHT, _TO_LEFT),
        "missing": np.where(is_enough, 0, reason),
        "before": passages.time_ms - visits.time_ms[step],
        "after": visits.time_ms[step + 1] - passages.time_ms,
    }


def stay_rows(passages: Passages, zone: PictureZone, number: int, visits: VisitArrays) -> Rows:
    """Return a row for each stay in a zone.

    Clears `passages.is_plain` for visits with two consecutive passages in the same direction.
    """
    visit, side = passages.visit, passages.side
    passages.is_plain[visit[1:][(visit[1:] == visit[:-1]) & (side[1:] == side[:-1])]] = False
    counts = np.bincount(visit, minlength=len(visits.points))
    is_inside = np.zeros(len(visits.points), bool)
    if len(visit):
        is_first = np.concatenate(([True], visit[1:] != visit[:-1]))
        is_inside[visit[is_first & (side < 0)]] = True
    without = np.flatnonzero(passages.is_plain & (counts == 0) & ~is_far(zone, visits))
    start = visits.first[without]
    is_inside[without] = is_within(zone, visits.x[start], visits.y[start])
    begins = np.flatnonzero(is_inside)
    ends = np.flatnonzero((counts + is_inside) % 2 == 1)
    owner = np.concatenate((begins, visit, ends))
    kind = np.repeat((0, 1, 2), (len(begins), len(visit), len(ends)))
    first, last = visits.first[begins], visits.last[ends]
    times = np.concatenate((visits.time_ms[first], passages.time_ms, visits.time_ms[last]))
    step = np.concatenate((first, passages.step, last))
    order = np.lexsort((step, kind, owner))
    came, went = order[::2], order[1::2]
    owner = owner[came]
    return {
        "visit": owner,
        "from": times[came],
        "to": times[went],
        "zone": np.full(len(owner), number),
        "came": np.where(kind[came] == 0, _CAME[visits.began[owner]], CAME.index("entered")),
        "went": np.where(kind[went] == 2, _WENT[visits.ended[owner]], WENT.index("left")),
    }


def together(parts: Sequence[Rows], names: Sequence[str]) -> Rows:
    """Return the rows of several parts, with the columns `names`."""
    return {
        name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0, np.int64)
        for name in names
    }


_KNOWN = ("hour", "number", "speed", "error", "speed_missing")
_MOST_NUMBERS = 1 << 40
"""More than the tracks of any hour."""
_UNASSIGNED, _NEVER = (1 + NO_MOVEMENTS.index(outcome) for outcome in ("unassigned", "never_at_a_leg"))


def visit_rows(
    crossings: Sequence[Rows], ways: Ways, visits: VisitArrays, speeds: FlowColumns | None
) -> Rows:
    """Return a row for each visit that the drawing needs.

    `crossings`: rows for each line of `ways`, in its order. `speeds`: as for `day_flows.flows_of_day`.
    """
    every = len(visits.points)
    legs = [(index, shape) for index, (shape, _) in enumerate(ways.lines) if shape.inward]
    crossed = together(
        [
            {
                **crossings[index],
                "leg": np.full(len(crossings[index]["visit"]), ways.line_names.index(shape.name)),
                "order": np.full(len(crossings[index]["visit"]), index),
                "is_in": crossings[index]["direction"] == DIRECTIONS.index(shape.inward or "to_right"),
            }
            for index, shape in legs
        ],
        ("visit", "time", "missing", "leg", "order", "is_in"),
    )
    is_at_leg = np.zeros(every, bool)
    is_at_leg[crossed["visit"]] = True
    is_measured = crossed["missing"] == 0
    is_in = crossed["is_in"].astype(bool)
    came, from_leg = _first(crossed, is_measured & is_in, crossed["time"], every)
    went, to_leg = _first(crossed, is_measured & ~is_in, -crossed["time"], every)
    has = (from_leg >= 0) & (to_leg >= 0) & (came < went)
    time_ms = np.where(has, came, visits.seen_ms)
    is_asked = is_at_leg | _asks(time_ms, ways)
    is_row = visits.is_asked & (has | (is_asked & visits.is_counted)) & (time_ms >= 0) & (time_ms < DAY_MS)
    index = np.flatnonzero(is_row)
    speed_table = _speeds(index, time_ms, ways, visits, speeds)
    return {
        "visit": index,
        "time": time_ms[index],
        "from_leg": np.where(has, from_leg, 0)[index],
        "to_leg": np.where(has, to_leg, 0)[index],
        "outcome": np.where(has, 0, np.where(is_at_leg, _UNASSIGNED, _NEVER))[index],
        "came": np.where(has, came, 0)[index],
        "went": np.where(has, went, 0)[index],
        "speed": speed_table[:, 0],
        "error": speed_table[:, 1],
        "speed_missing": speed_table[:, 2],
    }


def _first(crossed: Rows, keep: Flags, by: Whole, every: int) -> tuple[Whole, Whole]:
    """Return the time and leg of each visit's first crossing by `by`, then by leg; leg -1 if it has none."""
    index = np.flatnonzero(keep)
    order = index[np.lexsort((crossed["order"][index], by[index], crossed["visit"][index]))]
    visit, first = np.unique(crossed["visit"][order], return_index=True)
    times, legs = np.zeros(every, np.int64), np.full(every, -1)
    times[visit], legs[visit] = crossed["time"][order[first]], crossed["leg"][order[first]]
    return times, legs


def _asks(time_ms: Whole, ways: Ways) -> Flags:
    """Return at which times a leg or a calibration is valid."""
    mask = np.zeros(len(time_ms), bool)
    periods = [(shape.from_ms, shape.to_ms) for shape, _ in ways.lines if shape.inward]
    periods += [(ground.from_ms, ground.to_ms) for ground in ways.grounds]
    for from_ms, to_ms in periods:
        mask |= held_at(from_ms, to_ms, time_ms + ways.day_start_ms)
    return mask


def held_at(from_ms: int | None, to_ms: int | None, time_ms: Whole) -> Flags:
    """Return which event times are in `[from_ms, to_ms)`; None means no limit."""
    mask = np.ones(len(time_ms), bool)
    if from_ms is not None:
        mask &= time_ms >= from_ms
    if to_ms is not None:
        mask &= time_ms < to_ms
    return mask


def _speeds(
    index: Whole, time_ms: Whole, ways: Ways, visits: VisitArrays, speeds: FlowColumns | None
) -> Whole:
    table = np.full((len(index), 3), (0, 0, NO_CALIBRATION), np.int64)
    is_left = np.ones(len(index), bool)
    for ground in ways.grounds:  # the first valid one wins
        is_held = held_at(ground.from_ms, ground.to_ms, time_ms[index] + ways.day_start_ms)
        if speeds is not None and len(ways.grounds) == 1:
            stored_speeds, is_known = _read_speeds(index, visits, speeds)
            table[is_held & is_known] = stored_speeds[is_held & is_known]
            is_left &= ~is_known
        rest = np.flatnonzero(is_left & is_held)
        table[rest] = speed_rows(visits, index[rest], ground)
        is_left[rest] = False
    return table


def _read_speeds(index: Whole, visits: VisitArrays, speeds: FlowColumns) -> tuple[Whole, Flags]:
    """Return the `speed`, `error` and `speed_missing` of visits from `speeds`, and which visits it has."""
    every = np.array([speeds.columns[f"visit_{name}"] for name in _KNOWN], np.int64)
    every = every[:, every[-1] != NO_CALIBRATION]
    keys = every[0] * _MOST_NUMBERS + every[1]
    order = np.argsort(keys)
    visit_keys = visits.hour[index] * _MOST_NUMBERS + visits.number[index]
    position = np.minimum(np.searchsorted(keys[order], visit_keys), max(len(keys) - 1, 0))
    if not len(keys):
        return np.zeros((len(index), 3), np.int64), np.zeros(len(index), bool)
    return every[2:, order[position]].T, keys[order[position]] == visit_keys
