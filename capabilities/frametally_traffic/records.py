"""Defines the records of drawings: lines, zones, calibrations; see `frametally.records` for the rules.

Points are `(x, y)` in pixels of the original picture, from its top left corner, y downwards. Records include
that picture's size, because the stored picture may be smaller.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from frametally import keys
from frametally.records import SealedRecord

Point = tuple[float, float]
Points = tuple[Point, ...]

FEWEST_LINE_POINTS, MOST_LINE_POINTS = 2, 8
FEWEST_ZONE_POINTS, MOST_ZONE_POINTS = 3, 32
FEWEST_REFERENCES, MOST_REFERENCES = 4, 32
"""A homography has eight unknowns, and each point with metres gives two equations."""
MOST_RECTANGLES = 6
MOST_NAME_CHARACTERS = 100
MOST_SHAPES = 200
"""For one source, at all times together, so that a record stays small enough for every task to read."""

Side = Literal["N", "NE", "E", "SE", "S", "SW", "W", "NW"]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME_CHARACTERS)]
Pixels = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """The common fields of shapes.

    Attributes:
        name: Its name, unique in its source at any time.
        from_ms: Event time from which it is valid; None means no limit.
        to_ms: Event time at which it ends, exclusive; None means no limit.
        width_px: Width of the original picture under the drawing.
        height_px: Its height.
    """

    name: Name
    from_ms: int | None = None
    to_ms: int | None = None
    width_px: Pixels
    height_px: Pixels

    def holds_in(self, from_ms: int, to_ms: int) -> bool:
        """Return whether it is valid at any time in `[from_ms, to_ms)`."""
        return (self.from_ms is None or self.from_ms < to_ms) and (self.to_ms is None or self.to_ms > from_ms)


class DrawnLine(Drawn, frozen=True, kw_only=True):
    """A line that is crossed in one of two directions; other fields are those of `Drawn`.

    Attributes:
        points: From its beginning to its end.
        to_right: Name of a crossing from the left to the right hand of a person who walks along the line on
            the picture, from its first point to its last.
        to_left: The other way.
        inward: For a leg of a junction, the direction into it; None if it is not a leg.
        side: For a leg, its side of the junction, as on a map; None if not set.
    """

    points: Annotated[Points, msgspec.Meta(min_length=FEWEST_LINE_POINTS, max_length=MOST_LINE_POINTS)]
    to_right: Name = "forward"
    to_left: Name = "backward"
    inward: Literal["to_right", "to_left"] | None = None
    side: Side | None = None


class DrawnZone(Drawn, frozen=True, kw_only=True):
    """A part of the picture; other fields are those of `Drawn`.

    Attributes:
        points: Its corners in turn, the first one not again at the end.
    """

    points: Annotated[Points, msgspec.Meta(min_length=FEWEST_ZONE_POINTS, max_length=MOST_ZONE_POINTS)]


class KnownRectangle(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle on the ground, such as a parking bay.

    Attributes:
        points: Its four corners in turn.
        sides_m: Metres from the first corner to the second, and from the second to the third.
    """

    points: tuple[Point, Point, Point, Point]
    sides_m: tuple[float, float]


class DrawnCalibration(Drawn, frozen=True, kw_only=True):
    """The known ground: `points` and `metres`, or `rectangles`, or two points and `distance_m`.

    Its other fields are those of `Drawn`.

    Attributes:
        points: Points on the ground.
        metres: Place of each of `points` on the ground, `(x, y)` in metres, axes as on a map: from above,
            y points to the left of x; empty if unknown: then there are no speeds.
        rectangles: Rectangles whose sides are known; their positions to each other are not.
        distance_m: Metres between the two `points`: a rough scale, right only near them and across the view.
    """

    points: Annotated[Points, msgspec.Meta(max_length=MOST_REFERENCES)] = ()
    metres: Annotated[Points, msgspec.Meta(max_length=MOST_REFERENCES)] = ()
    rectangles: Annotated[tuple[KnownRectangle, ...], msgspec.Meta(max_length=MOST_RECTANGLES)] = ()
    distance_m: float | None = None


class Drawing(SealedRecord, frozen=True, kw_only=True):
    """The drawing of one source at one revision (`drawings/<source>/<revision, 6 digits>.json`).

    The highest revision is the one that counts; older ones stay, and no revision ever changes.

    Attributes:
        revision: From 1 on; 0 stands for a source over which nothing was ever drawn, and is not stored.
    """

    source: str
    revision: int
    lines: tuple[DrawnLine, ...] = ()
    zones: tuple[DrawnZone, ...] = ()
    calibrations: tuple[DrawnCalibration, ...] = ()

    remedy: ClassVar[str] = (
        "restore it from a backup, or delete it: then the revision before it is used, and you must draw "
        "its missing shapes again"
    )

    @property
    def key(self) -> str:  # noqa: D102
        return keys.drawing_key(self.source, self.revision)

    @property
    def shapes(self) -> tuple[Drawn, ...]:
        """All of its lines, zones and calibrations."""
        return (*self.lines, *self.zones, *self.calibrations)
