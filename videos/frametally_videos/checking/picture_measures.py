"""What one grey picture measures: shape (height, width), dtype uint8, black 0 and white 255."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frametally.files.opencv import cv2

Grey = NDArray[np.uint8]

_BLACK_LUMA, _BLACK_PART = 25, 0.98
"""As FFmpeg's `blackdetect` has them: 98 % of the pixels at a tenth of the range or below."""
_PARTS = (32, 18)
_BLUR_TAPS = 9
_BLOCK_PX = 8
_LEAST_STEP = 0.3
"""Differences of neighbours below that are those of a flat picture, in which no block can be seen."""


def is_black(picture: Grey) -> bool:
    """Return whether nearly all of a picture is black."""
    return bool(np.count_nonzero(picture <= _BLACK_LUMA) >= _BLACK_PART * picture.size)


def mean_change(before: Grey, picture: Grey) -> float:
    """Return the mean difference of two pictures' pixels."""
    return float(cv2.mean(cv2.absdiff(before, picture))[0])


def largest_change(before: Grey, picture: Grey) -> float:
    """Return the largest difference of two pictures' pixels, or parts."""
    return float(cv2.absdiff(before, picture).max())


def parts(picture: Grey) -> Grey:
    """Return the means of a picture's 32x18 parts."""
    return np.asarray(cv2.resize(picture, _PARTS, interpolation=cv2.INTER_AREA), np.uint8)


def blur(picture: Grey) -> float:
    """Return the blur effect of a picture, 0 (sharp) to 1; a flat one has 1.

    A picture that is blurred once more loses few of its differences if it was blurred before (Crété and
    others: The blur effect, SPIE 2007). Contrast and brightness do not matter.
    """
    sharp = picture.astype(np.float32)
    found = []
    for axis, taps in ((0, (1, _BLUR_TAPS)), (1, (_BLUR_TAPS, 1))):
        steps = np.abs(np.diff(sharp, axis=axis))
        left = np.abs(np.diff(np.asarray(cv2.blur(sharp, taps)), axis=axis))
        total = float(steps.sum())
        found.append(1 - float(np.maximum(0, steps - left).sum()) / total if total else 1.0)
    return max(found)


def blockiness(picture: Grey) -> float:
    """Return by how much the steps at a grid of 8 pixels are larger than those beside it, from 1 (not) on.

    The grid may begin anywhere, and must be there in both directions (after Wang, Sheikh, Bovik: No-reference
    perceptual quality assessment of JPEG compressed images, ICIP 2002).
    """
    if min(picture.shape) < 2 * _BLOCK_PX:
        return 1.0
    found = []
    for axis in (0, 1):
        steps = np.abs(np.diff(picture.astype(np.int16), axis=axis)).mean(axis=1 - axis)
        by_place = [float(steps[place::_BLOCK_PX].mean()) for place in range(_BLOCK_PX)]
        found.append(max(by_place) / max(float(np.median(by_place)), _LEAST_STEP))
    return max(1.0, min(found))
