"""What a drawn calibration says of the ground, as `frametally_traffic.calibration` finds it out."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from frametally.errors import Misconfigured
from frametally_traffic.records import DrawnCalibration

if TYPE_CHECKING:
    from frametally_traffic.calibration.fitting import GroundCalibration

_MOST_KEPT = 200  # of 32 points each takes a quarter of a second, and is asked for by every reader


@lru_cache(_MOST_KEPT)
def calibration_of(drawn: DrawnCalibration) -> GroundCalibration | None:
    """Return how pixels become metres by a drawn calibration; None where it tells no metres.

    Pixels are those of the picture that it was drawn over.

    Raises:
        Misconfigured: It makes no calibration: one line, with what to change. Or there is no numpy.
    """
    try:
        from frametally_traffic.calibration.fitting import (
            GroundPoint,
            Rectangle,
            calibration_of_points,
            calibration_of_rectangles,
            calibration_of_scale,
        )
    except ImportError as error:
        raise Misconfigured(f"calibrations need numpy ({error}): pip install 'frametally[hadoop]'") from error
    if drawn.distance_m is not None:
        start, end = drawn.points
        return calibration_of_scale(start, end, drawn.distance_m)
    if drawn.rectangles:
        return calibration_of_rectangles([Rectangle(one.points, *one.sides_m) for one in drawn.rectangles])
    if drawn.metres:
        pairs = zip(drawn.points, drawn.metres, strict=True)
        return calibration_of_points([GroundPoint(*point, *place) for point, place in pairs])
    return None
