"""Detects decoded pictures that show nothing: black or one colour, within a camera's and a codec's noise.

A picture is blank if the means of its 16x9 parts differ by at most `MOST_SPREAD` levels, and no small spot,
such as a lamp at night, differs from their mean by more than `MOST_SPOT`. The first and last rows of parts,
where cameras write their clock and name, are ignored if fewer than half of their parts differ.
"""

from __future__ import annotations

import numpy as np

from frametally.files.opencv import Pixels, cv2
from frametally.rules.blank_stretches import Blank

MOST_SPREAD = 8
"""Levels of 255. Measured: noise alone up to 7, fog with 6 % of a street's contrast from 10."""
MOST_SPOT = 24.0
"""Levels of 255, of the mean of 5x5 pixels. Measured: noise up to 18, a lamp 3 pixels wide from 35 on."""
MOST_BLACK = 25
"""Mean level of 255 up to which a blank picture is called black: a tenth of the range, as in FFmpeg."""
_PARTS = (16, 9)
_THUMBNAIL_PX = (160, 90)
_SPOT_PX = 5


def blank_reason(picture: Pixels) -> Blank | None:
    """Return why a picture of shape (height, width, 3) shows nothing, or None if it shows something.

    The result depends on the pixels alone. For a picture that shows something, a thumbnail is usually enough.
    """
    thumbnail = cv2.resize(picture, _THUMBNAIL_PX, interpolation=cv2.INTER_NEAREST)
    parts = np.asarray(cv2.resize(thumbnail, _PARTS, interpolation=cv2.INTER_AREA), np.int16)
    inner = parts[1:-1].reshape(-1, 3)
    low, high = inner.min(axis=0), inner.max(axis=0)
    if np.any(high - low > MOST_SPREAD):
        return None
    mean = inner.mean(axis=0)
    border = np.abs(parts[[0, -1]].reshape(-1, 3) - mean).max(axis=1) > MOST_SPREAD
    if 2 * np.count_nonzero(border) >= len(border):
        return None
    height_px = len(picture)
    margin_px = height_px // _PARTS[1]
    near_px = max(0, margin_px - _SPOT_PX)
    darkest, brightest, *_ = cv2.minMaxLoc(picture[near_px : height_px - near_px].reshape(1, -1))
    # No spot is brighter than the brightest pixel, which decides if there is little noise.
    if brightest - mean.min() > MOST_SPOT or mean.max() - darkest > MOST_SPOT:
        spots = cv2.blur(picture, (_SPOT_PX, _SPOT_PX))[margin_px : height_px - margin_px]
        # Rows first: in that order numpy takes a fiftieth of the time.
        highest, lowest = spots.max(axis=0).max(axis=0), spots.min(axis=0).min(axis=0)
        if np.any(highest - mean > MOST_SPOT) or np.any(mean - lowest > MOST_SPOT):
            return None
    return "black" if mean.mean() <= MOST_BLACK else "one_colour"
