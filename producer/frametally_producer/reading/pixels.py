"""Turns and shrinks pictures. Orientations are EXIF's, 1 to 8 (CIPA DC-008, 4.6.4, tag 0x0112)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from frametally.errors import Poison
from frametally.files.opencv import Pixels, cv2

UPRIGHT = 1
_MOST_SIDE_PX = 65_500  # the limit of libjpeg
_ALMOST_SQUARE = Fraction(101, 100)
_MOST_STRETCH = 4

# Steps that make each orientation upright: swap x and y, then mirror left and right, then top and bottom.
_STEPS: dict[int, tuple[bool, bool, bool]] = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


def upright(image: Pixels, orientation: int) -> Pixels:
    """Turn `image`, (height, width, 3) uint8, upright; an unknown orientation counts as 1.

    Returns shape (height, width, 3), or (width, height, 3) for orientations 5 to 8; an upright image is
    returned itself.
    """
    if orientation == UPRIGHT or orientation not in _STEPS:
        return image
    transpose, mirror, flip = _STEPS[orientation]
    turned = image.transpose(1, 0, 2) if transpose else image
    turned = turned[:, ::-1] if mirror else turned
    turned = turned[::-1] if flip else turned
    return np.ascontiguousarray(turned)


def square_size_px(
    width_px: int, height_px: int, pixel_aspect: Fraction | None, most: int
) -> tuple[int, int]:
    """Return the size of a picture that looks the same with square pixels.

    The side on which pixels are longer is stretched, so no detail is lost; if the picture would then have
    more than `most` pixels, the other side shrinks instead. `pixel_aspect` is the width of a pixel by its
    height: unknown, within 1% of a square (as in `rules.places`), or beyond 4 to 1, it changes nothing.
    """
    if not pixel_aspect or pixel_aspect < 0:
        return width_px, height_px
    stretch = max(pixel_aspect, 1 / pixel_aspect)
    if not _ALMOST_SQUARE < stretch <= _MOST_STRETCH:
        return width_px, height_px
    is_wide = pixel_aspect > 1
    if width_px * height_px * stretch > most:
        is_wide, stretch = not is_wide, 1 / stretch
    if is_wide:
        return max(1, round(width_px * stretch)), height_px
    return width_px, max(1, round(height_px * stretch))


def shrink(image: Pixels, max_side_px: int) -> Pixels:
    """Shrink `image`, (height, width, 3) uint8, to a longest side of at most `max_side_px` (0 for no limit).

    It keeps the proportions and never enlarges an image.
    """
    height_px, width_px = image.shape[:2]
    longest_px = max(height_px, width_px)
    if not max_side_px or longest_px <= max_side_px:
        return image
    # Rounded half up in integers, so that the same picture has the same size everywhere.
    sides_px = (width_px, height_px)
    size_px = [max(1, (2 * side * max_side_px + longest_px) // (2 * longest_px)) for side in sides_px]
    return np.asarray(cv2.resize(image, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def encode_jpeg(image: Pixels, quality: int) -> bytes:
    """Encode `image` (height, width, 3; uint8; blue, green, red) as a JPEG, the same bytes every time.

    Raises `Poison` if OpenCV cannot encode it.
    """
    height_px, width_px = image.shape[:2]
    check_sides(width_px, height_px, 0)
    try:
        is_encoded, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise Poison(
            f"cannot be encoded as a JPEG: {error.err or 'OpenCV refuses it'}; convert it"
        ) from error
    if not is_encoded:
        raise Poison(f"cannot be encoded as a JPEG of {width_px}x{height_px} pixels; convert it")
    return data.tobytes()


def check_sides(width_px: int, height_px: int, max_side_px: int) -> None:
    """Raise `Poison` if a picture, shrunk to `max_side_px` (not shrunk if 0), is too large for a JPEG."""
    longest_px = max(width_px, height_px)
    if min(longest_px, max_side_px or longest_px) > _MOST_SIDE_PX:
        raise Poison(
            f"has {width_px}x{height_px} pixels, but a JPEG's sides can have at most {_MOST_SIDE_PX}; "
            f"--max-side-px {_MOST_SIDE_PX} shrinks it"
        )
