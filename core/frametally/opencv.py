"""OpenCV, with a bound on what it will decode: import `cv2` from here and nowhere else."""

from __future__ import annotations

import os

# OpenCV reads these once, at its first import; later they are ignored without a word. The bound is the second
# belt: the first is the check of a picture's header against `max_image_megapixels`, which is never above it.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "1000000000")
# A bad picture becomes one line of ours, with its name; OpenCV's own lines about it do not name it.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2
import numpy as np
from numpy.typing import NDArray

from frametally.errors import Poison

__all__ = ["Pixels", "cv2", "decode_image", "decode_pixels", "jpeg_size_px"]

Pixels = NDArray[np.uint8]
"""A picture: shape (height, width, 3), dtype uint8, channels blue, green, red."""

_START_OF_IMAGE = b"\xff\xd8"
_NO_LENGTH = {0x01, *range(0xD0, 0xD8)}  # TEM and the restart markers stand alone
_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC share the range
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def jpeg_size_px(data: bytes) -> tuple[int, int]:
    """`(width, height)` in pixels by a JPEG's header (ITU-T T.81, B.2.2); nothing is decoded.

    Raises:
        Poison: Not a JPEG, or one whose header is damaged.
    """
    if not data:
        raise Poison("the picture is empty (0 bytes)")
    if data[:2] != _START_OF_IMAGE:
        raise Poison("the picture is not a JPEG")
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _NO_LENGTH:
            position += 2
        elif marker in _START_OF_FRAME:
            height, width = (int.from_bytes(data[at : at + 2]) for at in (position + 5, position + 7))
            if len(data) < position + 9 or not width or not height:
                break
            return width, height
        elif marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    raise Poison("the JPEG's header is damaged")


def decode_image(data: bytes, max_pixels: int) -> Pixels:
    """The pixels of a stored frame, which is a JPEG, as they lie in it: an EXIF orientation is ignored.

    Args:
        data: The JPEG's bytes.
        max_pixels: Width times height above which the frame is refused, by its header, before decoding.

    Returns:
        Shape (height, width, 3), dtype uint8, channels blue, green, red.

    Raises:
        Poison: Empty, not a JPEG, larger than `max_pixels`, cut short or damaged.
    """
    width_px, height_px = jpeg_size_px(data)
    if width_px * height_px > max_pixels:
        raise Poison(f"the picture has {width_px}x{height_px} pixels; at most {max_pixels} are allowed")
    return decode_pixels(data)


def decode_pixels(data: bytes) -> Pixels:
    """As `decode_image`, of any format that OpenCV reads, for a caller that has checked the size itself.

    Raises:
        Poison: Empty, no known format, cut short or damaged.
    """
    if not data:
        raise Poison("the picture is empty (0 bytes)")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise Poison(f"the picture cannot be decoded: {error.err or 'OpenCV refuses it'}") from error
    if image is None:
        raise Poison("the picture cannot be decoded: it is cut short, damaged or no picture")
    return np.asarray(image, np.uint8)
