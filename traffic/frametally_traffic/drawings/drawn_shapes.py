"""What is drawn over a source, made ready for counting: from pixels of its original picture to stored frames.

Needs numpy, as a calibration's matrix does; what it returns travels to a cluster's tasks, which have none.
"""

from __future__ import annotations

from collections.abc import Iterator

from frametally.errors import Misconfigured
from frametally.rules.places import Corners, ZoneShape
from frametally_traffic.drawings.drawing_checks import DrawingRefused, told
from frametally_traffic.drawings.drawn_ground import calibration_of
from frametally_traffic.drawings.picture_sizes import Size
from frametally_traffic.flows.shapes import Calibrated, LineShape, Shapes
from frametally_traffic.geometry.borders import Border, tenths
from frametally_traffic.geometry.zones import PictureZone
from frametally_traffic.records import Drawing, DrawnLine, DrawnZone


def shapes_of(drawing: Drawing, frame_size: Size) -> Shapes:
    """Return a drawing's shapes over stored frames of a size, of all times.

    A calibration that tells no metres is left out.

    Raises:
        DrawingRefused: One is nothing on so small a frame, or a calibration tells nothing.
    """
    lines, zones = [], []
    for line in drawing.lines:
        points = _on_frame(line, frame_size)
        lines.append(LineShape(line.name, points, line.inward, line.from_ms, line.to_ms))
    for zone in drawing.zones:
        zones.append(ZoneShape(zone.name, _on_frame(zone, frame_size), zone.from_ms, zone.to_ms))
    return Shapes(tuple(lines), tuple(zones), tuple(_grounds(drawing, frame_size)))


def _on_frame(shape: DrawnLine | DrawnZone, frame_size: Size) -> Corners:
    width_px, height_px = frame_size
    points = tuple(
        tenths([(x * width_px / shape.width_px, y * height_px / shape.height_px) for x, y in shape.points])
    )
    try:
        PictureZone(points) if isinstance(shape, DrawnZone) else Border(points)
    except ValueError as error:
        raise DrawingRefused(
            f"{told(shape)} is nothing on frames of {width_px}x{height_px} pixels: draw it larger"
        ) from error
    return points


def _grounds(drawing: Drawing, frame_size: Size) -> Iterator[Calibrated]:
    for drawn in drawing.calibrations:
        try:
            made = calibration_of(drawn)
        except Misconfigured as error:
            raise DrawingRefused(f"{told(drawn)}: {error}") from error
        if made is None:
            continue
        # A pixel of a frame is so many of the original picture.
        by_x, by_y = drawn.width_px / frame_size[0], drawn.height_px / frame_size[1]
        a, b, c, d, e, f, g, h, i = made.matrix
        matrix = (a * by_x, b * by_y, c, d * by_x, e * by_y, f, g * by_x, h * by_y, i)
        left, top, right, bottom = made.reach_px
        reach_px = (left / by_x, top / by_y, right / by_x, bottom / by_y)
        yield Calibrated(matrix, reach_px, made.scale_error, drawn.from_ms, drawn.to_ms)
