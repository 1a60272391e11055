"""Records of what is drawn over a source's picture: lines, zones, calibration; see `records` for the rules.

Points are `(x, y)` in pixels of the original picture, from its top left corner, y downwards. The picture's
size stands beside them, as the one that is stored may be smaller.
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
"""A homography has eight unknowns, and a point with its metres tells two."""
MOST_RECTANGLES = 6
MOST_NAME_CHARACTERS = 100
MOST_SHAPES = 200
"""Of a source, those of all times together: a record stays small enough to be read by every task."""

Side = Literal["N", "NE", "E", "SE", "S", "SW", "W", "NW"]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME_CHARACTERS)]
Pixels = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """What every drawn thing has.

    Attributes:
        name: What people call it; of a source, no two that hold at one time have the same.
        from_ms: Event time from which on it holds; None: from the first.
        to_ms: Event time before which it does; None: to the last.
        width_px: Width of the original picture that it was drawn over.
        height_px: Its height.
    """

    name: Name
    from_ms: int | None = None
    to_ms: int | None = None
    width_px: Pixels
    height_px: Pixels


class DrawnLine(Drawn, frozen=True, kw_only=True):
    """A line that is crossed in one of two directions; other fields are those of `Drawn`.

    Attributes:
        points: From its beginning to its end.
        to_right: What a crossing is called that goes from the left hand to the right hand of somebody who
            walks over the picture along the line, from its first point to its last.
        to_left: The other way.
        inward: Of a leg of a junction, which way leads into it; None: it is no leg.
        side: Of a leg, on which side of the junction it lies, as on a map; None where that is not said.
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
    """What is known of the ground: `points` and `metres`, or `rectangles`, or two points and `distance_m`.

    Its other fields are those of `Drawn`.

    Attributes:
        points: Points on the ground.
        metres: Where each of `points` lies on the ground, `(x, y)` in metres, axes as on a map: seen
            from above, y points to the left of x; empty where that is not known: then it tells no speeds.
        rectangles: Rectangles whose sides are known; where they lie to each other is not.
        distance_m: Metres between the two `points`: a rough scale, right only near them and across the view.
    """

    points: Annotated[Points, msgspec.Meta(max_length=MOST_REFERENCES)] = ()
    metres: Annotated[Points, msgspec.Meta(max_length=MOST_REFERENCES)] = ()
    rectangles: Annotated[tuple[KnownRectangle, ...], msgspec.Meta(max_length=MOST_RECTANGLES)] = ()
    distance_m: float | None = None


class Drawing(SealedRecord, frozen=True, kw_only=True):
    """All that is drawn over one source, as of one revision (`drawings/<source>/<revision, 6 digits>.json`).

    The highest revision is the one that counts; older ones stay, and no revision ever changes.

    Attributes:
        source: Slug.
        revision: From 1 on; 0 stands for a source over which nothing was ever drawn, and is not stored.
    """

    source: str
    revision: int
    lines: tuple[DrawnLine, ...] = ()
    zones: tuple[DrawnZone, ...] = ()
    calibrations: tuple[DrawnCalibration, ...] = ()

    remedy: ClassVar[str] = (
        "restore it from a backup, or remove it: then the revision before it counts, and what that lacks is "
        "drawn again"
    )

    @property
    def key(self) -> str:  # noqa: D102
        return keys.drawing_key(self.source, self.revision)

    @property
    def shapes(self) -> tuple[Drawn, ...]:
        """All of its lines, zones and calibrations."""
        return (*self.lines, *self.zones, *self.calibrations)
