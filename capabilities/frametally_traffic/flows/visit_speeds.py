"""Measures the speeds of many visits at once, and the length of a path on the ground, or why it is unknown.

A motion of constant velocity is fitted by least squares to a visit's boxes within reach, weighted by the
inverse of `pixel_m2`, because a distant pixel spans more metres. Boxes that the picture's border may truncate
are left out. The distance is that velocity times the duration of as many evenly spaced boxes with the same
variance in time. A place's squared error is the fit's mean squared residual (of 2n coordinates less the 4
fitted parameters) plus that of half a pixel. Errors of neighbouring boxes are correlated, so n of them count
as one: the speed's error combines a place's error at both ends and the error of the calibration's scale. On
weighted fits: Bevington & Robinson, Data Reduction and Error Analysis for the Physical Sciences, 3rd ed.,
chapter 6.

Floats are summed box by box, in order, with only + - * / and the square root, so results are bit-identical
everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from frametally.rules.path_columns import Began, Ended, code_of
from frametally_traffic.flows.day_columns import SPEEDS_MISSING
from frametally_traffic.flows.path_arrays import Flags, Real, VisitArrays, Whole
from frametally_traffic.geometry.foot_paths import FootPath
from frametally_traffic.geometry.speed import (
    BINS_PER_KM_H,
    CUT_HEIGHTS,
    CUT_SLOWNESS,
    HALF_PIXEL,
    LEAST_BOXES,
    LEAST_MS,
    LEAST_WAY_ERRORS,
    MOST_CUT,
    MOST_ERROR,
    MOST_M_PER_BOX,
    Ground,
    NotMeasured,
)

_CAME_IN, _WENT_OUT = code_of("border", Began), code_of("border", Ended)
_STEP_HEIGHTS = 0.2
"""Paths are off by up to a tenth of a box's height; an object that moves less than twice that stood still."""
_MOST_BOXES = 1 << 19
"""Boxes processed at once, at some hundred bytes each; a visit is never split."""
_OUT_OF_REACH, _TOO_FEW, _TOO_BRIEF, _TOO_SHORT, _TOO_UNCERTAIN = (
    1 + SPEEDS_MISSING.index(reason)
    for reason in ("out_of_reach", "too_few_boxes", "too_brief", "too_short", "too_uncertain")
)


class Way(NamedTuple):
    """The length of a path on the ground, with its standard error."""

    length_m: float
    error_m: float


class _Feet(NamedTuple):
    """Boxes within a calibration's reach; one value per box, by visit and time.

    `visit` is the index among the requested visits, `place` counts the visit's boxes from 0, and `weight` is
    the inverse of its `pixel_m2` (see `_on_ground`). `whole` (untruncated boxes, within reach or not),
    `boxes` (those within reach) and `passed_ms` (from the first to the last) have one value per visit.
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


def speed_rows(visits: VisitArrays, index: Whole, ground: Ground) -> Whole:
    """Return a row for each visit: the last three of `VISIT_COLUMNS`."""
    table = np.zeros((len(index), 3), np.int64)
    own = np.where(np.arange(len(visits.x)) == visits.first[visits.of_point], 1, np.maximum(visits.boxes, 1))
    boxes = np.add.reduceat(own, visits.first)[index] if len(index) else index
    for part in _parts(boxes):
        table[part] = _speeds(_feet_of(visits, index[part], own, ground), ground)
    return table


def _parts(boxes: Whole) -> Iterator[Whole]:
    """Yield the indexes of visits with these numbers of boxes, in parts of about `_MOST_BOXES` boxes."""
    part = np.cumsum(np.minimum(boxes, _MOST_BOXES)) // _MOST_BOXES
    for number in np.unique(part).tolist():
        yield np.flatnonzero(part == number)


def _feet_of(visits: VisitArrays, numbers: Whole, own: Whole, ground: Ground) -> _Feet:
    """Return the untruncated boxes of visits that have a place on the ground."""
    is_asked = np.zeros(len(visits.points), bool)
    is_asked[numbers] = True
    index = np.zeros(len(visits.points), np.int64)
    index[numbers] = np.arange(len(numbers))
    points = np.flatnonzero(is_asked[visits.of_point])
    point, time_ms, (x, y) = _boxes_of(points, own[points], visits.time_ms, (visits.x, visits.y))
    is_whole = ~_is_cut(visits, visits.of_point[point], x, y)
    visit, time_ms = index[visits.of_point[point[is_whole]]], time_ms[is_whole]
    whole = np.bincount(visit, minlength=len(numbers))
    keep, x_m, y_m, pixel_m2 = _on_ground(ground, x[is_whole], y[is_whole])
    visit, time_ms = visit[keep], time_ms[keep]
    every = np.arange(len(numbers))
    first, end = np.searchsorted(visit, every), np.searchsorted(visit, every, side="right")
    if not len(visit):
        nothing = np.zeros(len(numbers), np.int64)
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


def _boxes_of(
    points: Whole, boxes: Whole, time_ms: Whole, columns: Sequence[Whole]
) -> tuple[Whole, Whole, list[Real]]:
    """Return the point, the time and the values of `columns`, in pixels, of each box of paths.

    Boxes that a path leaves out are spread evenly over the time between two points. `boxes`: for each point,
    the number of boxes since the previous one, itself included; 1 for a path's first. `columns`: values at
    the points, in tenths of a pixel.
    """
    ends = np.cumsum(boxes)
    number = np.arange(1, int(ends[-1]) + 1 if len(ends) else 1) - np.repeat(ends - boxes, boxes)
    point, boxes = np.repeat(points, boxes), np.repeat(boxes, boxes)
    is_end = number == boxes
    before = np.where(is_end, point, point - 1)
    part = number / boxes
    values = [
        np.where(is_end, to, start + (to - start) * part)
        for start, to in ((column[before] / 10, column[point] / 10) for column in columns)
    ]
    start_ms, end_ms = time_ms[before], time_ms[point]
    return point, np.where(is_end, end_ms, start_ms + (end_ms - start_ms) * number // boxes), values


def way_of(path: FootPath, ground: Ground) -> Way | NotMeasured:
    """Return the length of a path along its bends, between its first and last point within reach.

    Steps shorter than `_STEP_HEIGHTS` are merged, so that a parked car whose box jitters does not move.
    """
    time_ms, *columns, boxes = (np.array(column, np.int64) for column in path)
    own = np.maximum(boxes, 1)
    own[:1] = 1
    is_held = _on_ground(ground, columns[0] / 10, columns[1] / 10)[0]
    held_ms = time_ms[is_held]
    if not len(held_ms):
        return "out_of_reach"
    _, box_ms, values = _boxes_of(np.arange(len(time_ms)), own, time_ms, columns)
    inside = (box_ms >= held_ms[0]) & (box_ms <= held_ms[-1])
    x, y, height = (value[inside] for value in values)
    is_held, x_m, y_m, pixel_m2 = _on_ground(ground, x, y)
    if len(x) < LEAST_BOXES:
        return "too_few_boxes"
    if not is_held.all():
        return "out_of_reach"
    feet = [0]
    for level, least in enumerate((_STEP_HEIGHTS * height).tolist()):
        off_x, off_y = x[level] - x[feet[-1]], y[level] - y[feet[-1]]
        if off_x * off_x + off_y * off_y >= least * least:
            feet.append(level)
    if len(feet) > 1:
        feet.append(len(x) - 1)
    steps = np.sqrt(np.diff(x_m[feet]) ** 2 + np.diff(y_m[feet]) ** 2)
    length_m = float(np.add.accumulate(steps)[-1]) if len(steps) else 0.0
    squared = length_m * length_m
    ends_m2 = HALF_PIXEL * HALF_PIXEL * float(pixel_m2[feet[0]] + pixel_m2[feet[-1]])
    if (len(x) - 1) * MOST_M_PER_BOX < length_m:
        return "too_few_boxes"
    if squared < LEAST_WAY_ERRORS * LEAST_WAY_ERRORS * ends_m2 or not squared:
        return "too_short"
    variance_m2 = ends_m2 + squared * ground.scale_error * ground.scale_error
    is_sure = variance_m2 <= MOST_ERROR * MOST_ERROR * squared
    return Way(length_m, sqrt(variance_m2)) if is_sure else "too_uncertain"


def _is_cut(visits: VisitArrays, visit: Whole, x: Real, y: Real) -> Flags:
    """Return which boxes the picture's border may truncate (`CUT_HEIGHTS`); one value per box."""
    first, last, count = visits.first, visits.last, len(visits.points)
    xs, ys, heights = visits.x / 10, visits.y / 10, visits.height / 10
    way_x, way_y = xs[last] - xs[first], ys[last] - ys[first]
    way_px = np.sqrt(way_x * way_x + way_y * way_y)
    between_boxes = np.bincount(visit, minlength=count)
    between_px = way_px
    ends = []
    for at_border, end in ((visits.began == _CAME_IN, first), (visits.ended == _WENT_OUT, last)):
        px = np.where(at_border, np.minimum(CUT_HEIGHTS * heights[end], MOST_CUT * way_px), 0.0)
        off_x, off_y = x - xs[end][visit], y - ys[end][visit]
        at_end = off_x * off_x + off_y * off_y < (px * px)[visit]
        boxes = np.bincount(visit[at_end], minlength=count)
        between_boxes, between_px = between_boxes - boxes, between_px - px
        ends.append((at_end, boxes, px))
    is_cut = np.zeros(len(x), bool)
    for at_end, boxes, px in ends:
        is_cut |= at_end & (boxes * between_px <= CUT_SLOWNESS * between_boxes * px)[visit]
    return is_cut


def _on_ground(ground: Ground, x: Real, y: Real) -> tuple[Flags, Real, Real, Real]:
    """Return which pixels are on the ground and in reach, and the place and `pixel_m2` of those.

    `pixel_m2` is the squared error of the place in square metres if the foot point is a pixel off in x and in
    y: the sum of the squared partial derivatives of the place by the pixel.
    """
    left, top, right, bottom = ground.reach_px
    a, b, c, d, e, f, g, h, i = ground.matrix
    w = g * x + h * y + i
    keep = (left <= x) & (x <= right) & (top <= y) & (y <= bottom) & (w > 0)
    x, y, w = x[keep], y[keep], w[keep]
    x_m, y_m = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    x_by_x, x_by_y = (a - x_m * g) / w, (b - x_m * h) / w
    y_by_x, y_by_y = (d - y_m * g) / w, (e - y_m * h) / w
    return keep, x_m, y_m, x_by_x * x_by_x + x_by_y * x_by_y + y_by_x * y_by_x + y_by_y * y_by_y


def _speeds(feet: _Feet, ground: Ground) -> Whole:
    table = np.zeros((len(feet.boxes), 3), np.int64)
    is_few, is_brief = feet.boxes < LEAST_BOXES, feet.passed_ms < LEAST_MS
    table[:, 2] = np.where(
        is_few,
        np.where(feet.whole >= LEAST_BOXES, _OUT_OF_REACH, _TOO_FEW),
        np.where(is_brief, _TOO_BRIEF, 0),
    )
    index = np.flatnonzero(~is_few & ~is_brief)
    if not len(index):
        return table
    sums = _Sums(feet, index)
    weights, t, x, y = (column[sums.kept] for column in (feet.weight, feet.time_s, feet.x_m, feet.y_m))
    weight = sums.total(weights)
    mean_t, mean_x, mean_y = (sums.total(weights * values) / weight for values in (t, x, y))
    off_t = t - sums.spread(mean_t)
    tt = sums.total(weights * off_t * off_t)
    tx, ty = (
        sums.total(weights * off_t * (axis - sums.spread(mean))) for axis, mean in ((x, mean_x), (y, mean_y))
    )
    v_x, v_y = tx / tt, ty / tt
    off_x = x - sums.spread(mean_x) - sums.spread(v_x) * off_t
    off_y = y - sums.spread(mean_y) - sums.spread(v_y) * off_t
    squares = sums.total(weights * (off_x * off_x + off_y * off_y))
    boxes = feet.boxes[index]
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
    for column, quantity in enumerate((squared, variance)):
        bins = (3.6 * np.sqrt(quantity) * BINS_PER_KM_H + 0.5).astype(np.int64)
        table[index, column] = np.where(missing == 0, bins, 0)
    table[index, 2] = missing
    return table


class _Sums:
    """Sums over the boxes of each visit, in their order.

    Visits of similar length are columns of one table, which is summed row by row: `accumulate` guarantees
    that order; other numpy sums do not. Zeros follow a visit's last box.
    """

    def __init__(self, feet: _Feet, index: Whole) -> None:
        """Prepare the visits to measure; `kept` are their boxes."""
        is_told = np.zeros(len(feet.boxes), bool)
        is_told[index] = True
        self.kept = is_told[feet.visit]
        number = np.zeros(len(feet.boxes), np.int64)
        number[index] = np.arange(len(index))
        self._visit = number[feet.visit[self.kept]]
        self._visits = len(index)
        place = feet.place[self.kept]
        boxes = feet.boxes[index]
        size = np.ceil(np.log2(boxes)).astype(np.int64)
        self._tables = []
        for group_size in np.unique(size).tolist():
            members = np.flatnonzero(size == group_size)
            column = np.zeros(len(index), np.int64)
            column[members] = np.arange(len(members))
            box_index = np.flatnonzero(size[self._visit] == group_size)
            rows = int(boxes[members].max())
            self._tables.append(
                (members, box_index, (place[box_index], column[self._visit[box_index]]), (rows, len(members)))
            )

    def total(self, values: Real) -> Real:
        """Return the sum of the boxes' values for each visit."""
        totals = np.zeros(self._visits)
        for members, box_index, cells, shape in self._tables:
            table = np.zeros(shape)
            table[cells] = values[box_index]
            totals[members] = np.add.accumulate(table, axis=0)[-1]
        return totals

    def spread(self, of_visits: Real) -> Real:
        """Return the value of each box's visit."""
        return of_visits[self._visit]
