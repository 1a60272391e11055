"""A day's flows, visit by visit: the oracle of `frametally_traffic.flows`, which counts them at once.

Plain Python: whole numbers, and floats in a fixed order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from frametally.rules.known import TRACK_GAP_MS
from frametally.rules.path_columns import UNSEEN_MS, PathColumns
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.flows.day_columns import (
    CROSSING_COLUMNS,
    CROSSING_ORDER,
    CROSSINGS_MISSING,
    DIRECTIONS,
    NO_CALIBRATION,
    NO_MOVEMENTS,
    SPEEDS_MISSING,
    STAY_COLUMNS,
    STAY_ORDER,
    VISIT_COLUMNS,
    VISIT_ORDER,
    FlowColumns,
    NoMovement,
)
from frametally_traffic.flows.shapes import (
    FirstTrack,
    LineShape,
    Row,
    Shapes,
    Ways,
    crossing_row,
    first_tracks,
    holds_at,
    stay_row,
    while_held,
)
from frametally_traffic.geometry.crossings import Crossing, Direction, crossings_of
from frametally_traffic.geometry.cut_paths import CutEnd, End, with_pairs
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath, joined, pieces_of
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
    SpeedDistribution,
)
from frametally_traffic.geometry.zones import Stay, ZoneCounts, stays_of


class FlowRows(NamedTuple):
    """The events of visits, one row for each, in the columns of `day_columns`; labels are not numbers yet.

    Attributes:
        crossings: By `CROSSING_COLUMNS`.
        stays: By `STAY_COLUMNS`.
        visits: By `VISIT_COLUMNS`.
        labels: By hour and number of a visit's first track.
    """

    crossings: list[Row]
    stays: list[Row]
    visits: list[Row]
    labels: dict[tuple[int, int], str]


class Movement(NamedTuple):
    """A visit that entered over one leg and left over another, or over the same if it turned.

    Attributes:
        from_leg: Name of the leg's line.
        to_leg: Likewise.
        came: The crossing into the junction.
        went: The crossing out of it, later.
    """

    from_leg: str
    to_leg: str
    came: Crossing
    went: Crossing


class FootPoint(NamedTuple):
    """A point of a path, in pixels; `rules.path_columns` keeps them in tenths.

    Attributes:
        time_ms: When.
        x: Middle of the box's lower side.
        y: Of the same point.
        height: Of the box.
        boxes: How many boxes there are since the point before, this one included.
    """

    time_ms: int
    x: float
    y: float
    height: float
    boxes: int


class PlacedFoot(NamedTuple):
    """A foot point on the ground.

    Attributes:
        time_ms: When.
        x_m: Where; axes as the calibration's points have them.
        y_m: Likewise.
        pixel_m2: Square metres by which the place is off where the foot point is a pixel off, in x and in y.
    """

    time_ms: float
    x_m: float
    y_m: float
    pixel_m2: float


class GroundSpeed(NamedTuple):
    """A speed.

    Attributes:
        squared_m2_s2: Its square, in (m/s)².
        variance_m2_s2: The square of its standard error.
    """

    squared_m2_s2: float
    variance_m2_s2: float

    @property
    def speed_km_h(self) -> float:
        """The speed."""
        return 3.6 * sqrt(self.squared_m2_s2)

    @property
    def error_km_h(self) -> float:
        """Its standard error."""
        return 3.6 * sqrt(self.variance_m2_s2)


def ground_at(ways: Ways, time_ms: int) -> Ground | None:
    """Return the calibration that holds at an event time."""
    return next((ground for ground in ways.grounds if holds_at(ground, time_ms)), None)


def asks_for_visits_at(ways: Ways, time_ms: int) -> bool:
    """Return whether a leg or a calibration holds at an event time."""
    return ground_at(ways, time_ms) is not None or any(
        shape.inward and holds_at(shape, time_ms) for shape, _ in ways.lines
    )


def flows_of_day(
    files: Iterable[PathColumns], shapes: Shapes, *, model: str, source: str, day_start_ms: int
) -> FlowColumns:
    """Return the events of a source's objects on a UTC day.

    Args:
        files: Paths of that source, of the day before, the day and the day after, as far as there are any; in
            any order.
        shapes: The drawings over the source, of all times.
        model: Model id, of the detections.
        source: Slug.
        day_start_ms: Start of the day.

    Raises:
        ValueError: A line has all its points in one place, or a zone nothing within.
    """
    ways = Ways.from_shapes(shapes, day_start_ms)
    pieces: list[FollowedPath] = []
    firsts: dict[str, FirstTrack] = {}
    for paths in files:
        of_file = list(pieces_of(paths))
        pieces += of_file
        firsts |= {piece.ids[0]: first for piece, first in zip(of_file, first_tracks(paths), strict=True)}
    return columns_of(rows_of(joined(pieces), firsts, ways), ways, model=model, source=source)


def rows_of(visits: Iterable[FollowedPath], firsts: dict[str, FirstTrack], ways: Ways) -> FlowRows:
    """Return the events of whole paths on the day of `ways`, in their order.

    Args:
        visits: Whole paths.
        firsts: By id of the track; only the paths' first tracks matter.
        ways: The drawings.
    """
    found = FlowRows([], [], [], {})
    day_ms, end_ms = ways.day_start_ms, ways.day_start_ms + DAY_MS
    numbers = {name: index for index, name in enumerate(ways.line_names)}
    zone_numbers = {name: index for index, name in enumerate(ways.zone_names)}
    visits = [*visits]
    cuts: defaultdict[int, list[CutEnd]] = defaultdict(list)
    for cut in cut_ends_of(visits, ways):
        cuts[cut.visit].append(cut)
    for visit_number, visit in enumerate(visits):
        # A path that ends with the day before is still reported: zones book its end as the day begins.
        if visit.to_ms < day_ms or visit.from_ms >= end_ms:
            continue
        first = firsts[visit.ids[0]]
        hour_ms, _, number = visit.ids[0].rpartition("-")
        ids = (int(hour_ms) - day_ms) // HOUR_MS, int(number)
        crossed = [
            (shape, crossing)
            for shape, border in ways.lines
            for crossing in crossings_of(while_held(visit, shape), border)
        ]
        beyond = [
            (shape, Crossing(cut.time_ms, "to_right" if side > 0 else "to_left", 0, "cut_path"))
            for shape, border in ways.lines
            for cut in cuts[visit_number]
            if (side := cut.crossed(border)) and holds_at(shape, cut.time_ms)
        ]
        crossings = [
            (*crossing_row(crossing, visit, numbers[shape.name], day_ms)[:-2], *ids)
            for shape, crossing in crossed
            if day_ms <= crossing.time_ms < end_ms
        ]
        missing = 1 + CROSSINGS_MISSING.index("cut_path")
        crossings += [
            (
                *(crossing.time_ms - day_ms, numbers[shape.name], 0),
                *(DIRECTIONS.index(crossing.direction), missing, 0, 0, *ids),
            )
            for shape, crossing in beyond
        ]
        crossed += beyond
        stays = [
            (*stay_row(stay, zone_numbers[shape.name], day_ms)[:-2], *ids)
            for shape, zone in ways.zones
            for stay in stays_of(while_held(visit, shape), zone)
            # A path that ends as the day begins is in the books of the day's first interval.
            if stay.to_ms >= day_ms and stay.from_ms < end_ms
        ]
        row = _visit_row(visit, first, crossed, ids, ways)
        if crossings or stays or row:
            found.labels[ids] = first.label
            found.crossings.extend(crossings)
            found.stays.extend(stays)
            found.visits.extend([row] if row else [])
    return found


def columns_of(rows: FlowRows, ways: Ways, *, model: str, source: str) -> FlowColumns:
    """Return rows as columns, in their order and with their labels as numbers."""
    labels = tuple(sorted(set(rows.labels.values())))
    index_of = {ids: labels.index(label) for ids, label in rows.labels.items()}
    columns: dict[str, Sequence[int]] = {}
    for names, of_kind, order in (
        (CROSSING_COLUMNS, rows.crossings, CROSSING_ORDER),
        (STAY_COLUMNS, rows.stays, STAY_ORDER),
        (VISIT_COLUMNS, rows.visits, VISIT_ORDER),
    ):
        kind = names[0].partition("_")[0]
        hour, number, label = (names.index(f"{kind}_{name}") for name in ("hour", "number", "label"))
        by = [names.index(f"{kind}_{name}") for name in order]
        labelled = [(*row[:label], index_of[row[hour], row[number]], *row[label + 1 :]) for row in of_kind]
        ordered = sorted((tuple(row[at] for at in by), row) for row in labelled)
        values = zip(*(row for _, row in ordered), strict=True) if ordered else [()] * len(names)
        columns |= dict(zip(names, values, strict=True))
    return FlowColumns(
        model, source, ways.day_start_ms, labels, ways.line_names, ways.leg_names, ways.zone_names, columns
    )


def movement_of(
    crossings: Mapping[str, Iterable[Crossing]], inward: Mapping[str, Direction]
) -> Movement | NoMovement:
    """Return the one movement of a visit: of its pairs of a way in and a later way out, that furthest apart.

    So it came by its first crossing in, and went by its last one out; of several at one time the leg whose
    name comes first is taken. Crossings that are not measured make no pair, but show that it was at a leg.

    Args:
        crossings: Of the visit, by name of the leg's line.
        inward: Of each leg, the direction of who comes into the junction.
    """
    ways_in: list[tuple[int, str, Crossing]] = []
    ways_out: list[tuple[int, str, Crossing]] = []
    is_at_leg = False
    for leg in crossings:
        for crossing in crossings[leg]:
            is_at_leg = True
            if crossing.missing is None:
                if crossing.direction == inward[leg]:
                    ways_in.append((crossing.time_ms, leg, crossing))
                else:
                    ways_out.append((-crossing.time_ms, leg, crossing))
    if ways_in and ways_out:
        _, from_leg, came = min(ways_in)
        _, to_leg, went = min(ways_out)
        if came.time_ms < went.time_ms:
            return Movement(from_leg, to_leg, came, went)
    return "unassigned" if is_at_leg else "never_at_a_leg"


def speed_of(visit: FollowedPath, ground: Ground | None) -> GroundSpeed | NotMeasured | None:
    """Return the speed of a visit by its path; None without a calibration."""
    if ground is None:
        return None
    came_in, went_out = visit.began == "border", visit.ended == "border"
    return speed_of_visit(feet_of(visit.path), ground, came_in=came_in, went_out=went_out)


def speed_row(speed: GroundSpeed | NotMeasured | None) -> tuple[int, int, int]:
    """Return a speed, or why there is none, as the last three of `VISIT_COLUMNS`; None if not calibrated."""
    if speed is None:
        return 0, 0, NO_CALIBRATION
    if isinstance(speed, GroundSpeed):
        return _bin(speed.speed_km_h), _bin(speed.error_km_h), 0
    return 0, 0, 1 + SPEEDS_MISSING.index(speed)


def _bin(km_h: float) -> int:
    return int(km_h * BINS_PER_KM_H + 0.5)


def cut_end(visit: int, path: FootPath, end: End, way_ms: int, *, at_border: bool) -> CutEnd | None:
    """Return the end of a path that was split there; None if it stood still, or its motion is unknown."""
    last = len(path.x) - 1 if end == "last" else 0
    step = -1 if end == "last" else 1
    before = last
    while 0 <= before + step < len(path.x) and abs(path.time_ms[before] - path.time_ms[last]) < UNSEEN_MS:
        before += step
    passed_ms = abs(path.time_ms[last] - path.time_ms[before])
    if not passed_ms:
        return None
    dx, dy = path.x[last] - path.x[before], path.y[last] - path.y[before]
    part = way_ms / passed_ms
    if at_border:
        part = min(part, path.height[last] / max(sqrt(dx * dx + dy * dy), 1))
    to_x, to_y = path.x[last] + round(dx * part), path.y[last] + round(dy * part)
    if (to_x, to_y) == (path.x[last], path.y[last]):
        return None
    return CutEnd(
        visit,
        end,
        path.time_ms[last],
        path.x[last],
        path.y[last],
        to_x,
        to_y,
        way_ms,
        path.height[last],
        not at_border,
    )


def cut_ends_of(visits: Sequence[FollowedPath], ways: Ways) -> list[CutEnd]:
    """Return the ends of visits that were split on the day."""
    cuts = []
    day_ms = ways.day_start_ms
    filmed_ms = [ms for visit in visits for ms in visit.path.time_ms if day_ms <= ms < day_ms + DAY_MS]
    for number, visit in enumerate(visits):
        ends: list[tuple[End, str]] = [("first", visit.began), ("last", visit.ended)]
        for end, way in ends:
            at_ms = visit.path.time_ms[0 if end == "first" else -1]
            if way == "hour" or not day_ms <= at_ms < day_ms + DAY_MS:
                continue
            way_ms = TRACK_GAP_MS
            if way in ("footage", "gap"):
                off_ms = [at_ms - ms if end == "first" else ms - at_ms for ms in filmed_ms]
                way_ms = max(ms for ms in off_ms if ms <= TRACK_GAP_MS)
            cuts.append(cut_end(number, visit.path, end, way_ms, at_border=way == "border"))
    return with_pairs([cut for cut in cuts if cut is not None])


def _visit_row(
    visit: FollowedPath,
    first: FirstTrack,
    crossed: Iterable[tuple[LineShape, Crossing]],
    ids: tuple[int, int],
    ways: Ways,
) -> Row | None:
    """Return a visit's row, or None if it belongs to another day or is not needed."""
    if not ways.grounds and not ways.leg_names:
        return None
    day_ms = ways.day_start_ms
    # At one time no two legs have the same name; over time they may, and may point in either direction.
    legs = {f"{number:04}": shape for number, (shape, _) in enumerate(ways.lines) if shape.inward}
    at_legs: defaultdict[str, list[Crossing]] = defaultdict(list)
    for key, leg in legs.items():
        at_legs[key] += [crossing for shape, crossing in crossed if shape is leg]
    movement = movement_of(at_legs, {key: leg.inward for key, leg in legs.items() if leg.inward})
    if isinstance(movement, Movement):
        time_ms = movement.came.time_ms
        from_leg, to_leg = (
            ways.line_names.index(legs[key].name) for key in (movement.from_leg, movement.to_leg)
        )
        way = (0, movement.came.time_ms - day_ms, movement.went.time_ms - day_ms)
    else:
        time_ms = first.seen_ms
        from_leg = to_leg = 0
        way = (1 + NO_MOVEMENTS.index(movement), 0, 0)
        asked = movement == "unassigned" or asks_for_visits_at(ways, time_ms)
        if not (first.is_counted and asked):
            return None
    if not day_ms <= time_ms < day_ms + DAY_MS:
        return None
    speed = speed_row(speed_of(visit, ground_at(ways, time_ms)))
    return (time_ms - day_ms, *ids, 0, from_leg, to_leg, *way, *speed)


def speed_of_visit(
    path: Sequence[FootPoint], ground: Ground, *, came_in: bool = False, went_out: bool = False
) -> GroundSpeed | NotMeasured:
    """Return the speed over the ground of a visit, from all its boxes within reach.

    If it `came_in` or `went_out` at the picture's border, without those that the border may have cut.

    A motion of constant velocity is fitted to them by least squares; each weighs by the inverse of
    `pixel_m2`: far away a pixel is more metres. The way is that velocity over the time of as many boxes,
    spread evenly, as have their variance in time. A place's squared error is the fit's mean squared residual
    (of 2n coordinates, less the 4 that were fitted) and that of half a pixel. Neighbouring boxes err alike,
    so n of them are no surer than one: the speed's error is that of two ends, each off by a place's error,
    and that of the calibration's scale. How weighted lines are fitted: Bevington & Robinson, Data Reduction
    and Error Analysis for the Physical Sciences, 3rd ed., chapter 6.
    """
    whole = _whole_boxes(path, came_in=came_in, went_out=went_out)
    feet = [foot for box in whole if (foot := _foot(box, ground)) is not None]
    boxes = len(feet)
    if boxes < LEAST_BOXES:
        return "out_of_reach" if len(whole) >= LEAST_BOXES else "too_few_boxes"
    if feet[-1].time_ms - feet[0].time_ms < LEAST_MS:
        return "too_brief"
    start_ms = feet[0].time_ms
    weight = by_t = by_x = by_y = 0.0
    weighted = [(1 / foot.pixel_m2, (foot.time_ms - start_ms) / 1000, foot.x_m, foot.y_m) for foot in feet]
    for one, t, x, y in weighted:
        weight += one
        by_t += one * t
        by_x += one * x
        by_y += one * y
    mean_t, mean_x, mean_y = by_t / weight, by_x / weight, by_y / weight
    tt = tx = ty = 0.0
    for one, t, x, y in weighted:
        tt += one * (t - mean_t) * (t - mean_t)
        tx += one * (t - mean_t) * (x - mean_x)
        ty += one * (t - mean_t) * (y - mean_y)
    v_x, v_y = tx / tt, ty / tt
    squares = 0.0
    for one, t, x, y in weighted:
        off_x, off_y = x - mean_x - v_x * (t - mean_t), y - mean_y - v_y * (t - mean_t)
        squares += one * (off_x * off_x + off_y * off_y)
    time_s2 = 12 * tt / weight * (boxes - 1) / (boxes + 1)
    place_m2 = squares / weight * boxes / (boxes - 2) + HALF_PIXEL * HALF_PIXEL * boxes / weight
    squared = v_x * v_x + v_y * v_y
    if (boxes - 1) * (boxes - 1) * MOST_M_PER_BOX * MOST_M_PER_BOX < squared * time_s2:
        return "too_few_boxes"
    if squared * time_s2 < LEAST_WAY_ERRORS * LEAST_WAY_ERRORS * place_m2:
        return "too_short"
    variance = 2 * place_m2 / time_s2 + squared * ground.scale_error * ground.scale_error
    return (
        GroundSpeed(squared, variance) if variance <= MOST_ERROR * MOST_ERROR * squared else "too_uncertain"
    )


def _whole_boxes(path: Sequence[FootPoint], *, came_in: bool, went_out: bool) -> list[FootPoint]:
    """Return the boxes of a path without those that the picture's border may have clipped (`CUT_HEIGHTS`)."""
    boxes = [*boxes_of(path)]
    if not boxes or not (came_in or went_out):
        return boxes
    first, last = path[0], path[-1]
    way_x, way_y = last.x - first.x, last.y - first.y
    way_px = sqrt(way_x * way_x + way_y * way_y)
    first_px, last_px = (
        min(CUT_HEIGHTS * end.height, MOST_CUT * way_px) if is_at_border else 0.0
        for end, is_at_border in ((first, came_in), (last, went_out))
    )
    at_first, at_last = (
        [(box.x - end.x) * (box.x - end.x) + (box.y - end.y) * (box.y - end.y) < px * px for box in boxes]
        for end, px in ((first, first_px), (last, last_px))
    )
    between = len(boxes) - sum(at_first) - sum(at_last)
    between_px = way_px - first_px - last_px
    leaves_first, leaves_last = (
        sum(at_end) * between_px <= CUT_SLOWNESS * between * px
        for at_end, px in ((at_first, first_px), (at_last, last_px))
    )
    return [
        box
        for box, is_first, is_last in zip(boxes, at_first, at_last, strict=True)
        if not ((is_first and leaves_first) or (is_last and leaves_last))
    ]


def speeds_of(visits: Mapping[str, GroundSpeed]) -> SpeedDistribution:
    """Return the distribution of visits, each by its id: repeated ones count once."""
    bins = Counter(int(speed.speed_km_h * BINS_PER_KM_H + 0.5) for speed in visits.values())
    squared_errors = sum(
        int(speed.variance_m2_s2 * (3.6 * BINS_PER_KM_H) * (3.6 * BINS_PER_KM_H) + 0.5)
        for speed in visits.values()
    )
    return SpeedDistribution(tuple(sorted(bins.items())), squared_errors)


def _foot(point: FootPoint, ground: Ground) -> PlacedFoot | None:
    place = on_ground(ground, point.x, point.y)
    return place and PlacedFoot(point.time_ms, *place)


def on_ground(ground: Ground, x: float, y: float) -> tuple[float, float, float] | None:
    """Return `x_m, y_m, pixel_m2` of a pixel, as in `PlacedFoot`; None if out of reach, or not on the ground.

    `pixel_m2` is the sum of the squared partial derivatives of the place by the pixel.
    """
    left, top, right, bottom = ground.reach_px
    if not (left <= x <= right and top <= y <= bottom):
        return None
    a, b, c, d, e, f, g, h, i = ground.matrix
    w = g * x + h * y + i
    if w <= 0:
        return None
    x_m, y_m = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    x_by_x, x_by_y = (a - x_m * g) / w, (b - x_m * h) / w
    y_by_x, y_by_y = (d - y_m * g) / w, (e - y_m * h) / w
    return x_m, y_m, x_by_x * x_by_x + x_by_y * x_by_y + y_by_x * y_by_x + y_by_y * y_by_y


def boxes_of(path: Sequence[FootPoint]) -> Iterator[FootPoint]:
    """Yield a foot point for each box of a path, with omitted ones interpolated.

    They are spread evenly over the time between two points; each is one box. A box that two hours share is
    repeated as often as the path has it.
    """
    yield from (point._replace(boxes=1) for point in path[:1])
    for start, end in pairwise(path):
        for number in range(1, end.boxes):
            part = number / end.boxes
            yield FootPoint(
                start.time_ms + (end.time_ms - start.time_ms) * number // end.boxes,
                start.x + (end.x - start.x) * part,
                start.y + (end.y - start.y) * part,
                start.height + (end.height - start.height) * part,
                1,
            )
        yield end._replace(boxes=1)


def feet_of(path: FootPath) -> list[FootPoint]:
    """Return a path's points in pixels, as metres are measured by."""
    points = zip(*path, strict=True)
    return [FootPoint(ms, x / 10, y / 10, height / 10, boxes) for ms, x, y, height, boxes in points]


def count_stays(stays: Iterable[tuple[Hashable, Stay]], interval_ms: int) -> dict[int, ZoneCounts]:
    """Return the events in one zone by start of the interval, for intervals with events or occupants.

    Args:
        stays: Each with its object's id, in any order; repeated ones count once.
        interval_ms: Intervals are whole multiples of it, and include events at their start.
    """
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    moves: Counter[int] = Counter()
    for _, stay in set(stays):
        found[stay.from_ms // interval_ms][stay.came] += 1
        found[stay.to_ms // interval_ms][stay.went] += 1
        for number, first_ms, last_ms in _parts(stay.from_ms, stay.to_ms, interval_ms):
            found[number]["occupied_ms"] += last_ms - first_ms
            if stay.from_ms < number * interval_ms:
                found[number]["at_start"] += 1
        if stay.from_ms < stay.to_ms and stay.to_ms % interval_ms == 0:
            found[stay.to_ms // interval_ms]["at_start"] += 1
        moves[stay.from_ms] += 1
        moves[stay.to_ms] -= 1
    there, since_ms = 0, 0
    for time_ms in sorted(moves):
        if there:
            for number, _, _ in _parts(since_ms, time_ms, interval_ms):
                found[number]["peak"] = max(found[number]["peak"], there)
        there, since_ms = there + moves[time_ms], time_ms
    return {number * interval_ms: ZoneCounts(**found[number]) for number in sorted(found)}


def _parts(from_ms: int, to_ms: int, interval_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yield the intervals that a time span touches: number, start and end."""
    for number in range(from_ms // interval_ms, (to_ms - 1) // interval_ms + 1):
        yield (number, max(from_ms, number * interval_ms), min(to_ms, (number + 1) * interval_ms))
