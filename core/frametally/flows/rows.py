"""Rows of plain paths: crossings and stays, from the passages over a line or over a zone's rim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, get_args

import numpy as np

from frametally.flows.arrays import Flags, PathArrays, Whole
from frametally.flows.passages import SURE, Passages, is_far, is_within
from frametally.rules.flows.day_columns import CAME, CROSSINGS_MISSING, DIRECTIONS, WENT
from frametally.rules.geometry.crossings import LEAST_BOXES, NEAR_HEIGHTS
from frametally.rules.geometry.zones import CAME_BY, WENT_BY, PictureZone
from frametally.rules.path_columns import UNSEEN_MS, Began, Ended

Rows: TypeAlias = dict[str, Whole]
"""Columns of `day_columns` by their names without the first word, and `track`, the number of the track, in
place of label, hour and number."""

_CAME = np.array([CAME.index(CAME_BY.get(began, "from_start")) for began in get_args(Began)])
_WENT = np.array([WENT.index(WENT_BY.get(ended, "to_end")) for ended in get_args(Ended)])
_TO_RIGHT, _TO_LEFT = DIRECTIONS.index("to_right"), DIRECTIONS.index("to_left")
_GAP, _TOO_FEW = (1 + CROSSINGS_MISSING.index(reason) for reason in ("gap", "too_few_boxes"))


def crossing_rows(passages: Passages, line: int, paths: PathArrays, is_plain: Flags) -> Rows:
    """Return a row for each passage over a line.

    Paths of which floats cannot tell whether boxes are near enough are taken from `is_plain`.
    """
    at, track = passages.step, passages.track
    boxes = paths.boxes[at + 1]
    dx, dy = paths.x[at + 1] - paths.x[at], paths.y[at + 1] - paths.y[at]
    height = paths.height[at] + passages.over / passages.under * (paths.height[at + 1] - paths.height[at])
    way2 = (dx * dx + dy * dy).astype(np.float64)
    reach2 = (NEAR_HEIGHTS * boxes * height) ** 2
    is_sure = np.abs(way2 - reach2) > SURE * (way2 + reach2)
    is_plain[track[~is_sure]] = False
    all_boxes = np.add.reduceat(paths.boxes, paths.first) if len(paths.first) else paths.boxes
    is_enough = (way2 < reach2) & (all_boxes[track] >= LEAST_BOXES)
    passed_ms = paths.time_ms[at + 1] - paths.time_ms[at]
    why = np.where((boxes == 1) & (passed_ms > UNSEEN_MS), _GAP, _TOO_FEW)
    return {
        "track": track,
        "time": passages.time_ms,
        "line": np.full(len(track), line),
        "direction": np.where(passages.side > 0, _TO_RIGHT, _TO_LEFT),
        "missing": np.where(is_enough, 0, why),
        "before": passages.time_ms - paths.time_ms[at],
        "after": paths.time_ms[at + 1] - passages.time_ms,
    }


def stay_rows(passages: Passages, zone: PictureZone, number: int, paths: PathArrays, is_plain: Flags) -> Rows:
    """Return a row for each stay in a zone; paths that come in twice in a row are taken from `is_plain`."""
    track, side = passages.track, passages.side
    is_plain[track[1:][(track[1:] == track[:-1]) & (side[1:] == side[:-1])]] = False
    counts = np.bincount(track, minlength=len(paths.points))
    is_inside = np.zeros(len(paths.points), bool)
    if len(track):
        is_first = np.concatenate(([True], track[1:] != track[:-1]))
        is_inside[track[is_first & (side < 0)]] = True
    without = np.flatnonzero(passages.is_plain & (counts == 0) & ~is_far(zone, paths))
    start = paths.first[without]
    is_inside[without] = is_within(zone, paths.x[start], paths.y[start])
    begins = np.flatnonzero(is_inside)
    ends = np.flatnonzero((counts + is_inside) % 2 == 1)
    tracks = np.concatenate((begins, track, ends))
    kind = np.repeat((0, 1, 2), (len(begins), len(track), len(ends)))
    first, last = paths.first[begins], paths.last[ends]
    times = np.concatenate((paths.time_ms[first], passages.time_ms, paths.time_ms[last]))
    step = np.concatenate((first, passages.step, last))
    order = np.lexsort((step, kind, tracks))
    came, went = order[::2], order[1::2]
    whose = tracks[came]
    columns = {name: np.asarray(paths.file.columns[name], np.int64) for name in ("began", "ended")}
    return {
        "track": whose,
        "from": times[came],
        "to": times[went],
        "zone": np.full(len(whose), number),
        "came": np.where(kind[came] == 0, _CAME[columns["began"][whose]], CAME.index("entered")),
        "went": np.where(kind[went] == 2, _WENT[columns["ended"][whose]], WENT.index("left")),
    }


def together(parts: Sequence[Rows], names: Sequence[str]) -> Rows:
    """Return the rows of several parts, of those columns."""
    return {
        name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0, np.int64)
        for name in names
    }
