"""What is drawn on a day, ready to be asked of paths, and the rows of what single visits did there.

`frametally_traffic.flows` counts by them. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from frametally.rules.path_columns import PathColumns
from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.flows.day_columns import (
    CAME,
    CROSSINGS_MISSING,
    DIRECTIONS,
    WENT,
)
from frametally_traffic.flows.shapes import Calibrated, LineShape, Shapes, holds_at
from frametally_traffic.geometry.borders import Border
from frametally_traffic.geometry.crossings import Crossing
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath
from frametally_traffic.geometry.ground import FootPoint, Ground
from frametally_traffic.geometry.zones import PictureZone, Stay

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


def first_tracks(paths: PathColumns, tracks: Iterable[int] | None = None) -> Iterator[FirstTrack]:
    """Yield of each track what it says of a visit that begins with it, as `pieces_of` yields their paths."""
    columns = paths.columns
    for at in range(len(columns["hour"])) if tracks is None else tracks:
        seen_ms = paths.day_start_ms + columns["hour"][at] * HOUR_MS + columns["first_seen"][at]
        yield FirstTrack(paths.labels[columns["label"][at]], seen_ms, bool(columns["is_counted"][at]))


def feet_of(path: FootPath) -> list[FootPoint]:
    """Return a path's points in pixels, as metres are measured by."""
    points = zip(*path, strict=True)
    return [FootPoint(ms, x / 10, y / 10, height / 10, boxes) for ms, x, y, height, boxes in points]


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
