"""Where many paths go over a border at once, wherever that is plain; which paths are not plain.

Plain is a path that goes over the border's pieces between their ends, between its own points, over one piece
from one point to the next, and is clear of it in between: each passage is a change of `Border.changes` then.
What is whole numbers there is here, too; where fractions are compared there, floats are here, and what they
cannot tell apart for sure is not plain.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from frametally_traffic.flows.path_arrays import Flags, VisitArrays, Whole
from frametally_traffic.geometry.borders import FLICKER_PART, Border
from frametally_traffic.geometry.zones import PictureZone

Real: TypeAlias = NDArray[np.float64]

SURE = 1e-9
"""What two floats differ by of their size, if they differ for sure: they have some 16 digits."""


_NEARLY2 = 1e-3
"""Of squares of places, in tenths of a pixel: what they may be off, and more."""


class _Met(NamedTuple):
    visit: Whole
    step: Whole
    over: Whole
    under: Whole


class Passages(NamedTuple):
    """Where plain paths go over a border, by visit and time; one value per passage.

    Attributes:
        visit: Number of the visit.
        step: Number of the point before it.
        over: After which part of the step, `over / under`.
        under: Likewise, above 0.
        side: 1 or -1, as `Passage` has it.
        time_ms: When, milliseconds since the day began.
        is_plain: One value per visit: whether it was asked for, and its passages are all here.
    """

    visit: Whole
    step: Whole
    over: Whole
    under: Whole
    side: Whole
    time_ms: Whole
    is_plain: Flags


def passages_of(border: Border, visits: VisitArrays, asked: Flags) -> Passages:
    """Return where the paths that are `asked` for go over a border."""
    near = asked & ~is_far(border, visits)
    is_plain = asked & ((visits.points > 1) | ~near)
    at = np.flatnonzero(near[visits.of_point])
    met = [_of_piece(piece, visits, at, is_plain) for piece in border.pieces]
    step, over, under, side = (np.concatenate(columns) for columns in zip(*met, strict=True))
    order = np.argsort(step, kind="stable")
    step, over, under, side = step[order], over[order], under[order], side[order]
    visit = visits.of_point[step]
    is_plain[visit[1:][step[1:] == step[:-1]]] = False
    _check_clear(border, visits, _Met(visit, step, over, under), is_plain)
    kept = is_plain[visit]
    visit, step, over, under, side = visit[kept], step[kept], over[kept], under[kept], side[kept]
    before_ms = visits.time_ms[step]
    passed_ms = visits.time_ms[step + 1] - before_ms
    time_ms = before_ms + (2 * over * passed_ms + under) // (2 * under)
    return Passages(visit, step, over, under, side, time_ms, is_plain)


def is_far(border: Border, visits: VisitArrays) -> Flags:
    """Return of each path whether it never comes into the rectangle around a border."""
    xs = [x for ax, _, ux, _ in border.pieces for x in (ax, ax + ux)]
    ys = [y for _, ay, _, uy in border.pieces for y in (ay, ay + uy)]
    beside: Flags = (visits.right < min(xs)) | (visits.left > max(xs))
    return beside | (visits.bottom < min(ys)) | (visits.top > max(ys))


def is_within(zone: Border, x: Whole | Real, y: Whole | Real) -> Flags:
    """Return which places lie within a zone; of one on its rim that is not told."""
    found = np.zeros(len(x), bool)
    for ax, ay, ux, uy in zone.pieces:
        turn = ux * (y - ay) - uy * (x - ax)
        found ^= ((ay > y) != (ay + uy > y)) & ((turn > 0) == (uy > 0))
    return found


def _of_piece(
    piece: tuple[int, int, int, int], visits: VisitArrays, at: Whole, is_plain: Flags
) -> tuple[Whole, Whole, Whole, Whole]:
    """Return step, over, under and side of where paths go over a piece; who only touches it is not plain.

    Args:
        piece: Of the border.
        visits: All of them.
        at: Numbers of the points that are looked at: of whole visits.
        is_plain: Of each visit; changed.
    """
    ax, ay, ux, uy = piece
    x, y = visits.x[at], visits.y[at]
    off = ux * (y - ay) - uy * (x - ax)
    is_right, is_left = off > 0, off < 0
    may_meet = ~((is_right[1:] & is_right[:-1]) | (is_left[1:] & is_left[:-1]))
    step = np.flatnonzero(may_meet)
    step = step[visits.of_point[at[step]] == visits.of_point[at[step + 1]]]
    before, after = off[step], off[step + 1]
    x, y, dx, dy = x[step], y[step], x[step + 1] - x[step], y[step + 1] - y[step]
    start = dx * (ay - y) - dy * (ax - x)
    end = start + dx * uy - dy * ux
    ends = np.sign(start) * np.sign(end)
    is_over = (np.sign(before) * np.sign(after) < 0) & (ends < 0)
    touches = ~is_over & ((ends <= 0) | (before == after))
    is_plain[visits.of_point[at[step[touches]]]] = False
    before, after, step = before[is_over], after[is_over], step[is_over]
    return at[step], np.abs(before), np.abs(before - after), np.sign(after)


def _check_clear(border: Border, visits: VisitArrays, met: _Met, is_plain: Flags) -> None:
    """Note which visits are not plain: not clear of the border between two passages, or anywhere."""
    visit, step = met.visit, met.step
    passages = np.bincount(visit, minlength=len(visits.points))
    single = np.flatnonzero((passages == 1) & is_plain)
    ends = _is_clear(border, visits, visits.first[single]) | _is_clear(border, visits, visits.last[single])
    is_plain[single[~ends]] = False
    pairs = np.flatnonzero((visit[1:] == visit[:-1]) & is_plain[visit[1:]])
    # Half way it is clear, as a rule; at a point, or where it goes straight through a zone.
    pairs = pairs[~_is_clear(border, visits, (step[pairs] + 1 + step[pairs + 1]) // 2)]
    if len(border.pieces) > 1:
        pairs = pairs[~_is_clear_half_way(border, visits, step[pairs], met.over[pairs] / met.under[pairs])]
    is_left = np.zeros(len(visits.points), bool)
    is_left[visit[pairs]] = True
    several = np.flatnonzero(is_left[visits.of_point])
    seen = np.concatenate(([0], np.cumsum(_is_clear(border, visits, several))))
    since, until = (np.searchsorted(several, step[which] + 1) for which in (pairs, pairs + 1))
    is_plain[visit[pairs[seen[since] == seen[until]]]] = False


def _is_clear(border: Border, visits: VisitArrays, at: Whole) -> Flags:
    """Return which points are clear of a border for sure."""
    x, y, height = (column[at].astype(np.float64) for column in (visits.x, visits.y, visits.height))
    return _are_clear(border, x, y, height)


def _is_clear_half_way(border: Border, visits: VisitArrays, step: Whole, part: Real) -> Flags:
    """Return of which steps the middle of what comes after a part of them is clear of a border for sure."""
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
    found = np.ones(len(x), bool)
    for ax, ay, ux, uy in border.pieces:
        px, py, length2 = x - ax, y - ay, float(ux * ux + uy * uy)
        along = px * ux + py * uy
        behind = along >= length2
        over = np.where(behind, (px - ux) ** 2 + (py - uy) ** 2, px * px + py * py)
        beside = (along > 0) & ~behind
        across = ux * py - uy * px
        under = np.where(beside, length2, 1.0)
        over = np.where(beside, across * across, over)
        # Where a place between two points is, floats know to less than that.
        found &= FLICKER_PART * FLICKER_PART * over > ((1 + SURE) * height2 + _NEARLY2) * under
    return found
