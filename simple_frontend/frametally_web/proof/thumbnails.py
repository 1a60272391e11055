"""Frames made smaller, for cards and strips: a wall of them is not megabytes."""

from __future__ import annotations

import threading

from frametally.errors import Poison
from frametally.files.opencv import (
    cv2,
    decode_pixels,
    jpeg_size_px,
    reduced_px,
    reduction_for,
)

WIDTHS_PX = ("320", "640", "1280")
"""Widths that a smaller frame may be asked for in."""

_QUALITY = 80
_MOST_PIXELS = 30_000_000
"""What is decoded at most: a JPEG that is still larger at its greatest reduction stays as it is."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Decoded pixels are held for so many requests at once."""


def smaller(jpeg: bytes, width_px: int) -> bytes:
    """Return a stored frame as a JPEG of that width; as it is, if it is not wider or cannot be decoded."""
    try:
        size_px = jpeg_size_px(jpeg)
        if size_px[0] <= width_px:
            return jpeg
        wanted_px = (width_px, max(1, round(size_px[1] * width_px / size_px[0])))
        reduction = reduction_for(*size_px, wanted_px)
        if reduced_px(size_px[0], reduction) * reduced_px(size_px[1], reduction) > _MOST_PIXELS:
            return jpeg
        with _AT_ONCE:
            pixels = cv2.resize(decode_pixels(jpeg, reduction), wanted_px, interpolation=cv2.INTER_AREA)
            return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    except Poison:
        return jpeg  # whoever looks at it sees what is stored
