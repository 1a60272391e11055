"""Drawings in the form for counting: whole tenths of a pixel of stored frames.

`frametally_traffic.drawings` makes it of the stored drawing. Standard library only: tasks use it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from frametally.rules.path_columns import PathColumns
from frametally.rules.places import Corners, ZoneShape
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.flows.day_columns import CAME, CROSSINGS_MISSING, DIRECTIONS, WENT
from frametally_traffic.geometry.crossings import Border, Crossing, Direction
from frametally_traffic.geometry.foot_paths import FollowedPath
from frametally_traffic.geometry.speed import Ground
from frametally_traffic.geometry.zones import PictureZone, Stay


class LineShape(NamedTuple):
    """A line that is crossed; other fields as `ZoneShape` has them.

    Attributes:
        inward: Of a leg of a junction, the direction into it; None: not a leg.
    """

    name: str
    points: Corners
    inward: Direction | None = None
    from_ms: int | None = None
    to_ms: int | None = None


class Shapes(NamedTuple):
    """All shapes of one source."""

    lines: tuple[LineShape, ...] = ()
    zones: tuple[ZoneShape, ...] = ()
    grounds: tuple[Ground, ...] = ()

    def between(self, from_ms: int, to_ms: int) -> Shapes:
        """Return the shapes that are valid in some of `[from_ms, to_ms)`."""
        return Shapes(
            tuple(_holding(self.lines, from_ms, to_ms)),
            tuple(_holding(self.zones, from_ms, to_ms)),
            tuple(_holding(self.grounds, from_ms, to_ms)),
        )

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":"))

    def digest(self) -> str:
        """Return 16 hex over all of it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]


ShapeT = TypeVar("ShapeT", LineShape, ZoneShape, Ground)


def parse_shapes(text: str) -> Shapes:
    """Read what `Shapes.to_json` has written."""
    lines, zones, grounds = json.loads(text)
    return Shapes(
        tuple(LineShape(name, _corners(points), *rest) for name, points, *rest in lines),
        tuple(ZoneShape(name, _corners(points), *rest) for name, points, *rest in zones),
        tuple(Ground(tuple(matrix), tuple(reach), *rest) for matrix, reach, *rest in grounds),
    )


def holds_at(shape: LineShape | ZoneShape | Ground, time_ms: int) -> bool:
    """Return whether a shape holds at an event time."""
    return (shape.from_ms is None or shape.from_ms <= time_ms) and (
        shape.to_ms is None or time_ms < shape.to_ms
    )


def _holding(shapes: Iterable[ShapeT], from_ms: int, to_ms: int) -> Iterable[ShapeT]:
    for shape in shapes:
        if (shape.from_ms is None or shape.from_ms < to_ms) and (
            shape.to_ms is None or shape.to_ms > from_ms
        ):
            yield shape


def _corners(points: Iterable[Iterable[int]]) -> Corners:
    return tuple((x, y) for x, y in points)


FLOWS_VERSION = 4
"""Raise it whenever the same paths and shapes give other flows: all are then counted again."""


class FlowInputs(NamedTuple):
    """The inputs of flows.

    Attributes:
        paths: Identities of the source's paths of the day before, of the day, and of the day after; None: no
            paths.
        shapes: The shapes that are valid in some of the UTC day.
    """

    model: str
    source: str
    day_start_ms: int
    paths: tuple[str | int | None, ...]
    shapes: Shapes

    @property
    def name(self) -> str:
        """Name of the file with the flows: of the same inputs the same, wherever the paths lie."""
        identity = [FLOWS_VERSION, self.model, self.source, self.day_start_ms, self.paths]
        text = f"{json.dumps(identity)}\n{self.shapes.to_json()}"
        return f"flows-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


Row = tuple[int, ...]


class FirstTrack(NamedTuple):
    """The parts of a visit from its first track; `seen_ms` is the event time of its first counted box.

    `is_counted`: the visit begins with it, as no hour before has it.
    """

    label: str
    seen_ms: int
    is_counted: bool


class Ways(NamedTuple):
    """Shapes that hold in some of a UTC day, ready to be asked of paths; by name and time."""

    day_start_ms: int
    lines: list[tuple[LineShape, Border]]
    zones: list[tuple[ZoneShape, PictureZone]]
    grounds: tuple[Ground, ...]

    @classmethod
    def from_shapes(cls, shapes: Shapes, day_start_ms: int) -> Ways:
        """Take what holds on a day.

        Raises:
            ValueError: A line has all its points in one place, or a zone nothing within.
        """
        shapes = shapes.between(day_start_ms, day_start_ms + DAY_MS)
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


def first_tracks(paths: PathColumns, tracks: Iterable[int] | None = None) -> Iterator[FirstTrack]:
    """Yield for each track the parts of a visit that begins with it, in the order of `pieces_of`."""
    columns = paths.columns
    for track in range(len(columns["hour"])) if tracks is None else tracks:
        seen_ms = paths.day_start_ms + columns["hour"][track] * HOUR_MS + columns["first_seen"][track]
        yield FirstTrack(paths.labels[columns["label"][track]], seen_ms, bool(columns["is_counted"][track]))


def _place(shape: LineShape | ZoneShape) -> tuple[str, bool, int]:
    return shape.name, shape.from_ms is not None, shape.from_ms or 0


def while_held(visit: FollowedPath, shape: LineShape | ZoneShape) -> FollowedPath:
    """Return the part of a visit within a shape's time."""
    from_ms = visit.from_ms if shape.from_ms is None else max(visit.from_ms, shape.from_ms)
    to_ms = visit.to_ms if shape.to_ms is None else min(visit.to_ms, shape.to_ms)
    return visit._replace(from_ms=from_ms, to_ms=to_ms)


def crossing_row(crossing: Crossing, visit: FollowedPath, line: int, day_ms: int) -> Row:
    """Return a crossing by `CROSSING_COLUMNS`; its label, hour and number are 0."""
    before_ms, after_ms = visit.path.time_ms[crossing.step : crossing.step + 2]
    missing = 1 + CROSSINGS_MISSING.index(crossing.missing) if crossing.missing else 0
    ways = DIRECTIONS.index(crossing.direction), missing
    return (
        crossing.time_ms - day_ms,
        line,
        0,
        *ways,
        crossing.time_ms - before_ms,
        after_ms - crossing.time_ms,
        0,
        0,
    )


def stay_row(stay: Stay, zone: int, day_ms: int) -> Row:
    """Return a stay by `STAY_COLUMNS`, likewise."""
    ways = CAME.index(stay.came), WENT.index(stay.went)
    return stay.from_ms - day_ms, stay.to_ms - day_ms, zone, 0, *ways, 0, 0
