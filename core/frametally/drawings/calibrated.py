"""From a calibration as it is drawn to its matrix."""

from __future__ import annotations

from frametally.calibration.making import (
    GroundCalibration,
    GroundPoint,
    Rectangle,
    calibration_of_points,
    calibration_of_rectangles,
    calibration_of_scale,
)
from frametally.drawing_records import DrawnCalibration


def calibrated(drawn: DrawnCalibration) -> GroundCalibration | None:
    """Return how a drawn calibration makes metres of pixels; None of points alone, which tell no metres.

    Raises:
        Misconfigured: It makes none: one line, with what to change.
    """
    if drawn.rectangles:
        return calibration_of_rectangles([Rectangle(one.points, *one.sides_m) for one in drawn.rectangles])
    if drawn.distance_m is not None and len(drawn.points) == 2:
        return calibration_of_scale(*drawn.points, drawn.distance_m)
    if drawn.metres:
        pairs = zip(drawn.points, drawn.metres, strict=False)
        return calibration_of_points([GroundPoint(*point, *metre) for point, metre in pairs])
    return None
