"""Counts a day's flows: what the objects of one source did at the lines and zones that are drawn over it.

A function of the paths of the day before, the day and the day after, as whole paths go over midnight; so a
visit is known a day back at least, and what lies further back is `from_start`. Standard library only: a
cluster's tasks run it. `frametally.flows` counts the same faster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from frametally.rules.flows.day_columns import (
    CAME,
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
    WENT,
    FlowColumns,
)
from frametally.rules.flows.shapes import Calibrated, LineShape, Shapes, ZoneShape, holds_at
from frametally.rules.geometry.borders import Border
from frametally.rules.geometry.crossings import Crossing, crossings_of
from frametally.rules.geometry.foot_paths import FollowedPath, FootPath, joined, pieces_of
from frametally.rules.geometry.movements import Movement, movement_of
from frametally.rules.geometry.zones import PictureZone, Stay, stays_of
from frametally.rules.metres.distribution import BINS_PER_KM_H
from frametally.rules.metres.ground import FootPoint, Ground
from frametally.rules.metres.speed import GroundSpeed, NotMeasured, speed_of_visit
from frametally.rules.path_columns import PathColumns
from frametally.rules.times import DAY_MS, HOUR_MS

Row = tuple[int, ...]


class FirstTrack(NamedTuple):
    """What a visit's first track says of it.

    Attributes:
        label: Of the visit.
        seen_ms: Event time of its first counted box.
        is_counted: Whether the visit begins with it: no hour before has it.
    """

    label: str
    seen_ms: int
    is_counted: bool


class FlowRows(NamedTuple):
    """What visits did, one row for each, as `day_columns` has its columns; labels are not numbers yet.

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


class Ways(NamedTuple):
    """Shapes that hold in some of a day, ready to be asked of paths; by name and time.

    Attributes:
        day_start_ms: Start of the UTC day.
        lines: Each with its border.
        zones: Each with its zone.
        grounds: Calibrations.
    """

    day_start_ms: int
    lines: list[tuple[LineShape, Border]]
    zones: list[tuple[ZoneShape, PictureZone]]
    grounds: tuple[Calibrated, ...]

    @classmethod
    def of(cls, shapes: Shapes, day_start_ms: int) -> Ways:
        """Take what holds on a day.

        Raises:
            ValueError: A line has all its points in one place, or a zone nothing within.
        """
        shapes = shapes.within(day_start_ms, day_start_ms + DAY_MS)
        return cls(
            day_start_ms,
            [(shape, Border(shape.points)) for shape in sorted(shapes.lines, key=_place)],
            [(shape, PictureZone(shape.points)) for shape in sorted(shapes.zones, key=_place)],
            shapes.grounds,
        )

    @property
    def line_names(self) -> tuple[str, ...]:
        """Names of the lines, each once, sorted."""
        return tuple(sorted({shape.name for shape, _ in self.lines}))

    @property
    def zone_names(self) -> tuple[str, ...]:
        """Names of the zones, likewise."""
        return tuple(sorted({shape.name for shape, _ in self.zones}))

    @property
    def leg_names(self) -> tuple[str, ...]:
        """Names of the lines that are legs, likewise."""
        return tuple(sorted({shape.name for shape, _ in self.lines if shape.inward}))

    def ground_at(self, time_ms: int) -> Ground | None:
        """Return the calibration that holds at an event time."""
        for ground in self.grounds:
            if holds_at(ground, time_ms):
                return Ground(ground.matrix, ground.reach_px, ground.scale_error)
        return None

    def asks_for_visits_at(self, time_ms: int) -> bool:
        """Return whether a leg or a calibration holds at an event time."""
        return self.ground_at(time_ms) is not None or any(
            shape.inward and holds_at(shape, time_ms) for shape, _ in self.lines
        )


def flows_of_day(
    files: Iterable[PathColumns], shapes: Shapes, *, model: str, source: str, day_start_ms: int
) -> FlowColumns:
    """Return what a source's objects did on a UTC day.

    Args:
        files: Paths of that source, of the day before, the day and the day after, as far as there are any; in
            any order.
        shapes: What is drawn over the source, of all times.
        model: Model id, of the detections.
        source: Slug.
        day_start_ms: Start of the day.

    Raises:
        ValueError: A line has all its points in one place, or a zone nothing within.
    """
    ways = Ways.of(shapes, day_start_ms)
    pieces: list[FollowedPath] = []
    firsts: dict[str, FirstTrack] = {}
    for paths in files:
        of_file = list(pieces_of(paths))
        pieces += of_file
        firsts |= {piece.ids[0]: first for piece, first in zip(of_file, first_tracks(paths), strict=True)}
    return columns_of(rows_of(joined(pieces), firsts, ways), ways, model=model, source=source)


def first_tracks(paths: PathColumns, tracks: Iterable[int] | None = None) -> Iterator[FirstTrack]:
    """Yield of each track what it says of a visit that begins with it, as `pieces_of` yields their paths."""
    columns = paths.columns
    for at in range(len(columns["hour"])) if tracks is None else tracks:
        seen_ms = paths.day_start_ms + columns["hour"][at] * HOUR_MS + columns["first_seen"][at]
        yield FirstTrack(paths.labels[columns["label"][at]], seen_ms, bool(columns["is_counted"][at]))


def rows_of(visits: Iterable[FollowedPath], firsts: dict[str, FirstTrack], ways: Ways) -> FlowRows:
    """Return what whole paths did on the day of `ways`, in their order.

    Args:
        visits: Whole paths.
        firsts: By id of the track; those of the paths' first tracks are looked at.
        ways: What is drawn.
    """
    found = FlowRows([], [], [], {})
    day_ms, end_ms = ways.day_start_ms, ways.day_start_ms + DAY_MS
    numbers = {name: index for index, name in enumerate(ways.line_names)}
    zone_numbers = {name: index for index, name in enumerate(ways.zone_names)}
    for visit in visits:
        # One that ends with the day before is still to be told of: zones book it as the day begins.
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
        crossings = [
            crossing_row(crossing, visit, numbers[shape.name], ids, day_ms)
            for shape, crossing in crossed
            if day_ms <= crossing.time_ms < end_ms
        ]
        stays = [
            stay_row(stay, zone_numbers[shape.name], ids, day_ms)
            for shape, zone in ways.zones
            for stay in stays_of(while_held(visit, shape), zone)
            # One that ends as the day begins is in the books of the day's first interval.
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


def speed_of(visit: FollowedPath, ground: Ground | None) -> GroundSpeed | NotMeasured | None:
    """Return the speed of a visit by its path; None where nothing is calibrated."""
    if ground is None:
        return None
    came_in, went_out = visit.began == "border", visit.ended == "border"
    return speed_of_visit(feet_of(visit.path), ground, came_in=came_in, went_out=went_out)


def feet_of(path: FootPath) -> list[FootPoint]:
    """Return a path's points in pixels, as metres are measured by."""
    points = zip(*path, strict=True)
    return [FootPoint(ms, x / 10, y / 10, height / 10, boxes) for ms, x, y, height, boxes in points]


def speed_row(speed: GroundSpeed | NotMeasured | None) -> tuple[int, int, int]:
    """Return a speed, or why there is none, as the last three of `VISIT_COLUMNS`; None: not calibrated."""
    if speed is None:
        return 0, 0, NO_CALIBRATION
    if isinstance(speed, GroundSpeed):
        return _bin(speed.speed_km_h), _bin(speed.error_km_h), 0
    return 0, 0, 1 + SPEEDS_MISSING.index(speed)


def _bin(km_h: float) -> int:
    return int(km_h * BINS_PER_KM_H + 0.5)


def _place(shape: LineShape | ZoneShape) -> tuple[str, bool, int]:
    return shape.name, shape.from_ms is not None, shape.from_ms or 0


def while_held(visit: FollowedPath, shape: LineShape | ZoneShape) -> FollowedPath:
    """Return a visit as a shape knows it: what lies before and behind its time is not its to tell."""
    from_ms = visit.from_ms if shape.from_ms is None else max(visit.from_ms, shape.from_ms)
    to_ms = visit.to_ms if shape.to_ms is None else min(visit.to_ms, shape.to_ms)
    return visit._replace(from_ms=from_ms, to_ms=to_ms)


def crossing_row(
    crossing: Crossing, visit: FollowedPath, line: int, ids: tuple[int, int], day_ms: int
) -> Row:
    """Return a crossing by `CROSSING_COLUMNS`, its label 0; `ids` are hour and number of its visit."""
    before_ms, after_ms = visit.path.time_ms[crossing.step : crossing.step + 2]
    return (
        crossing.time_ms - day_ms,
        line,
        0,
        DIRECTIONS.index(crossing.direction),
        1 + CROSSINGS_MISSING.index(crossing.missing) if crossing.missing else 0,
        crossing.time_ms - before_ms,
        after_ms - crossing.time_ms,
        *ids,
    )


def stay_row(stay: Stay, zone: int, ids: tuple[int, int], day_ms: int) -> Row:
    """Return a stay by `STAY_COLUMNS`; the rest is as of `crossing_row`."""
    ways = CAME.index(stay.came), WENT.index(stay.went)
    return (stay.from_ms - day_ms, stay.to_ms - day_ms, zone, 0, *ways, *ids)


def _visit_row(
    visit: FollowedPath,
    first: FirstTrack,
    crossed: Iterable[tuple[LineShape, Crossing]],
    ids: tuple[int, int],
    ways: Ways,
) -> Row | None:
    """Return a visit's row, None if it is not the day's to tell, or nobody asks."""
    if not ways.grounds and not ways.leg_names:
        return None
    day_ms = ways.day_start_ms
    # At one time no two legs have one name; over times they may, and may lead in either way.
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
        asked = movement == "unassigned" or ways.asks_for_visits_at(time_ms)
        if not (first.is_counted and asked):
            return None
    if not day_ms <= time_ms < day_ms + DAY_MS:
        return None
    speed = speed_row(speed_of(visit, ways.ground_at(time_ms)))
    return (time_ms - day_ms, *ids, 0, from_leg, to_leg, *way, *speed)
