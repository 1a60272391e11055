"""Answers about the drawing of a source, and the data that helps people draw."""

from __future__ import annotations

from typing import Literal

from frametally.actions.answers import Answer
from frametally_traffic.records import DrawnCalibration, DrawnLine, DrawnZone

Verdict = Literal["good", "unchecked", "rough", "incomplete", "refused"]


class SourceDrawing(Answer, frozen=True, kw_only=True):
    """`/api/sources/{source}/drawing`: the drawing of a source, for all times.

    Attributes:
        source_name: The source as its owner wrote it.
        revision: The value for `If-Match`, in quotes; 0 if nothing was ever drawn.
        width_px: Width of the source's newest stored picture; null if no picture is stored.
        height_px: Its height; null if no picture is stored.
        lines: Lines and legs.
        zones: Zones.
        calibrations: The calibrations of the ground.
    """

    source: str
    source_name: str
    revision: int
    width_px: int | None
    height_px: int | None
    lines: tuple[DrawnLine, ...]
    zones: tuple[DrawnZone, ...]
    calibrations: tuple[DrawnCalibration, ...]


class CalibrationTry(Answer, frozen=True, kw_only=True):
    """`/api/calibrations/try`: the result of a calibration.

    Attributes:
        verdict: `good`; `unchecked`: there are no more points than a matrix needs, so their errors say
            nothing; `rough`: a scale, right only near its two points; `incomplete`: no metres yet;
            `refused`: not usable.
        words: The meaning of the verdict, or what to change.
        matrix: From pixels to metres, row by row; null if not usable, like the next five.
        reach_px: Left, top, right and bottom of the part of the picture in which it measures.
        errors_px: For each point, corner by corner, the distance between its place and the matrix's.
        error_px: Their root mean square: the reprojection error.
        error_m: The same on the ground.
        scale_error: Relative error of lengths.
    """

    verdict: Verdict
    words: str
    matrix: tuple[float, ...] | None
    reach_px: tuple[float, ...] | None
    errors_px: tuple[float, ...] | None
    error_px: float | None
    error_m: float | None
    scale_error: float | None


class ShownPath(Answer, frozen=True, kw_only=True):
    """The way of one object.

    Attributes:
        id: ID of its first track.
        began: How it began: `border` of the picture, `found` within it, `gap` or `footage` where the footage
            begins, `hour`: it goes on from before this range.
        ended: How it ended: `border`, `lost` within the picture, `gap` or `footage`, `hour` if it goes on.
        path: Time in milliseconds, x and y of its foot point in pixels of the stored picture, by time.
    """

    id: str
    label: str
    began: str
    ended: str
    path: list[tuple[int, float, float]]


class Paths(Answer, frozen=True, kw_only=True):
    """`/api/paths`: a layer of paths to draw over.

    Attributes:
        model: Model ID; null before there is any data.
        width_px: Width of the picture that paths are in: the largest of its shape; null without a picture.
        height_px: Its height; null without a picture.
        paths: A sample over the whole range, by time.
        paths_left_out: Number of paths that are not in the sample.
        points_left_out: Number of points of these paths that were thinned out.
        note: Reason why paths are missing, other than a lack of objects; otherwise null.
    """

    model: str | None
    source: str
    from_ms: int | None
    to_ms: int | None
    width_px: int | None
    height_px: int | None
    paths: list[ShownPath]
    paths_left_out: int
    points_left_out: int
    note: str | None


class StoredPicture(Answer, frozen=True, kw_only=True):
    """`/api/sources/{source}/frame`: a picture to draw over.

    Attributes:
        captured_at_ms: Event time of the frame; null if no frame is stored.
        image_path: Key of the frame's JPEG in the store; null if no frame is stored.
        image_url: Its address on this server; null if no frame is stored.
        width_px: Width of the stored picture; null if no frame is stored.
        height_px: Its height; null if no frame is stored.
        first_captured_at_ms: Event time of the source's first frame; null if it has no footage.
        last_captured_at_ms: Event time of its last frame; null if it has no footage.
    """

    source: str
    captured_at_ms: int | None
    image_path: str | None
    image_url: str | None
    width_px: int | None
    height_px: int | None
    first_captured_at_ms: int | None
    last_captured_at_ms: int | None
