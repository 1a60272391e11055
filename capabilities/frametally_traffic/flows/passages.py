"""Finds the passages of many paths over a border at once, and the paths that are too intricate for that.

A path is plain if it crosses the border's pieces between their ends and between its own points, at most one
piece from one point to the next, and is clear of the border in between. Then each passage is a change of
`Border.changes`. Integers of `geometry` are integers here; floats replace its fractions, and a path is not
plain if they cannot decide for sure.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from frametally_traffic.flows.path_arrays import Flags, Real, VisitArrays, Whole
from frametally_traffic.geometry.crossings import FLICKER_PART, Border
from frametally_traffic.geometry.zones import PictureZone

SURE = 1e-9
"""Relative difference from which two floats differ for sure; they have some 16 digits."""


_NEARLY2 = 1e-3
"""More than the possible error of squared coordinates, in tenths of a pixel."""


class _Met(NamedTuple):
    visit: Whole
    step: Whole
    over: Whole
    under: Whole


class Passages(NamedTuple):
    """Passages of plain paths over a border, by visit and time; one value per passage.

    Attributes:
        step: Number of the point before it.
        over: `over / under` is the part of the step before it; `under` is above 0.
        side: 1 or -1, as in `Passage`.
        time_ms: Milliseconds since the day began.
        is_plain: One value per visit: whether it was requested, and all its passages are here.
    """

    visit: Whole
    step: Whole
    over: Whole
    under: Whole
    side: Whole
    time_ms: Whole
    is_plain: Flags


def passages_of(border: Border, visits: VisitArrays, is_asked: Flags) -> Passages:
    """Return the passages over a border of the paths that are `is_asked` for."""
    near = is_asked & ~is_far(border, visits)
    is_plain = is_asked & ((visits.points > 1) | ~near)
    points = np.flatnonzero(near[visits.of_point])
    pieces = [_of_piece(piece, visits, points, is_plain) for piece in border.pieces]
    step, over, under, side = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
    order = np.argsort(step, kind="stable")
    step, over, under, side = step[order], over[order], under[order], side[order]
    visit = visits.of_point[step]
    is_plain[visit[1:][step[1:] == step[:-1]]] = False
    _check_clear(border, visits, _Met(visit, step, over, under), is_plain)
    keep = is_plain[visit]
    visit, step, over, under, side = visit[keep], step[keep], over[keep], under[keep], side[keep]
    before_ms = visits.time_ms[step]
    passed_ms = visits.time_ms[step + 1] - before_ms
    time_ms = before_ms + (2 * over * passed_ms + under) // (2 * under)
    return Passages(visit, step, over, under, side, time_ms, is_plain)


def is_far(border: Border, visits: VisitArrays) -> Flags:
    """Return which paths stay outside the rectangle around a border."""
    xs = [x for ax, _, ux, _ in border.pieces for x in (ax, ax + ux)]
    ys = [y for _, ay, _, uy in border.pieces for y in (ay, ay + uy)]
    is_beside: Flags = (visits.right < min(xs)) | (visits.left > max(xs))
    return is_beside | (visits.bottom < min(ys)) | (visits.top > max(ys))


def is_within(zone: Border, x: Whole | Real, y: Whole | Real) -> Flags:
    """Return which places are within a zone; the result is undefined on its rim."""
    inside = np.zeros(len(x), bool)
    for ax, ay, ux, uy in zone.pieces:
        turn = ux * (y - ay) - uy * (x - ax)
        inside ^= ((ay > y) != (ay + uy > y)) & ((turn > 0) == (uy > 0))
    return inside


def _of_piece(
    piece: tuple[int, int, int, int], visits: VisitArrays, point: Whole, is_plain: Flags
) -> tuple[Whole, Whole, Whole, Whole]:
    """Return step, over, under and side of passages over a piece; a path that just touches it is not plain.

    `point`: numbers of the points to check, of whole visits. `is_plain`: by visit; updated in place.
    """
    ax, ay, ux, uy = piece
    x, y = visits.x[point], visits.y[point]
    off = ux * (y - ay) - uy * (x - ax)
    is_right, is_left = off > 0, off < 0
    may_meet = ~((is_right[1:] & is_right[:-1]) | (is_left[1:] & is_left[:-1]))
    step = np.flatnonzero(may_meet)
    step = step[visits.of_point[point[step]] == visits.of_point[point[step + 1]]]
    before, after = off[step], off[step + 1]
    x, y, dx, dy = x[step], y[step], x[step + 1] - x[step], y[step + 1] - y[step]
    start = dx * (ay - y) - dy * (ax - x)
    end = start + dx * uy - dy * ux
    ends = np.sign(start) * np.sign(end)
    is_over = (np.sign(before) * np.sign(after) < 0) & (ends < 0)
    touches = ~is_over & ((ends <= 0) | (before == after))
    is_plain[visits.of_point[point[step[touches]]]] = False
    before, after, step = before[is_over], after[is_over], step[is_over]
    return point[step], np.abs(before), np.abs(before - after), np.sign(after)


def _check_clear(border: Border, visits: VisitArrays, meeting: _Met, is_plain: Flags) -> None:
    """Note the visits that are not plain: never clear of the border, or not clear between two passages."""
    visit, step = meeting.visit, meeting.step
    passages = np.bincount(visit, minlength=len(visits.points))
    single = np.flatnonzero((passages == 1) & is_plain)
    ends = _is_clear(border, visits, visits.first[single]) | _is_clear(border, visits, visits.last[single])
    is_plain[single[~ends]] = False
    pairs = np.flatnonzero((visit[1:] == visit[:-1]) & is_plain[visit[1:]])
    # Usually it is clear half way: at a point, or between points if it goes straight through a zone.
    pairs = pairs[~_is_clear(border, visits, (step[pairs] + 1 + step[pairs + 1]) // 2)]
    if len(border.pieces) > 1:
        pairs = pairs[
            ~_is_clear_half_way(border, visits, step[pairs], meeting.over[pairs] / meeting.under[pairs])
        ]
    is_left = np.zeros(len(visits.points), bool)
    is_left[visit[pairs]] = True
    several = np.flatnonzero(is_left[visits.of_point])
    clear_counts = np.concatenate(([0], np.cumsum(_is_clear(border, visits, several))))
    since, until = (np.searchsorted(several, step[pair] + 1) for pair in (pairs, pairs + 1))
    is_plain[visit[pairs[clear_counts[since] == clear_counts[until]]]] = False


def _is_clear(border: Border, visits: VisitArrays, point: Whole) -> Flags:
    """Return which points are surely clear of a border."""
    x, y, height = (column[point].astype(np.float64) for column in (visits.x, visits.y, visits.height))
    return _are_clear(border, x, y, height)


def _is_clear_half_way(border: Border, visits: VisitArrays, step: Whole, part: Real) -> Flags:
    """Return at which steps the middle of what follows the passage is surely clear of a border."""
    half = (part + 1) / 2

    def along(column: Whole) -> Real:
        start = column[step].astype(np.float64)
        return start + half * (column[step + 1] - start)

    return _are_clear(border, along(visits.x), along(visits.y), along(visits.height))


def _are_clear(border: Border, x: Real, y: Real, height: Real) -> Flags:
    height2 = height * height
    if isinstance(border, PictureZone):
        narrow2 = float(border.narrow2)
        height2[(height2 > narrow2) & is_within(border, x, y)] = narrow2
    is_clear = np.ones(len(x), bool)
    for ax, ay, ux, uy in border.pieces:
        px, py, length2 = x - ax, y - ay, float(ux * ux + uy * uy)
        along = px * ux + py * uy
        behind = along >= length2
        over = np.where(behind, (px - ux) ** 2 + (py - uy) ** 2, px * px + py * py)
        is_beside = (along > 0) & ~behind
        across = ux * py - uy * px
        under = np.where(is_beside, length2, 1.0)
        over = np.where(is_beside, across * across, over)
        # Floats locate a place between two points more precisely than `_NEARLY2`.
        is_clear &= FLICKER_PART * FLICKER_PART * over > ((1 + SURE) * height2 + _NEARLY2) * under
    return is_clear
