"""Turns a YOLO network's rows into boxes in pixels, as plain arrays, for every back-end.

Coordinates are (left, top, right, bottom) or (left, top, width, height) in pixels of the image, x to the
right and y down, with the origin at the image's top left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from frametally.files.opencv import Pixels, cv2
from frametally.records import Detection
from frametally_consumer.detectors.protocol import check_image, make_model_id

POSTPROCESSING_VERSION = 1
"""Raised whenever anything here changes a box; part of the model id."""

CONFIDENCE_STEPS = 10_000
PIXEL_STEPS = 10

MIN_CONFIDENCE = 0.1
"""Boxes below it are not written."""
NMS_IOU = 0.45
"""Overlap above which the weaker of two boxes of one class is dropped."""
GROUP_NMS_IOU = 0.7
"""Overlap above which the weaker of two boxes of different classes of one group is dropped.

A network often finds a van as a car and as a truck. Two objects seldom overlap so much.
"""

_BLOCK = 256
"""How many boxes are compared with all others at once, which limits memory."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Boxes(NamedTuple):
    """The n objects of one image, as integers, in the order of `Detector.detect`.

    Attributes:
        class_index: (n,) int64, index in the model's classes.
        confidence_e4: (n,) int64, ten-thousandths.
        box_tenths: (n, 4) int64, (left, top, width, height) in tenths of a pixel, inside the image.
    """

    class_index: Integers
    confidence_e4: Integers
    box_tenths: Integers


def to_steps(values: npt.ArrayLike, steps: int) -> Integers:
    """Return `values` as whole numbers of 1/`steps`, halves rounded up; int64 of the same shape."""
    return np.floor(np.asarray(values, dtype=np.float64) * steps + 0.5).astype(np.int64)


def is_confident(confidence: npt.ArrayLike, min_confidence: float) -> npt.NDArray[np.bool_]:
    """Return which confidences, as they are written, are `min_confidence` or more; bool of the same shape."""
    return to_steps(confidence, CONFIDENCE_STEPS) >= to_steps(min_confidence, CONFIDENCE_STEPS)


def boxes_from_rows(
    rows: npt.NDArray[np.float32],
    *,
    width_px: int,
    height_px: int,
    min_confidence: float,
    nms_iou: float,
    group_of_class: Integers | None = None,
) -> Boxes:
    """Return the objects that a YOLO network found in one image of a given size.

    `rows` are (n, 5 + classes) float32, all finite: centre x, centre y, width and height as fractions of the
    image's size, objectness, then objectness x class probability for each class. A row is one box with its
    best class (the first of equals); its confidence is compared with `min_confidence` in ten-thousandths, as
    it will be written. If two boxes of one class overlap by more than `nms_iou`, the weaker is dropped; of
    two classes with one number in `group_of_class`, (classes,) int64, by more than `GROUP_NMS_IOU`.
    """
    scores = rows[:, 5:]
    confident = np.flatnonzero(is_confident(scores.max(axis=1), min_confidence))
    class_index = scores[confident].argmax(axis=1)
    confidence = scores[confident, class_index]
    strongest_first = np.argsort(-confidence, kind="stable")
    class_index, confidence = class_index[strongest_first], confidence[strongest_first]

    parts = rows[confident[strongest_first], :4].astype(np.float64)
    size = np.array([width_px, height_px], dtype=np.float64)
    centre, half = parts[:, :2] * size, parts[:, 2:] * size / 2
    corners = np.concatenate([centre - half, centre + half], axis=1)

    group = class_index if group_of_class is None else group_of_class[class_index]
    survivors = suppress_overlaps(corners, class_index, group, nms_iou=nms_iou)
    box_tenths = clip_to_tenths(corners[survivors], width_px=width_px, height_px=height_px)
    return in_stated_order(
        class_index[survivors], to_steps(confidence[survivors], CONFIDENCE_STEPS), box_tenths
    )


def suppress_overlaps(corners: Floats, class_index: Integers, group: Integers, *, nms_iou: float) -> Integers:
    """Suppress overlaps within classes and groups; return the kept boxes' indices, (kept,) int64, ascending.

    `corners` are (n, 4) float64, (left, top, right, bottom), strongest box first, `class_index` and `group`
    (n,) int64; boxes of one class are of one group. A box that overlaps a stronger kept one by more than
    `nms_iou`, or, for another class of the group, by more than `GROUP_NMS_IOU`, is dropped.
    """
    left, top, right, bottom = corners.T
    area = (right - left) * (bottom - top)
    alive = np.ones(len(corners), dtype=np.bool_)
    for first in range(0, len(corners), _BLOCK):
        block = np.arange(first, min(first + _BLOCK, len(corners)))[:, np.newaxis]
        across = np.minimum(right[block], right) - np.maximum(left[block], left)
        down = np.minimum(bottom[block], bottom) - np.maximum(top[block], top)
        common = np.maximum(across, 0.0) * np.maximum(down, 0.0)
        limit = np.where(class_index[block] == class_index, nms_iou, GROUP_NMS_IOU)
        # IoU > limit, without a division: boxes without area overlap nothing.
        overlaps = common > limit * (area + area[block] - common)
        weaker = np.arange(len(corners)) > block
        drops = overlaps & weaker & (group[block] == group)
        for row in np.flatnonzero(drops.any(axis=1)):
            if alive[first + row]:
                alive[drops[row]] = False
    return np.flatnonzero(alive)


def clip_to_tenths(corners: Floats, *, width_px: int, height_px: int) -> Integers:
    """Clip boxes to the image's edges, and round to tenths of a pixel.

    `corners` are (n, 4) float64, (left, top, right, bottom) in pixels; the result is (n, 4) int64, (left,
    top, width, height) in tenths, with a width or height of 0 if nothing is left.
    """
    edges = np.array([width_px, height_px, width_px, height_px], dtype=np.float64)
    tenths = to_steps(np.clip(corners, 0.0, edges), PIXEL_STEPS)
    tenths[:, 2:] -= tenths[:, :2]
    return tenths


def in_stated_order(class_index: Integers, confidence_e4: Integers, box_tenths: Integers) -> Boxes:
    """Return `Boxes` of these arrays, without empty boxes, in the order of `Detector.detect`."""
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


COLOURS = ("blue", "green", "red", "white")
"""The classes of `PixelDetector`; blue, green and red have their channel's index."""

_PIXEL_VERSION = 1
_BRIGHT = 128
"""A patch consists of touching pixels with at least one channel at or above this value."""
_MIN_SIDE_PX = 3
_COLOUR_LEAD = 64
"""How far a patch's strongest mean channel must lead the next one; if it does not, the patch is white."""


class PixelDetector:
    """Finds boxes around bright patches, from the pixels only.

    The confidence is the fraction of the box that the patch fills. Patches less than 3 pixels wide or high
    are left out. A patch with one strong channel is `blue`, `green` or `red`, any other is `white`.
    """

    def __init__(self, *, min_confidence: float) -> None:
        """Leave out patches that fill less than `min_confidence` of their box."""
        self._min_confidence_e4 = int(to_steps(min_confidence, CONFIDENCE_STEPS))
        self._model_id = make_model_id(
            name="pixels",
            backend="opencv",
            precision="u8",
            ingredients={"version": _PIXEL_VERSION, "min_confidence_e4": self._min_confidence_e4},
        )

    @property
    def model_id(self) -> str:
        """Name, back-end, precision and 8 hex digits of a hash over everything that changes a detection."""
        return self._model_id

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        """Return the patches in each of `images`; see `Detector.detect`.

        Raises `ValueError` if an image is not (height, width, 3) of uint8.
        """
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: Pixels) -> list[Detection]:
        check_image(image)
        strongest = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
        bright = (strongest >= _BRIGHT).astype(np.uint8)
        _, patch_of_pixel, table, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
        boxes, areas = table[:, :4].astype(np.int64), table[:, cv2.CC_STAT_AREA].astype(np.int64)
        # The background of a picture that is bright everywhere has no size.
        confidence_e4 = to_steps(areas / np.maximum(boxes[:, 2] * boxes[:, 3], 1), CONFIDENCE_STEPS)
        wanted = (boxes[:, 2:] >= _MIN_SIDE_PX).all(axis=1) & (confidence_e4 >= self._min_confidence_e4)
        wanted[0] = False  # the background
        patches = np.flatnonzero(wanted)
        flat = patch_of_pixel.ravel()
        sums = np.stack(
            [np.bincount(flat, image[..., channel].ravel(), minlength=len(table)) for channel in range(3)],
            axis=1,
        )
        means = sums[patches] / areas[patches, np.newaxis]
        colour = means.argmax(axis=1)
        _, second, first = np.sort(means, axis=1).T
        colour[first - second < _COLOUR_LEAD] = COLOURS.index("white")
        patch_boxes = in_stated_order(colour, confidence_e4[patches], boxes[patches] * PIXEL_STEPS)
        return as_detections(patch_boxes, COLOURS)
