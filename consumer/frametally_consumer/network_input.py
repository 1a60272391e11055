"""From a picture to a network's input, for every back-end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from frametally.opencv import Pixels, cv2

RESIZE_RULE = "stretch-linear-1"
"""Name of what `network_input` does; changed whenever that changes a value; part of the model id."""


def network_input(image: Pixels, *, width_px: int, height_px: int) -> npt.NDArray[np.float32]:
    """`image` as Darknet networks take it: stretched to the input's size, its proportions not kept.

    Args:
        image: (height, width, 3) uint8, blue-green-red.
        width_px: Width of the network's input.
        height_px: Height of the network's input.

    Returns:
        (1, 3, height_px, width_px) float32, red-green-blue, 0 to 1.
    """
    blob = cv2.dnn.blobFromImage(image, 1 / 255, (width_px, height_px), swapRB=True, crop=False)
    return np.asarray(blob, dtype=np.float32)
