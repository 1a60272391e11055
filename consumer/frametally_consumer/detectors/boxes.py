"""From a YOLO network's rows to boxes in pixels: plain arrays in, plain arrays out, for every back-end.

Coordinates are (left, top, right, bottom) or (left, top, width, height) in pixels of the image, x to the
right and y down, with the origin at the image's top left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from frametally.records import Detection

POSTPROCESSING_VERSION = 1
"""Raised whenever anything here changes a box; part of the model id."""

CONFIDENCE_STEPS = 10_000
PIXEL_STEPS = 10

_BLOCK = 256
"""Boxes that are compared with all others in one go: bounds memory, however many there are."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Boxes(NamedTuple):
    """The objects of one image, as integers: n of them, in the order that `Detector.detect` states.

    Attributes:
        class_index: (n,) int64, place among the model's classes.
        confidence_e4: (n,) int64, ten-thousandths.
        box_tenths: (n, 4) int64, (left, top, width, height) in tenths of a pixel, inside the image.
    """

    class_index: Integers
    confidence_e4: Integers
    box_tenths: Integers


def to_steps(values: npt.ArrayLike, steps: int) -> Integers:
    """Return `values` as whole numbers of 1/`steps`, halves rounded up; int64 of the same shape."""
    return np.floor(np.asarray(values, dtype=np.float64) * steps + 0.5).astype(np.int64)


def boxes_from_rows(
    rows: npt.NDArray[np.float32],
    *,
    width_px: int,
    height_px: int,
    min_confidence: float,
    nms_iou: float,
) -> Boxes:
    """Return the objects that a YOLO network found in one image.

    A row is one box with its best class (of equal ones the first); its confidence is compared with
    `min_confidence` in ten-thousandths, as it will be written.

    Args:
        rows: (n, 5 + classes) float32: centre x, centre y, width and height as parts of the image's size,
            objectness, then objectness x class probability for each class; all finite.
        width_px: Width of the image.
        height_px: Height of the image.
        min_confidence: Boxes below it are left out.
        nms_iou: Of two boxes of one class that overlap by more, the weaker is left out.
    """
    scores = rows[:, 5:]
    confident = np.flatnonzero(
        to_steps(scores.max(axis=1), CONFIDENCE_STEPS) >= to_steps(min_confidence, CONFIDENCE_STEPS)
    )
    class_index = scores[confident].argmax(axis=1)
    confidence = scores[confident, class_index]
    strongest_first = np.argsort(-confidence, kind="stable")
    class_index, confidence = class_index[strongest_first], confidence[strongest_first]

    parts = rows[confident[strongest_first], :4].astype(np.float64)
    size = np.array([width_px, height_px], dtype=np.float64)
    centre, half = parts[:, :2] * size, parts[:, 2:] * size / 2
    corners = np.concatenate([centre - half, centre + half], axis=1)

    kept = suppress_overlaps(corners, class_index, nms_iou=nms_iou)
    box_tenths = clip_to_tenths(corners[kept], width_px=width_px, height_px=height_px)
    return in_stated_order(class_index[kept], to_steps(confidence[kept], CONFIDENCE_STEPS), box_tenths)


def suppress_overlaps(corners: Floats, class_index: Integers, *, nms_iou: float) -> Integers:
    """Suppress overlaps within each class, greedily.

    Args:
        corners: (n, 4) float64, (left, top, right, bottom), strongest box first.
        class_index: (n,) int64.
        nms_iou: A box that overlaps a stronger one that is kept by more than this is left out.

    Returns:
        (kept,) int64: places of the boxes that stay, in ascending order.
    """
    left, top, right, bottom = corners.T
    area = (right - left) * (bottom - top)
    alive = np.ones(len(corners), dtype=np.bool_)
    for first in range(0, len(corners), _BLOCK):
        block = np.arange(first, min(first + _BLOCK, len(corners)))[:, np.newaxis]
        across = np.minimum(right[block], right) - np.maximum(left[block], left)
        down = np.minimum(bottom[block], bottom) - np.maximum(top[block], top)
        common = np.maximum(across, 0.0) * np.maximum(down, 0.0)
        # IoU > limit, without a division: boxes without area overlap nothing.
        overlaps = common > nms_iou * (area + area[block] - common)
        weaker = np.arange(len(corners)) > block
        drops = overlaps & weaker & (class_index[block] == class_index)
        for row in np.flatnonzero(drops.any(axis=1)):
            if alive[first + row]:
                alive[drops[row]] = False
    return np.flatnonzero(alive)


def clip_to_tenths(corners: Floats, *, width_px: int, height_px: int) -> Integers:
    """Cut boxes at the image's edges, and round to tenths of a pixel.

    `corners` are (n, 4) float64, (left, top, right, bottom) in pixels; what is returned is (n, 4) int64,
    (left, top, width, height) in tenths, a width or height of 0 where nothing is left.
    """
    edges = np.array([width_px, height_px, width_px, height_px], dtype=np.float64)
    tenths = to_steps(np.clip(corners, 0.0, edges), PIXEL_STEPS)
    tenths[:, 2:] -= tenths[:, :2]
    return tenths


def in_stated_order(class_index: Integers, confidence_e4: Integers, box_tenths: Integers) -> Boxes:
    """Return `Boxes` of these arrays, without those of no area, in the order of `Detector.detect`."""
    visible = (box_tenths[:, 2:] > 0).all(axis=1)
    class_index, confidence_e4, box_tenths = class_index[visible], confidence_e4[visible], box_tenths[visible]
    order = np.lexsort((*box_tenths.T[::-1], class_index, -confidence_e4))  # last key first
    return Boxes(class_index[order], confidence_e4[order], box_tenths[order])


def as_detections(boxes: Boxes, class_names: Sequence[str]) -> list[Detection]:
    """Return `boxes` as records, in the same order."""
    return [
        Detection(
            label=class_names[class_index],
            confidence=confidence_e4 / CONFIDENCE_STEPS,
            box=(left / PIXEL_STEPS, top / PIXEL_STEPS, width / PIXEL_STEPS, height / PIXEL_STEPS),
        )
        for class_index, confidence_e4, (left, top, width, height) in zip(
            boxes.class_index.tolist(), boxes.confidence_e4.tolist(), boxes.box_tenths.tolist(), strict=True
        )
    ]
