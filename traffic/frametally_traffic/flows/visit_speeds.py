"""The speeds of visits over the ground, of many at once, with the standard error, or why there is none.

A motion of constant velocity is fitted by least squares to a visit's boxes within reach; each weighs by the
inverse of `pixel_m2`: far away a pixel is more metres. Boxes that the picture's border may have cut are left
out. The way is that velocity over the time of as many boxes, spread evenly, as have their variance in time. A
place's squared error is the fit's mean squared residual (of 2n coordinates, less the 4 that were fitted) and
that of half a pixel. Neighbouring boxes err alike, so n of them are no surer than one: the speed's error is
that of two ends, each off by a place's error, and that of the calibration's scale. How weighted lines are
fitted: Bevington & Robinson, Data Reduction and Error Analysis for the Physical Sciences, 3rd ed., chapter 6.

Floats are added up box by box, in their order, and only + - * / and the square root are taken: the same bits
everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from frametally.rules.path_columns import Began, Ended, code_of
from frametally_traffic.flows.day_columns import SPEEDS_MISSING
from frametally_traffic.flows.path_arrays import Flags, VisitArrays, Whole
from frametally_traffic.geometry.ground import Ground
from frametally_traffic.geometry.speed import (
    CUT_HEIGHTS,
    CUT_SLOWNESS,
    HALF_PIXEL,
    LEAST_BOXES,
    LEAST_MS,
    LEAST_WAY_ERRORS,
    MOST_CUT,
    MOST_ERROR,
    MOST_M_PER_BOX,
)
from frametally_traffic.geometry.speed_distribution import BINS_PER_KM_H

Real: TypeAlias = NDArray[np.float64]

_CAME_IN, _WENT_OUT = code_of("border", Began), code_of("border", Ended)
_MOST_BOXES = 1 << 19
"""At once, as each takes some hundred bytes; no visit is parted."""
_OUT_OF_REACH, _TOO_FEW, _TOO_BRIEF, _TOO_SHORT, _TOO_UNCERTAIN = (
    1 + SPEEDS_MISSING.index(why)
    for why in ("out_of_reach", "too_few_boxes", "too_brief", "too_short", "too_uncertain")
)


class _Feet(NamedTuple):
    """Boxes within a calibration's reach; one value per box, by visit and time.

    Attributes:
        visit: Number of the visit among those that are asked.
        place: Which of the visit's boxes it is, from 0 on.
        time_s: Since the first of them.
        x_m: As `PlacedFoot` has it.
        y_m: Likewise.
        weight: The inverse of its `pixel_m2`.
        whole: Of each visit, how many boxes there are that no border has cut, out of reach or within.
        boxes: Of each visit, how many there are within reach.
        passed_ms: Of each visit, from the first to the last.
    """

    visit: Whole
    place: Whole
    time_s: Real
    x_m: Real
    y_m: Real
    weight: Real
    whole: Whole
    boxes: Whole
    passed_ms: Whole


def speed_rows(visits: VisitArrays, which: Whole, ground: Ground) -> Whole:
    """Return speed, error and what is missing of visits, as the last three of `VISIT_COLUMNS`, a row each."""
    found = np.zeros((len(which), 3), np.int64)
    own = np.where(np.arange(len(visits.x)) == visits.first[visits.of_point], 1, np.maximum(visits.boxes, 1))
    boxes = np.add.reduceat(own, visits.first)[which] if len(which) else which
    for part in _parts(boxes):
        found[part] = _speeds(_feet_of(visits, which[part], own, ground), ground)
    return found


def _parts(boxes: Whole) -> Iterator[Whole]:
    """Yield visits, by their numbers of boxes, in parts of about `_MOST_BOXES` boxes."""
    part = np.cumsum(np.minimum(boxes, _MOST_BOXES)) // _MOST_BOXES
    for number in np.unique(part).tolist():
        yield np.flatnonzero(part == number)


def _feet_of(visits: VisitArrays, which: Whole, own: Whole, ground: Ground) -> _Feet:
    """Return the boxes of visits as `boxes_of` spreads them, where `on_ground` has a place for them."""
    is_asked = np.zeros(len(visits.points), bool)
    is_asked[which] = True
    index = np.zeros(len(visits.points), np.int64)
    index[which] = np.arange(len(which))
    points = np.flatnonzero(is_asked[visits.of_point])
    boxes = own[points]
    ends = np.cumsum(boxes)
    number = np.arange(1, int(ends[-1]) + 1 if len(ends) else 1) - np.repeat(ends - boxes, boxes)
    point, boxes = np.repeat(points, boxes), np.repeat(boxes, boxes)
    is_end = number == boxes
    before = np.where(is_end, point, point - 1)
    part = number / boxes
    x, y = (
        np.where(is_end, to, at + (to - at) * part)
        for at, to in ((column[before] / 10, column[point] / 10) for column in (visits.x, visits.y))
    )
    start_ms, end_ms = visits.time_ms[before], visits.time_ms[point]
    time_ms = np.where(is_end, end_ms, start_ms + (end_ms - start_ms) * number // boxes)
    is_whole = ~_is_cut(visits, visits.of_point[point], x, y)
    visit, time_ms = index[visits.of_point[point[is_whole]]], time_ms[is_whole]
    whole = np.bincount(visit, minlength=len(which))
    kept, x_m, y_m, pixel_m2 = _on_ground(ground, x[is_whole], y[is_whole])
    visit, time_ms = visit[kept], time_ms[kept]
    every = np.arange(len(which))
    first, end = np.searchsorted(visit, every), np.searchsorted(visit, every, side="right")
    if not len(visit):
        nothing = np.zeros(len(which), np.int64)
        return _Feet(visit, visit, x_m, x_m, y_m, pixel_m2, whole, nothing, nothing)
    has = end > first
    begins_ms = np.where(has, time_ms[np.minimum(first, len(visit) - 1)], 0)
    passed_ms = np.where(has, time_ms[np.maximum(end - 1, 0)] - begins_ms, 0)
    return _Feet(
        visit,
        np.arange(len(visit)) - first[visit],
        (time_ms - begins_ms[visit]) / 1000,
        x_m,
        y_m,
        1 / pixel_m2,
        whole,
        end - first,
        passed_ms,
    )


def _is_cut(visits: VisitArrays, visit: Whole, x: Real, y: Real) -> Flags:
    """Return which boxes the picture's border may have cut, as `metres.speed` has it; one value per box."""
    first, last, count = visits.first, visits.last, len(visits.points)
    xs, ys, heights = visits.x / 10, visits.y / 10, visits.height / 10
    way_x, way_y = xs[last] - xs[first], ys[last] - ys[first]
    way_px = np.sqrt(way_x * way_x + way_y * way_y)
    between = np.bincount(visit, minlength=count)
    between_px = way_px
    ends = []
    for at_border, end in ((visits.began == _CAME_IN, first), (visits.ended == _WENT_OUT, last)):
        px = np.where(at_border, np.minimum(CUT_HEIGHTS * heights[end], MOST_CUT * way_px), 0.0)
        off_x, off_y = x - xs[end][visit], y - ys[end][visit]
        at_end = off_x * off_x + off_y * off_y < (px * px)[visit]
        boxes = np.bincount(visit[at_end], minlength=count)
        between, between_px = between - boxes, between_px - px
        ends.append((at_end, boxes, px))
    found = np.zeros(len(x), bool)
    for at_end, boxes, px in ends:
        found |= at_end & (boxes * between_px <= CUT_SLOWNESS * between * px)[visit]
    return found


def _on_ground(ground: Ground, x: Real, y: Real) -> tuple[Flags, Real, Real, Real]:
    """Return which pixels are on the ground and in reach; of these place and `pixel_m2`."""
    left, top, right, bottom = ground.reach_px
    a, b, c, d, e, f, g, h, i = ground.matrix
    w = g * x + h * y + i
    kept = (left <= x) & (x <= right) & (top <= y) & (y <= bottom) & (w > 0)
    x, y, w = x[kept], y[kept], w[kept]
    x_m, y_m = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    x_by_x, x_by_y = (a - x_m * g) / w, (b - x_m * h) / w
    y_by_x, y_by_y = (d - y_m * g) / w, (e - y_m * h) / w
    return kept, x_m, y_m, x_by_x * x_by_x + x_by_y * x_by_y + y_by_x * y_by_x + y_by_y * y_by_y


def _speeds(feet: _Feet, ground: Ground) -> Whole:
    found = np.zeros((len(feet.boxes), 3), np.int64)
    is_few, is_brief = feet.boxes < LEAST_BOXES, feet.passed_ms < LEAST_MS
    found[:, 2] = np.where(
        is_few,
        np.where(feet.whole >= LEAST_BOXES, _OUT_OF_REACH, _TOO_FEW),
        np.where(is_brief, _TOO_BRIEF, 0),
    )
    told = np.flatnonzero(~is_few & ~is_brief)
    if not len(told):
        return found
    sums = _Sums(feet, told)
    one, t, x, y = (column[sums.kept] for column in (feet.weight, feet.time_s, feet.x_m, feet.y_m))
    weight = sums.of(one)
    mean_t, mean_x, mean_y = (sums.of(one * values) / weight for values in (t, x, y))
    off_t = t - sums.each(mean_t)
    tt = sums.of(one * off_t * off_t)
    tx, ty = (sums.of(one * off_t * (at - sums.each(mean))) for at, mean in ((x, mean_x), (y, mean_y)))
    v_x, v_y = tx / tt, ty / tt
    off_x = x - sums.each(mean_x) - sums.each(v_x) * off_t
    off_y = y - sums.each(mean_y) - sums.each(v_y) * off_t
    squares = sums.of(one * (off_x * off_x + off_y * off_y))
    boxes = feet.boxes[told]
    time_s2 = 12 * tt / weight * (boxes - 1) / (boxes + 1)
    place_m2 = squares / weight * boxes / (boxes - 2) + HALF_PIXEL * HALF_PIXEL * boxes / weight
    squared = v_x * v_x + v_y * v_y
    way2 = squared * time_s2
    variance = 2 * place_m2 / time_s2 + squared * ground.scale_error * ground.scale_error
    missing = np.select(
        [
            (boxes - 1) * (boxes - 1) * MOST_M_PER_BOX * MOST_M_PER_BOX < way2,
            way2 < LEAST_WAY_ERRORS * LEAST_WAY_ERRORS * place_m2,
            ~(variance <= MOST_ERROR * MOST_ERROR * squared),
        ],
        [_TOO_FEW, _TOO_SHORT, _TOO_UNCERTAIN],
        0,
    )
    for column, of in enumerate((squared, variance)):
        bins = (3.6 * np.sqrt(of) * BINS_PER_KM_H + 0.5).astype(np.int64)
        found[told, column] = np.where(missing == 0, bins, 0)
    found[told, 2] = missing
    return found


class _Sums:
    """Sums over the boxes of each visit, in their order.

    Visits of about one length are columns of one table, which is added up row by row: `accumulate` is defined
    by that order, as other sums of numpy are not. Behind a visit's last box stand zeros.
    """

    def __init__(self, feet: _Feet, told: Whole) -> None:
        """Take the visits that are to be told; `kept` are their boxes."""
        is_told = np.zeros(len(feet.boxes), bool)
        is_told[told] = True
        self.kept = is_told[feet.visit]
        number = np.zeros(len(feet.boxes), np.int64)
        number[told] = np.arange(len(told))
        self._visit = number[feet.visit[self.kept]]
        self._visits = len(told)
        place = feet.place[self.kept]
        boxes = feet.boxes[told]
        size = np.ceil(np.log2(boxes)).astype(np.int64)
        self._tables = []
        for one in np.unique(size).tolist():
            members = np.flatnonzero(size == one)
            column = np.zeros(len(told), np.int64)
            column[members] = np.arange(len(members))
            at = np.flatnonzero(size[self._visit] == one)
            rows = int(boxes[members].max())
            self._tables.append((members, at, (place[at], column[self._visit[at]]), (rows, len(members))))

    def of(self, values: Real) -> Real:
        """Return the sums of values of boxes, one for each visit."""
        found = np.zeros(self._visits)
        for members, at, cells, shape in self._tables:
            table = np.zeros(shape)
            table[cells] = values[at]
            found[members] = np.add.accumulate(table, axis=0)[-1]
        return found

    def each(self, of_visits: Real) -> Real:
        """Return for each box the value of its visit."""
        return of_visits[self._visit]
