"""Blackens polygons, and blurs heads and plates at the boxes of a detector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from frametally.files.opencv import Pixels, cv2
from frametally.records import Detection

RECIPE = 2
"""Increase this version if the same detections change other pixels, or change them in another way."""

_UPPER = {"person", "pedestrian", "cyclist", "rider", "man", "woman", "child"}
_LOWER = {"car", "bus", "truck", "van", "vehicle", "lorry"}
_WHOLE = {
    *("motorbike", "motorcycle", "head", "face", "plate", "number plate", "numberplate"),
    *("license plate", "licence plate", "license_plate", "licence_plate", "license-plate", "licence-plate"),
}
LABELS = _UPPER | _LOWER | _WHOLE
"""Labels whose boxes have a head or a plate."""

_HEAD_PART, _PLATE_PART = 0.4, 0.6
"""Upper part of a person's box with the head; lower part of a vehicle's box with its plates."""
_MARGIN = 0.15
"""Added on each side, as a part of the box's side; boxes end short of hair and bumpers."""
_LEAST_MARGIN_PX = 2.0
_CELLS = 4
"""Cells on each side of a blurred part: a face or a plate of 4 x 4 colours cannot be recognised."""

Span = tuple[int, int, int, int]
"""Left, top, right and bottom edge in whole pixels of a picture."""


def masked(pixels: Pixels, masks: Iterable[Sequence[tuple[float, float]]]) -> Pixels:
    """Return a copy of a picture (height, width, 3; uint8) with polygons black.

    Points are fractions of width and height; a polygon includes the pixels that its edges touch.
    """
    height_px, width_px = pixels.shape[:2]
    blackened = pixels.copy()
    for mask in masks:
        points = np.rint(np.array(mask) * (width_px, height_px)).astype(np.int32)
        cv2.fillPoly(blackened, [points], (0, 0, 0))
        cv2.polylines(blackened, [points], isClosed=True, color=(0, 0, 0), thickness=3)
    return blackened


def spans_to_blur(detections: Iterable[Detection], width_px: int, height_px: int) -> list[Span]:
    """Return the parts to blur: upper parts of persons, lower parts of vehicles, with a margin."""
    spans = []
    for detection in detections:
        label = detection.label.lower()
        if label not in LABELS:
            continue
        left, top, width, height = detection.box
        right, bottom = left + width, top + height
        if label in _UPPER:
            bottom = top + height * _HEAD_PART
        elif label in _LOWER:
            top = bottom - height * _PLATE_PART
        across, down = (max(_MARGIN * side, _LEAST_MARGIN_PX) for side in (width, bottom - top))
        spans.append(
            (
                max(int(left - across), 0),
                max(int(top - down), 0),
                min(int(np.ceil(right + across)), width_px),
                min(int(np.ceil(bottom + down)), height_px),
            )
        )
    return spans


def blurred(pixels: Pixels, spans: Iterable[Span]) -> Pixels:
    """Return a copy of a picture (height, width, 3; uint8) whose parts keep `_CELLS` colours a side.

    Of a span of a larger picture, only the part in this picture is blurred.
    """
    changed = pixels.copy()
    height_px, width_px = pixels.shape[:2]
    for left, top, *ends in spans:
        right, bottom = min(ends[0], width_px), min(ends[1], height_px)
        if left < right and top < bottom:
            part = changed[top:bottom, left:right]
            cells = (min(_CELLS, right - left), min(_CELLS, bottom - top))
            small = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
            changed[top:bottom, left:right] = cv2.resize(
                small, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR
            )
    return changed
