"""A detector without a model: bright patches, named by their colour. For trials and for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from frametally.files.opencv import Pixels, cv2
from frametally.records import Detection
from frametally_consumer.detectors.boxes import (
    CONFIDENCE_STEPS,
    PIXEL_STEPS,
    as_detections,
    in_stated_order,
    to_steps,
)
from frametally_consumer.detectors.protocol import check_image, make_model_id

COLOURS = ("blue", "green", "red", "white")
"""Its classes; blue, green and red stand at the place of their channel."""

_VERSION = 1
_BRIGHT = 128
"""A patch is made of touching pixels with at least one channel from here on."""
_MIN_SIDE_PX = 3
_COLOUR_LEAD = 64
"""By how much a patch's strongest mean channel leads the next one, or else the patch is white."""


class PixelDetector:
    """Boxes around bright patches; what it finds comes from the pixels alone.

    The confidence is the part of the box that the patch fills. Patches under 3 pixels wide or high are left
    out. A patch of one strong channel is `blue`, `green` or `red`, any other `white`.
    """

    def __init__(self, *, min_confidence: float) -> None:
        """Patches that fill less than `min_confidence` of their box are left out."""
        self._min_confidence_e4 = int(to_steps(min_confidence, CONFIDENCE_STEPS))
        self._model_id = make_model_id(
            name="pixels",
            backend="opencv",
            precision="u8",
            ingredients={"version": _VERSION, "min_confidence_e4": self._min_confidence_e4},
        )

    @property
    def model_id(self) -> str:
        """Name, back-end, precision and 8 hex over everything that changes a detection."""
        return self._model_id

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        """Return the patches in each of `images`, as `Detector.detect` says.

        Raises:
            ValueError: An image is not (height, width, 3) of uint8.
        """
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: Pixels) -> list[Detection]:
        check_image(image)
        strongest = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
        bright = (strongest >= _BRIGHT).astype(np.uint8)
        _, patch_of_pixel, table, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
        boxes, areas = table[:, :4].astype(np.int64), table[:, cv2.CC_STAT_AREA].astype(np.int64)
        # A picture that is bright everywhere has a background of no size.
        confidence_e4 = to_steps(areas / np.maximum(boxes[:, 2] * boxes[:, 3], 1), CONFIDENCE_STEPS)
        wanted = (boxes[:, 2:] >= _MIN_SIDE_PX).all(axis=1) & (confidence_e4 >= self._min_confidence_e4)
        wanted[0] = False  # what is not bright
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
        found = in_stated_order(colour, confidence_e4[patches], boxes[patches] * PIXEL_STEPS)
        return as_detections(found, COLOURS)
