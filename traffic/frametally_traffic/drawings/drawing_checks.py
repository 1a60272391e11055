"""What may be drawn over a source's picture; what may not is one line with the thing and the remedy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain, combinations

from frametally.errors import FrametallyError, Misconfigured
from frametally.media.sources import composed
from frametally.rules.times import FIRST_MS, NEXT_MS
from frametally_traffic.drawings.drawn_ground import calibration_of
from frametally_traffic.drawings.plane import crosses_itself
from frametally_traffic.records import (
    FEWEST_LINE_POINTS,
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
    """What is to be drawn cannot be: it is put right by whoever drew it, and nothing has changed."""


def kind_of(shape: Drawn) -> str:
    """Return what a drawn thing is, as a word."""
    return _KINDS[type(shape)]


def told(shape: Drawn) -> str:
    """Return how a drawn thing is named in a message: its kind and name, however long that is."""
    return f"{kind_of(shape)} {_shortened(shape.name)}"


def check_drawing(drawing: Drawing) -> None:
    """Check all that is drawn over one source, each thing for itself and all together.

    Raises:
        DrawingRefused: Something of it cannot be.
    """
    if len(drawing.shapes) > MOST_SHAPES:
        raise DrawingRefused(
            f"source {drawing.source} would have {len(drawing.shapes)} lines, zones and calibrations, of "
            f"{MOST_SHAPES} that it may: remove some that are not needed"
        )
    for shape in drawing.shapes:
        check_shape(shape)
    for one, other in combinations(drawing.shapes, 2):
        if not _hold_together(one, other):
            continue
        if one.name == other.name:
            raise DrawingRefused(
                f"{told(one)} stands twice at one time: give one another name, or let the first end where "
                "the second begins (from_ms, to_ms; for one that is stored `frametally lines remove --from "
                "TIME` does that, and `frametally lines import --replace` takes its place)"
            )
        if isinstance(one, DrawnCalibration) and isinstance(other, DrawnCalibration):
            raise DrawingRefused(
                f"{told(one)} and {told(other)} hold at one time, and a picture has one ground: let the "
                "first end where the second begins (from_ms, to_ms)"
            )


def check_shape(shape: Drawn) -> None:
    """Check one line, zone or calibration for itself.

    Raises:
        DrawingRefused: It cannot be.
    """
    for name in _names_of(shape):
        _check_name(shape, name)
    _check_times(shape)
    for side in (shape.width_px, shape.height_px):
        if not 1 <= side <= _MOST_PX:
            raise DrawingRefused(
                f"{told(shape)} is of a picture of {shape.width_px}x{shape.height_px} pixels: give the "
                "width_px and height_px of the picture that it was drawn over"
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
            f"{told(line)} calls both directions {_shortened(line.to_right)}: give to_right and to_left two "
            "names"
        )
    if crosses_itself(line.points, closed=False):
        raise DrawingRefused(
            f"{told(line)} crosses or touches itself: draw it so that it is passed once from end to end, or "
            "make two of it"
        )


def _check_zone(zone: DrawnZone) -> None:
    _check_number(zone, "corners", len(zone.points), FEWEST_ZONE_POINTS, MOST_ZONE_POINTS)
    _check_points(zone, zone.points)
    if crosses_itself(zone.points, closed=True):
        raise DrawingRefused(
            f"{told(zone)} crosses or touches itself: give its corners in turn, once around, the first not "
            "again at the end"
        )


def _check_calibration(calibration: DrawnCalibration) -> None:
    ways = (bool(calibration.metres), bool(calibration.rectangles), calibration.distance_m is not None)
    if sum(ways) > 1 or (calibration.rectangles and calibration.points):
        raise DrawingRefused(
            f"{told(calibration)} says in several ways how large the ground is: give points with their "
            "metres, or rectangles with their sides_m, or two points and their distance_m"
        )
    corners = [rectangle.points for rectangle in calibration.rectangles]
    points = (*calibration.points, *chain.from_iterable(corners))
    if not calibration.rectangles:
        _check_number(calibration, "points", len(points), 1, MOST_REFERENCES)
    _check_points(calibration, points)
    for some in [calibration.points, *corners]:
        if len(set(some)) < len(some):
            raise DrawingRefused(f"{told(calibration)} has one point twice: give each once")
    if calibration.distance_m is not None:
        _check_number(calibration, "points with a distance", len(points), 2, 2)
        _check_metres(calibration, [calibration.distance_m], least_m=0.0)
    if calibration.metres:
        if len(calibration.metres) != len(points):
            raise DrawingRefused(
                f"{told(calibration)} has {len(points)} points and metres of {len(calibration.metres)}: give "
                "metres for each point, in the same order"
            )
        _check_metres(calibration, chain.from_iterable(calibration.metres))
    for rectangle in calibration.rectangles:
        _check_metres(calibration, rectangle.sides_m, least_m=0.0)
    try:
        calibration_of(calibration)
    except Misconfigured as error:
        raise DrawingRefused(f"{told(calibration)}: {error}") from error


def _check_number(shape: Drawn, what: str, number: int, fewest: int, most: int) -> None:
    if not fewest <= number <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise DrawingRefused(f"{told(shape)} has {number} {what}: it takes {wanted}")


def _check_points(shape: Drawn, points: Points) -> None:
    for point in points:
        if not all(map(math.isfinite, point)):
            raise DrawingRefused(
                f"{told(shape)} has the point {_shown(point)}, which is no place: give two numbers, in pixels"
            )
        if not (0 <= point[0] <= shape.width_px and 0 <= point[1] <= shape.height_px):
            raise DrawingRefused(
                f"{told(shape)} has the point {_shown(point)} outside the picture of "
                f"{shape.width_px}x{shape.height_px} pixels: move it in, or say by width_px and height_px "
                "how large the picture is"
            )


def _check_metres(shape: Drawn, metres: Iterable[float], least_m: float = -_MOST_M) -> None:
    for value in metres:
        if not (math.isfinite(value) and least_m <= value <= _MOST_M and (least_m < 0 or value > 0)):
            raise DrawingRefused(
                f"{told(shape)} has a length of {value!r} metres: give those that were measured on the ground"
            )


def _check_times(shape: Drawn) -> None:
    for time_ms in (shape.from_ms, shape.to_ms):
        if time_ms is not None and not FIRST_MS <= time_ms <= NEXT_MS:
            raise DrawingRefused(
                f"{told(shape)} holds from or to {time_ms}, which is no time: give ms since 1970, UTC"
            )
    if shape.from_ms is not None and shape.to_ms is not None and shape.from_ms >= shape.to_ms:
        raise DrawingRefused(f"{told(shape)} ends before it begins: give a to_ms that is after its from_ms")


def _check_name(shape: Drawn, name: str) -> None:
    what = f"the {kind_of(shape)}'s name {_shortened(name)}"
    if not 1 <= len(name) <= MOST_NAME_CHARACTERS:
        raise DrawingRefused(
            f"{what} has {len(name)} characters: give it one of 1 to {MOST_NAME_CHARACTERS} characters"
        )
    # What is no text or a control, also one that turns the writing around, is not printable.
    bad = sorted({c for c in name if not c.isprintable() or c in _NOT_IN_NAMES})
    if bad:
        raise DrawingRefused(
            f"{what} has {', '.join(map(_sign, bad[:5]))}: write it with letters, digits and spaces"
        )
    if name != composed(name).strip() or not name.strip("."):
        raise DrawingRefused(
            f"{what} is not written as it is read: leave out spaces at its ends and write accents as one sign"
        )


def _names_of(shape: Drawn) -> Iterator[str]:
    yield shape.name
    if isinstance(shape, DrawnLine):
        yield shape.to_right
        yield shape.to_left


def _hold_together(one: Drawn, other: Drawn) -> bool:
    begins = max(FIRST_MS if shape.from_ms is None else shape.from_ms for shape in (one, other))
    ends = min(NEXT_MS if shape.to_ms is None else shape.to_ms for shape in (one, other))
    return begins < ends


def _shortened(name: str) -> str:
    return repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}..."


def _sign(character: str) -> str:
    return character if character.isprintable() else f"U+{ord(character):04X}"


def _shown(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"
