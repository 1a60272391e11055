"""The answer of `/api/calibrations/try`: what a calibration would be."""

from __future__ import annotations

from frametally.errors import Misconfigured
from frametally_traffic.calibration.fitting import GroundCalibration
from frametally_traffic.drawing_page.answers import CalibrationTry, Verdict
from frametally_traffic.drawing_page.drawing_changes import refused
from frametally_traffic.drawings.drawing_checks import DrawingRefused, check_shape
from frametally_traffic.drawings.drawn_ground import calibration_of
from frametally_traffic.drawings.file_forms import decode_calibration
from frametally_traffic.records import FEWEST_REFERENCES, DrawnCalibration

_WORDS: dict[Verdict, str] = {
    "good": "Its points fit each other: each is where the others have it, but for the errors shown.",
    "unchecked": "Four points always fit: their errors say nothing. Set a fifth to see how good it is.",
    "rough": "A scale knows no perspective: it is right only near its two points, and across the view.",
}


def try_calibration(data: bytes) -> CalibrationTry:
    """Return what a calibration would be; one that cannot be is told so, as it may be half made.

    Raises:
        Problem: 400, if what was sent is no calibration at all.
    """
    try:
        drawn = decode_calibration(data, "the calibration")
    except DrawingRefused as error:
        raise refused(error) from error
    lack = _lack(drawn)
    if lack:
        return _answer("incomplete", lack, None)
    try:
        check_shape(drawn)
        made = calibration_of(drawn)
    except (DrawingRefused, Misconfigured) as error:
        return _answer("refused", f"{error}.", None)
    if made is None:
        return _answer("incomplete", "It tells no metres yet.", None)
    verdict: Verdict = "rough" if made.is_rough else "good" if made.is_checked else "unchecked"
    return _answer(verdict, _WORDS[verdict], made)


def _answer(verdict: Verdict, words: str, made: GroundCalibration | None) -> CalibrationTry:
    return CalibrationTry(
        verdict=verdict,
        words=words,
        matrix=None if made is None else made.matrix,
        reach_px=None if made is None else made.reach_px,
        errors_px=None if made is None else made.errors_px,
        error_px=None if made is None else made.error_px,
        error_m=None if made is None else made.error_m,
        scale_error=None if made is None else made.scale_error,
    )


def _lack(drawn: DrawnCalibration) -> str:
    """Return what is still missing, empty if it can be tried."""
    number = len(drawn.points)
    if drawn.rectangles:
        return ""
    if drawn.distance_m is not None:
        return "" if number >= 2 else f"{number} of 2 points: set the other one."
    if not drawn.metres:
        return (
            f"{number} points, none with metres: give each its place on the ground, or two points a distance."
        )
    if number < FEWEST_REFERENCES:
        return f"{number} of {FEWEST_REFERENCES} points at least, each with its metres: set more."
    return ""
