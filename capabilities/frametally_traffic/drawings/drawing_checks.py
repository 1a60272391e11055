"""Checks drawings; an error is one line that names the shape and the remedy.

Intersections are computed in whole tenths of a pixel, the unit of paths, so the answer is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, combinations
from typing import TYPE_CHECKING

from frametally.errors import FrametallyError, Misconfigured
from frametally.media.polygons import crosses_itself
from frametally.media.sources import composed
from frametally.rules.times import FIRST_MS, NEXT_MS
from frametally_traffic.geometry.crossings import tenths
from frametally_traffic.records import (
    FEWEST_LINE_POINTS,
    FEWEST_REFERENCES,
    FEWEST_ZONE_POINTS,
    MOST_LINE_POINTS,
    MOST_NAME_CHARACTERS,
    MOST_REFERENCES,
    MOST_SHAPES,
    MOST_ZONE_POINTS,
    Drawing,
    Drawn,
    DrawnCalibration,
    DrawnLine,
    DrawnZone,
    Point,
    Points,
)

if TYPE_CHECKING:
    from frametally_traffic.calibration.fitting import GroundCalibration


_MOST_KEPT = 200  # one of 32 points takes a quarter of a second, and every reader checks it


@lru_cache(_MOST_KEPT)
def calibration_of(calibration: DrawnCalibration) -> GroundCalibration | None:
    """Return the calibration fitted to a drawn one, or None if it has no metres yet.

    Pixels are those of the picture under the drawing.

    Raises:
        Misconfigured: It does not determine a calibration; the message says what to change.
    """
    from frametally_traffic.calibration.fitting import (  # slow to load
        GroundPoint,
        Rectangle,
        calibration_of_points,
        calibration_of_rectangles,
        calibration_of_scale,
    )

    if calibration.distance_m is not None:
        start, end = calibration.points
        return calibration_of_scale(start, end, calibration.distance_m)
    if calibration.rectangles:
        return calibration_of_rectangles(
            [Rectangle(rectangle.points, *rectangle.sides_m) for rectangle in calibration.rectangles]
        )
    if calibration.metres:
        pairs = zip(calibration.points, calibration.metres, strict=True)
        return calibration_of_points([GroundPoint(*point, *place) for point, place in pairs])
    return None


def check_calibration(points: Sequence[Sequence[float]], metres: Sequence[Sequence[float]]) -> None:
    """Refuse points with metres that do not make a calibration.

    Raises:
        Misconfigured: The message says why.
    """
    if FEWEST_REFERENCES <= len(points) <= MOST_REFERENCES:
        from frametally_traffic.calibration.fitting import GroundPoint, calibration_of_points  # numpy

        calibration_of_points(
            [GroundPoint(*place, *laid) for place, laid in zip(points, metres, strict=True)]
        )


_KINDS: dict[type[Drawn], str] = {
    DrawnLine: "line",
    DrawnZone: "zone",
    DrawnCalibration: "calibration",
}
_NOT_IN_NAMES = frozenset("<>/\\")
_MOST_PX = 100_000
_MOST_M = 100_000.0
_SHOWN = 40


class DrawingRefused(FrametallyError):
    """The drawing is not valid and was not stored; its author must correct it."""


def kind_of(shape: Drawn) -> str:
    """Return the kind of a shape as a word."""
    return _KINDS[type(shape)]


def subject(shape: Drawn) -> str:
    """Return a shape's kind and shortened name for a message."""
    return f"{kind_of(shape)} {_shortened(shape.name)}"


def check_drawing(drawing: Drawing) -> None:
    """Check the drawing of a source, each shape on its own and all together.

    Raises:
        DrawingRefused: The drawing is not valid.
    """
    if len(drawing.shapes) > MOST_SHAPES:
        raise DrawingRefused(
            f"source {drawing.source} would have {len(drawing.shapes)} lines, zones and calibrations, but "
            f"the maximum is {MOST_SHAPES}: delete some first"
        )
    for shape in drawing.shapes:
        check_shape(shape)
    for first, second in combinations(drawing.shapes, 2):
        if not _hold_together(first, second):
            continue
        if first.name == second.name:
            raise DrawingRefused(
                f"{subject(first)} exists twice at the same time: rename one, or let the first end when "
                "the second begins (from_ms, to_ms; `frametally lines remove --from TIME` ends a stored "
                "one, and `frametally lines import --replace` replaces it)"
            )
        if isinstance(first, DrawnCalibration) and isinstance(second, DrawnCalibration):
            raise DrawingRefused(
                f"{subject(first)} and {subject(second)} are valid at the same time, but a picture has "
                "only one ground: let the first end when the second begins (from_ms, to_ms)"
            )


def check_shape(shape: Drawn) -> None:
    """Check one line, zone or calibration on its own.

    Raises:
        DrawingRefused: It is not valid.
    """
    for name in _names_of(shape):
        _check_name(shape, name)
    _check_times(shape)
    for side in (shape.width_px, shape.height_px):
        if not 1 <= side <= _MOST_PX:
            raise DrawingRefused(
                f"{subject(shape)} has a picture size of {shape.width_px}x{shape.height_px} pixels: set "
                "width_px and height_px to the size of the picture under the drawing"
            )
    match shape:
        case DrawnLine():
            _check_line(shape)
        case DrawnZone():
            _check_zone(shape)
        case DrawnCalibration():
            _check_calibration(shape)


def _check_line(line: DrawnLine) -> None:
    _check_number(line, "points", len(line.points), FEWEST_LINE_POINTS, MOST_LINE_POINTS)
    _check_points(line, line.points)
    if line.to_right == line.to_left:
        raise DrawingRefused(
            f"{subject(line)} has the same name for both directions, {_shortened(line.to_right)}: use "
            "different names for to_right and to_left"
        )
    if crosses_itself(tenths(line.points), closed=False):
        raise DrawingRefused(
            f"{subject(line)} crosses or touches itself: draw it without loops, or split it into two lines"
        )


_BORDER_PART = 20
"""Closer to the picture's border than this part of its side, a line runs where boxes are truncated."""


def runs_along_border(line: DrawnLine) -> bool:
    """Return whether all of a line is so close to one side of the picture that boxes are truncated there."""
    sides = [
        [coordinate / size for coordinate in coordinates]
        for coordinates, size in zip(
            zip(*line.points, strict=True), (line.width_px, line.height_px), strict=True
        )
    ]
    return any(max(along) < 1 / _BORDER_PART or min(along) > 1 - 1 / _BORDER_PART for along in sides)


def _check_zone(zone: DrawnZone) -> None:
    _check_number(zone, "corners", len(zone.points), FEWEST_ZONE_POINTS, MOST_ZONE_POINTS)
    _check_points(zone, zone.points)
    if crosses_itself(tenths(zone.points), closed=True):
        raise DrawingRefused(
            f"{subject(zone)} crosses or touches itself: give its corners in order, once around, without "
            "repeating the first"
        )


def _check_calibration(calibration: DrawnCalibration) -> None:
    ways = (bool(calibration.metres), bool(calibration.rectangles), calibration.distance_m is not None)
    if sum(ways) > 1 or (calibration.rectangles and calibration.points):
        raise DrawingRefused(
            f"{subject(calibration)} defines the ground in several ways: use points with their "
            "metres, or rectangles with their sides_m, or two points and their distance_m"
        )
    corners = [rectangle.points for rectangle in calibration.rectangles]
    points = (*calibration.points, *chain.from_iterable(corners))
    if not calibration.rectangles:
        _check_number(calibration, "points", len(points), 1, MOST_REFERENCES)
    _check_points(calibration, points)
    for group in [calibration.points, *corners]:
        if len(set(group)) < len(group):
            raise DrawingRefused(f"{subject(calibration)} has the same point twice: delete one")
    if calibration.distance_m is not None:
        _check_number(calibration, "points with a distance", len(points), 2, 2)
        _check_metres(calibration, [calibration.distance_m], least_m=0.0)
    if calibration.metres:
        if len(calibration.metres) != len(points):
            raise DrawingRefused(
                f"{subject(calibration)} has {len(points)} points, but coordinates in metres for "
                f"{len(calibration.metres)}: give coordinates for each point, in the same order"
            )
        _check_metres(calibration, chain.from_iterable(calibration.metres))
    for rectangle in calibration.rectangles:
        _check_metres(calibration, rectangle.sides_m, least_m=0.0)
    try:
        calibration_of(calibration)
    except Misconfigured as error:
        raise DrawingRefused(f"{subject(calibration)}: {error}") from error


def _check_number(shape: Drawn, part_name: str, number: int, fewest: int, most: int) -> None:
    if not fewest <= number <= most:
        range_text = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise DrawingRefused(f"{subject(shape)} has {number} {part_name}: use {range_text}")


def _check_points(shape: Drawn, points: Points) -> None:
    for point in points:
        if not all(map(math.isfinite, point)):
            raise DrawingRefused(
                f"{subject(shape)} has an invalid point {_point_text(point)}: give two numbers, in pixels"
            )
        if not (0 <= point[0] <= shape.width_px and 0 <= point[1] <= shape.height_px):
            raise DrawingRefused(
                f"{subject(shape)} has the point {_point_text(point)} outside the picture of "
                f"{shape.width_px}x{shape.height_px} pixels: move it inside, or correct width_px and "
                "height_px"
            )


def _check_metres(shape: Drawn, metres: Iterable[float], least_m: float = -_MOST_M) -> None:
    for value in metres:
        if not (math.isfinite(value) and least_m <= value <= _MOST_M and (least_m < 0 or value > 0)):
            raise DrawingRefused(
                f"{subject(shape)} has an invalid length of {value!r} metres: "
                "use lengths measured on the ground"
            )


def _check_times(shape: Drawn) -> None:
    for time_ms in (shape.from_ms, shape.to_ms):
        if time_ms is not None and not FIRST_MS <= time_ms <= NEXT_MS:
            raise DrawingRefused(f"{subject(shape)} has an invalid time {time_ms}: use ms since 1970, UTC")
    if shape.from_ms is not None and shape.to_ms is not None and shape.from_ms >= shape.to_ms:
        raise DrawingRefused(f"{subject(shape)} ends before it begins: to_ms must be later than from_ms")


def _check_name(shape: Drawn, name: str) -> None:
    title = f"the {kind_of(shape)}'s name {_shortened(name)}"
    if not 1 <= len(name) <= MOST_NAME_CHARACTERS:
        raise DrawingRefused(
            f"{title} has {len(name)} characters: use 1 to {MOST_NAME_CHARACTERS} characters"
        )
    # Control characters, such as those that reverse the writing direction, are not printable.
    bad = sorted({c for c in name if not c.isprintable() or c in _NOT_IN_NAMES})
    if bad:
        raise DrawingRefused(
            f"{title} contains {', '.join(map(_sign, bad[:5]))}: use letters, digits and spaces"
        )
    if name != composed(name).strip() or not name.strip("."):
        raise DrawingRefused(
            f"{title} has spaces at its start or end, or accents as separate characters: delete the "
            "spaces, and write accents as one character"
        )


def _names_of(shape: Drawn) -> Iterator[str]:
    yield shape.name
    if isinstance(shape, DrawnLine):
        yield shape.to_right
        yield shape.to_left


def _hold_together(first: Drawn, second: Drawn) -> bool:
    begins = max(FIRST_MS if shape.from_ms is None else shape.from_ms for shape in (first, second))
    ends = min(NEXT_MS if shape.to_ms is None else shape.to_ms for shape in (first, second))
    return begins < ends


def _shortened(name: str) -> str:
    return repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}..."


def _sign(character: str) -> str:
    return character if character.isprintable() else f"U+{ord(character):04X}"


def _point_text(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"
