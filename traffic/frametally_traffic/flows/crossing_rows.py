"""Rows of plain paths: crossings and stays, from the passages over a line or over a zone's rim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, get_args

import numpy as np

from frametally.rules.path_columns import UNSEEN_MS, Began, Ended
from frametally_traffic.flows.day_columns import CAME, CROSSINGS_MISSING, DIRECTIONS, WENT
from frametally_traffic.flows.passages import SURE, Passages, is_far, is_within
from frametally_traffic.flows.path_arrays import VisitArrays, Whole
from frametally_traffic.geometry.crossings import JUMP_PART, LEAST_BOXES, NEAR_HEIGHTS
from frametally_traffic.geometry.zones import CAME_BY, WENT_BY, PictureZone

Rows: TypeAlias = dict[str, Whole]
"""Columns of `day_columns` by their names without the first word, and `visit`, its number, in place of
label, hour and number."""

_CAME = np.array([CAME.index(CAME_BY.get(began, "from_start")) for began in get_args(Began)])
_WENT = np.array([WENT.index(WENT_BY.get(ended, "to_end")) for ended in get_args(Ended)])
_TO_RIGHT, _TO_LEFT = DIRECTIONS.index("to_right"), DIRECTIONS.index("to_left")
_GAP, _TOO_FEW = (1 + CROSSINGS_MISSING.index(reason) for reason in ("gap", "too_few_boxes"))


def crossing_rows(passages: Passages, line: int, visits: VisitArrays) -> Rows:
    """Return a row for each passage over a line.

    Taken from `passages.is_plain` are visits of which floats cannot tell whether boxes are near enough, and
    those that go over once more where their box jumps in size: the rule looks at all their crossings.
    """
    at, visit = passages.step, passages.visit
    boxes = visits.boxes[at + 1]
    dx, dy = visits.x[at + 1] - visits.x[at], visits.y[at + 1] - visits.y[at]
    height = visits.height[at] + passages.over / passages.under * (visits.height[at + 1] - visits.height[at])
    way2 = (dx * dx + dy * dy).astype(np.float64)
    reach2 = (NEAR_HEIGHTS * boxes * height) ** 2
    is_sure = np.abs(way2 - reach2) > SURE * (way2 + reach2)
    passages.is_plain[visit[~is_sure]] = False
    changed = np.abs(visits.height[at + 1] - visits.height[at])
    jumps = (changed > 0) & (JUMP_PART * changed >= np.maximum(visits.height[at + 1], visits.height[at]))
    is_back = np.concatenate(([False], visit[1:] == visit[:-1])) if len(visit) else jumps
    passages.is_plain[visit[jumps & is_back]] = False
    all_boxes = np.add.reduceat(visits.boxes, visits.first) if len(visits.first) else visits.boxes
    is_enough = (way2 < reach2) & (all_boxes[visit] >= LEAST_BOXES)
    passed_ms = visits.time_ms[at + 1] - visits.time_ms[at]
    why = np.where((boxes == 1) & (passed_ms > UNSEEN_MS), _GAP, _TOO_FEW)
    return {
        "visit": visit,
        "time": passages.time_ms,
        "line": np.full(len(visit), line),
        "direction": np.where(passages.side > 0, _TO_RIGHT, _TO_LEFT),
        "missing": np.where(is_enough, 0, why),
        "before": passages.time_ms - visits.time_ms[at],
        "after": visits.time_ms[at + 1] - passages.time_ms,
    }


def stay_rows(passages: Passages, zone: PictureZone, number: int, visits: VisitArrays) -> Rows:
    """Return a row for each stay in a zone.

    Visits that come in twice in a row are taken from `passages.is_plain`.
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
    whose = np.concatenate((begins, visit, ends))
    kind = np.repeat((0, 1, 2), (len(begins), len(visit), len(ends)))
    first, last = visits.first[begins], visits.last[ends]
    times = np.concatenate((visits.time_ms[first], passages.time_ms, visits.time_ms[last]))
    step = np.concatenate((first, passages.step, last))
    order = np.lexsort((step, kind, whose))
    came, went = order[::2], order[1::2]
    whose = whose[came]
    return {
        "visit": whose,
        "from": times[came],
        "to": times[went],
        "zone": np.full(len(whose), number),
        "came": np.where(kind[came] == 0, _CAME[visits.began[whose]], CAME.index("entered")),
        "went": np.where(kind[went] == 2, _WENT[visits.ended[whose]], WENT.index("left")),
    }


def together(parts: Sequence[Rows], names: Sequence[str]) -> Rows:
    """Return the rows of several parts, of those columns."""
    return {
        name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0, np.int64)
        for name in names
    }
