"""Holds drawings in the form for counting, in pixels of the picture under them or scaled to frames.

`frametally_traffic.drawings` makes it from the stored drawing. Standard library only, because tasks use it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from frametally.rules.path_columns import PathColumns
from frametally.rules.places import Corners, Size, ZoneShape, as_tuples, has_one_shape
from frametally.rules.seals import name_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.flows.day_columns import CAME, CROSSINGS_MISSING, DIRECTIONS, WENT
from frametally_traffic.geometry.crossings import Border, Crossing, Direction, Place, tenths
from frametally_traffic.geometry.foot_paths import FollowedPath
from frametally_traffic.geometry.speed import Ground
from frametally_traffic.geometry.zones import PictureZone, Stay


class LineShape(NamedTuple):
    """A line to cross; its other fields are as in `ZoneShape`.

    Attributes:
        inward: Direction into the junction if the line is a leg, else None.
    """

    name: str
    points: Corners
    inward: Direction | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    drawn_over: Size | None = None


class Shapes(NamedTuple):
    """All shapes of one source."""

    lines: tuple[LineShape, ...] = ()
    zones: tuple[ZoneShape, ...] = ()
    grounds: tuple[Ground, ...] = ()

    def between(self, from_ms: int, to_ms: int) -> Shapes:
        """Return the shapes that are valid at some time in `[from_ms, to_ms)`."""
        return Shapes(
            tuple(_holding(self.lines, from_ms, to_ms)),
            tuple(_holding(self.zones, from_ms, to_ms)),
            tuple(_holding(self.grounds, from_ms, to_ms)),
        )

    def on_frames(self, size: Size | None) -> Shapes:
        """Return the shapes drawn over a picture of the same shape, scaled to frames of a size.

        If `size` is None (unknown), it is that of the picture under the drawing.

        Raises:
            ValueError: A line has all its points in one place there, or a zone has no area.
        """
        return Shapes(
            tuple(line._replace(**points) for line in self.lines if (points := _scaled(line, size))),
            tuple(zone._replace(**points) for zone in self.zones if (points := _scaled(zone, size))),
            tuple(_ground_on(ground, size) for ground in self.grounds if fits(ground, size)),
        )

    def to_json(self) -> str:
        """Return the shapes as one line of JSON."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":"))

    def digest(self) -> str:
        """Return a digest of the shapes, 16 hexadecimal digits."""
        return name_of(self.to_json())


ShapeT = TypeVar("ShapeT", LineShape, ZoneShape, Ground)


def parse_shapes(text: str) -> Shapes:
    """Parse the output of `Shapes.to_json`."""
    lines, zones, grounds = json.loads(text)
    return Shapes(
        tuple(LineShape(*map(as_tuples, line)) for line in lines),
        tuple(ZoneShape(*map(as_tuples, zone)) for zone in zones),
        tuple(Ground(*map(as_tuples, ground)) for ground in grounds),
    )


def fits(shape: LineShape | ZoneShape | Ground, size: Size | None) -> bool:
    """Return whether frames of a size have the same shape as the picture under a drawing."""
    return shape.drawn_over is None or size is None or has_one_shape(shape.drawn_over, size)


def corners_on(shape: LineShape | ZoneShape, size: Size | None) -> Corners | None:
    """Return the points of a line or zone, in tenths of a pixel of frames of a size; None if it does not fit.

    Raises:
        ValueError: A line has all its points in one place there, or a zone has no area.
    """
    if shape.drawn_over is None:
        return shape.points
    if not fits(shape, size):
        return None
    (width_px, height_px), (drawn_width_px, drawn_height_px) = size or shape.drawn_over, shape.drawn_over
    points = tuple(
        tenths([(x * width_px / drawn_width_px, y * height_px / drawn_height_px) for x, y in shape.points])
    )
    try:
        PictureZone(points) if isinstance(shape, ZoneShape) else Border(points)
    except ValueError as error:
        kind = "zone" if isinstance(shape, ZoneShape) else "line"
        raise ValueError(
            f"{kind} {shape.name!r} is too small on frames of {width_px}x{height_px} pixels: draw it larger"
        ) from error
    return points


def _scaled(shape: LineShape | ZoneShape, size: Size | None) -> dict[str, Any] | None:
    points = corners_on(shape, size)
    return None if points is None else {"points": points, "drawn_over": None}


def _ground_on(ground: Ground, size: Size | None) -> Ground:
    if ground.drawn_over is None:
        return ground
    size = size or ground.drawn_over
    return ground.scaled_by(ground.drawn_over[0] / size[0], ground.drawn_over[1] / size[1])


def unfit_times(shapes: Shapes, paths: PathColumns) -> tuple[tuple[str, str, int, int], ...]:
    """Return `FlowColumns.unfit` of a day's paths: the times whose pictures do not fit a line or zone."""
    starts = [*(start_ms for start_ms, _ in paths.pictures), paths.day_start_ms + DAY_MS]
    times: list[tuple[str, str, int, int]] = []
    for (from_ms, sizes), to_ms in zip(paths.pictures, starts[1:], strict=True):
        holding = shapes.between(from_ms, to_ms)
        every: list[LineShape | ZoneShape] = [*holding.lines, *holding.zones]
        for shape in every:
            if not all(fits(shape, size) for size in sizes):
                kind = "zone" if isinstance(shape, ZoneShape) else "line"
                span = max(from_ms, shape.from_ms or from_ms), min(to_ms, shape.to_ms or to_ms)
                times.append((kind, shape.name, *span))
    return tuple(times)


def holds_at(shape: LineShape | ZoneShape | Ground, time_ms: int) -> bool:
    """Return whether a shape is valid at an event time."""
    return (shape.from_ms is None or shape.from_ms <= time_ms) and (
        shape.to_ms is None or time_ms < shape.to_ms
    )


def _holding(shapes: Iterable[ShapeT], from_ms: int, to_ms: int) -> Iterable[ShapeT]:
    for shape in shapes:
        if (shape.from_ms is None or shape.from_ms < to_ms) and (
            shape.to_ms is None or shape.to_ms > from_ms
        ):
            yield shape


FLOWS_VERSION = 8
"""Increase this version when the same paths and shapes give other flows, to count all again."""


class FlowInputs(NamedTuple):
    """The inputs of flows.

    Attributes:
        paths: Identities of the source's paths of the day before, the day, and the day after; None without
            paths.
        shapes: The shapes valid in some of the UTC day.
    """

    model: str
    source: str
    day_start_ms: int
    paths: tuple[str | None, ...]
    shapes: Shapes

    @property
    def name(self) -> str:
        """Name of the file with the flows; equal inputs have equal names, wherever the paths are stored."""
        identity = [FLOWS_VERSION, self.model, self.source, self.day_start_ms, self.paths]
        name = name_of(f"{json.dumps(identity)}\n{self.shapes.to_json()}")
        return f"flows-{name}"


Row = tuple[int, ...]


class FirstTrack(NamedTuple):
    """The data of a visit from its first track; `seen_ms` is the event time of its first counted box.

    `is_counted`: whether the visit starts with this track, because no earlier hour has it.
    """

    label: str
    seen_ms: int
    is_counted: bool


class Ways(NamedTuple):
    """Shapes valid in some of a UTC day, prepared for paths, by name and time.

    Attributes:
        lines: Only those that fit the frames, like `zones` and `grounds`.
        line_names: Names of all lines, each once, sorted.
        leg_names: Names of all legs, each once, sorted.
        zone_names: Names of all zones, each once, sorted.
    """

    day_start_ms: int
    lines: list[tuple[LineShape, Border]]
    zones: list[tuple[ZoneShape, PictureZone]]
    grounds: tuple[Ground, ...]
    line_names: tuple[str, ...]
    leg_names: tuple[str, ...]
    zone_names: tuple[str, ...]

    @classmethod
    def from_shapes(cls, shapes: Shapes, day_start_ms: int, size: Size | None = None) -> Ways:
        """Prepare a day's shapes for frames of `size`; None means that of the pictures under the drawing.

        Raises:
            ValueError: A line has all its points in one place, or a zone has no area.
        """
        shapes = shapes.between(day_start_ms, day_start_ms + DAY_MS)
        on_frames = shapes.on_frames(size)
        return cls(
            day_start_ms,
            [(shape, Border(_places(shape))) for shape in sorted(on_frames.lines, key=_place)],
            [(shape, PictureZone(_places(shape))) for shape in sorted(on_frames.zones, key=_place)],
            on_frames.grounds,
            _names(shapes.lines),
            _names(shape for shape in shapes.lines if shape.inward),
            _names(shapes.zones),
        )


def _places(shape: LineShape | ZoneShape) -> Sequence[Place]:
    """Return the points of a shape on frames, as integers in tenths of a pixel."""
    return cast("Sequence[Place]", shape.points)


def _names(shapes: Iterable[LineShape | ZoneShape]) -> tuple[str, ...]:
    return tuple(sorted({shape.name for shape in shapes}))


def first_tracks(paths: PathColumns, tracks: Iterable[int] | None = None) -> Iterator[FirstTrack]:
    """Yield the `FirstTrack` of each track, in the order of `pieces_of`."""
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
    """Return a crossing as a row of `CROSSING_COLUMNS`, with 0 for label, hour and number."""
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
    """Return a stay as a row of `STAY_COLUMNS`, with 0 for label, hour and number."""
    ways = CAME.index(stay.came), WENT.index(stay.went)
    return stay.from_ms - day_ms, stay.to_ms - day_ms, zone, 0, *ways, 0, 0
