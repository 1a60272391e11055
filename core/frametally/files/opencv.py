"""Limits what OpenCV decodes: import `cv2` only from here."""

from __future__ import annotations

import os
from typing import Any, Literal

# OpenCV reads these only at its first import. This limit is a second line of defence: the first is the check
# of a picture's header against `max_image_megapixels`, which is never above it.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "1000000000")
# We report a bad picture in one line with its name, which OpenCV's own messages lack.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2
import numpy as np
from numpy.typing import NDArray

from frametally.errors import Poison
from frametally.files.jpeg_header import START_OF_IMAGE, check_scans, jpeg_size_px

__all__ = [
    "Pixels",
    "Reduction",
    "cv2",
    "decode_image",
    "decode_pixels",
    "decode_values",
    "jpeg_size_px",
    "reduced_px",
    "reduction_for",
]

Pixels = NDArray[np.uint8]
"""A picture: shape (height, width, 3), dtype uint8, channels blue, green, red."""

Reduction = Literal[1, 2, 4, 8]
"""The factor by which each side of a picture is reduced when a JPEG is decoded."""

_FLAGS: dict[Reduction, int] = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def decode_image(data: bytes, max_pixels: int) -> Pixels:
    """Decode a stored frame, a JPEG, with its pixels as stored: an EXIF orientation is ignored.

    Args:
        data: The JPEG's bytes.
        max_pixels: Width times height above which the frame is refused by its header, before decoding.

    Returns:
        Shape (height, width, 3), dtype uint8, channels blue, green, red.

    Raises:
        Poison: Empty, not a JPEG, larger than `max_pixels`, truncated or damaged, or too slow to decode.
    """
    width_px, height_px = jpeg_size_px(data)
    if width_px * height_px > max_pixels:
        raise Poison(f"the picture has {width_px}x{height_px} pixels; at most {max_pixels} are allowed")
    return decode_pixels(data)


def reduction_for(width_px: int, height_px: int, least_px: tuple[int, int] | None) -> Reduction:
    """Return the largest reduction of a JPEG that leaves its width and height at `least_px` or more.

    None for `least_px` means that every pixel is needed.
    """
    if least_px is None:
        return 1
    reductions: tuple[Reduction, ...] = (8, 4, 2)
    for reduction in reductions:
        if width_px // reduction >= least_px[0] and height_px // reduction >= least_px[1]:
            return reduction
    return 1


def reduced_px(side_px: int, reduction: Reduction) -> int:
    """Return the reduced side of a JPEG: rounded up, as in the JPEG library."""
    return -(-side_px // reduction)


def decode_pixels(data: bytes, reduction: Reduction = 1) -> Pixels:
    """Decode any format that OpenCV reads, as `decode_image`, for a caller that has checked the size.

    Args:
        data: The picture's bytes.
        reduction: Divides each side of a JPEG, in a fraction of the time; each pixel is about the mean of
            those that it stands for (the JPEG library leaves out the finest frequencies).

    Raises:
        Poison: It is empty, not in a known format, truncated or damaged, or a JPEG that would take too long.
    """
    if data.startswith(START_OF_IMAGE):
        check_scans(data)
    return np.asarray(_decode(data, _FLAGS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION), np.uint8)


def decode_values(data: bytes) -> NDArray[Any]:
    """Decode a PNG or TIFF with the values that the file has, for a caller that has checked the size.

    Returns:
        Shape (height, width) or (height, width, channels), channels blue, green, red and perhaps alpha; the
        dtype of the file, such as uint16 or float32.

    Raises:
        Poison: It is empty, not in a known format, truncated or damaged.
    """
    return _decode(data, cv2.IMREAD_UNCHANGED)


def _decode(data: bytes, flags: int) -> NDArray[Any]:
    if not data:
        raise Poison("the picture is empty (0 bytes)")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise Poison(f"the picture cannot be decoded: {error.err or 'OpenCV refuses it'}") from error
    if image is None:
        raise Poison("the picture cannot be decoded: it is cut short, damaged or not a picture")
    return image
