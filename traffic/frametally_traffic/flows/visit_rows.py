"""Rows of visits: their movements over a junction's legs, and their speeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from frametally.rules.times import DAY_MS
from frametally_traffic.flows.crossing_rows import Rows, together
from frametally_traffic.flows.day_columns import DIRECTIONS, NO_CALIBRATION, NO_MOVEMENTS, FlowColumns
from frametally_traffic.flows.path_arrays import Flags, VisitArrays, Whole
from frametally_traffic.flows.visit_speeds import speed_rows
from frametally_traffic.flows.ways import Ways
from frametally_traffic.geometry.ground import Ground

_KNOWN = ("hour", "number", "speed", "error", "speed_missing")
_MOST_NUMBERS = 1 << 40
"""No hour has so many tracks."""
_UNASSIGNED, _NEVER = (1 + NO_MOVEMENTS.index(one) for one in ("unassigned", "never_at_a_leg"))


def visit_rows(
    crossings: Sequence[Rows], ways: Ways, visits: VisitArrays, speeds: FlowColumns | None
) -> Rows:
    """Return a row for each visit that something drawn asks for.

    Args:
        crossings: Of each line of `ways`, in its order.
        ways: What is drawn.
        visits: All of them.
        speeds: As `counting.flows_of_day` takes them.
    """
    every = len(visits.points)
    legs = [(at, shape) for at, (shape, _) in enumerate(ways.lines) if shape.inward]
    crossed = together(
        [
            {
                **crossings[at],
                "leg": np.full(len(crossings[at]["visit"]), ways.line_names.index(shape.name)),
                "order": np.full(len(crossings[at]["visit"]), at),
                "is_in": crossings[at]["direction"] == DIRECTIONS.index(shape.inward or "to_right"),
            }
            for at, shape in legs
        ],
        ("visit", "time", "missing", "leg", "order", "is_in"),
    )
    is_at_leg = np.zeros(every, bool)
    is_at_leg[crossed["visit"]] = True
    measured = crossed["missing"] == 0
    is_in = crossed["is_in"].astype(bool)
    came, from_leg = _first(crossed, measured & is_in, crossed["time"], every)
    went, to_leg = _first(crossed, measured & ~is_in, -crossed["time"], every)
    has = (from_leg >= 0) & (to_leg >= 0) & (came < went)
    time_ms = np.where(has, came, visits.seen_ms)
    asked = is_at_leg | _asks(time_ms, ways)
    told = visits.is_asked & (has | (asked & visits.is_counted)) & (time_ms >= 0) & (time_ms < DAY_MS)
    which = np.flatnonzero(told)
    found = _speeds(which, time_ms, ways, visits, speeds)
    return {
        "visit": which,
        "time": time_ms[which],
        "from_leg": np.where(has, from_leg, 0)[which],
        "to_leg": np.where(has, to_leg, 0)[which],
        "outcome": np.where(has, 0, np.where(is_at_leg, _UNASSIGNED, _NEVER))[which],
        "came": np.where(has, came, 0)[which],
        "went": np.where(has, went, 0)[which],
        "speed": found[:, 0],
        "error": found[:, 1],
        "speed_missing": found[:, 2],
    }


def _first(crossed: Rows, kept: Flags, by: Whole, every: int) -> tuple[Whole, Whole]:
    """Return of each visit time and leg of the crossing that is first in `by`, then by leg; leg -1: none."""
    at = np.flatnonzero(kept)
    order = at[np.lexsort((crossed["order"][at], by[at], crossed["visit"][at]))]
    whose, first = np.unique(crossed["visit"][order], return_index=True)
    times, legs = np.zeros(every, np.int64), np.full(every, -1)
    times[whose], legs[whose] = crossed["time"][order[first]], crossed["leg"][order[first]]
    return times, legs


def _asks(time_ms: Whole, ways: Ways) -> Flags:
    """Return at which times a leg or a calibration holds."""
    found = np.zeros(len(time_ms), bool)
    held = [(shape.from_ms, shape.to_ms) for shape, _ in ways.lines if shape.inward]
    held += [(ground.from_ms, ground.to_ms) for ground in ways.grounds]
    for from_ms, to_ms in held:
        found |= held_at(from_ms, to_ms, time_ms + ways.day_start_ms)
    return found


def held_at(from_ms: int | None, to_ms: int | None, time_ms: Whole) -> Flags:
    """Return at which event times something holds that does in `[from_ms, to_ms)`."""
    found = np.ones(len(time_ms), bool)
    if from_ms is not None:
        found &= time_ms >= from_ms
    if to_ms is not None:
        found &= time_ms < to_ms
    return found


def _speeds(
    which: Whole, time_ms: Whole, ways: Ways, visits: VisitArrays, speeds: FlowColumns | None
) -> Whole:
    found = np.full((len(which), 3), (0, 0, NO_CALIBRATION), np.int64)
    left = np.ones(len(which), bool)
    for one in ways.grounds:  # the first that holds, as `Ways.ground_at` has it
        is_held = held_at(one.from_ms, one.to_ms, time_ms[which] + ways.day_start_ms)
        if speeds is not None and len(ways.grounds) == 1:
            known, is_known = _known(which, visits, speeds)
            found[is_held & is_known] = known[is_held & is_known]
            left &= ~is_known
        at = np.flatnonzero(left & is_held)
        found[at] = speed_rows(visits, which[at], Ground(one.matrix, one.reach_px, one.scale_error))
        left[at] = False
    return found


def _known(which: Whole, visits: VisitArrays, speeds: FlowColumns) -> tuple[Whole, Flags]:
    """Return speed, error and what is missing of visits as `speeds` has them, and of which it has them."""
    every = np.array([speeds.columns[f"visit_{name}"] for name in _KNOWN], np.int64)
    every = every[:, every[-1] != NO_CALIBRATION]
    keys = every[0] * _MOST_NUMBERS + every[1]
    order = np.argsort(keys)
    asked = visits.hour[which] * _MOST_NUMBERS + visits.number[which]
    at = np.minimum(np.searchsorted(keys[order], asked), max(len(keys) - 1, 0))
    if not len(keys):
        return np.zeros((len(which), 3), np.int64), np.zeros(len(which), bool)
    return every[2:, order[at]].T, keys[order[at]] == asked
