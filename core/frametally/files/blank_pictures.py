"""Detects decoded pictures that show nothing: black or one colour, within a camera's and a codec's noise.

A picture is blank if the means of its 16x9 parts differ by at most `MOST_SPREAD` levels, and no small spot,
such as a lamp at night, differs from their mean by more than `MOST_SPOT`. Three things do not count:

- text, such as a camera's clock and name or a recorder's "NO SIGNAL", wherever it is: strokes of one height
  in a row, also on a straight band of one colour along an edge. Anything else, such as a person at the lower
  edge of a dark picture, is a picture;
- light that leaks into a covered lens: a dark picture without detail that gets brighter to one side;
- the colour bars of a test picture: columns of one colour, many of them saturated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frametally.files.opencv import Pixels, cv2
from frametally.rules.blank_stretches import Blank

MOST_SPREAD = 8
"""Levels of 255. Measured: noise alone up to 7, fog with 6 % of a street's contrast from 10."""
MOST_SPOT = 24.0
"""Levels of 255, of the mean of 5x5 pixels. Measured: noise up to 18, a lamp 3 pixels wide from 35 on."""
MOST_BLACK = 25
"""Mean level of 255 up to which a blank picture is called black: a tenth of the range, as in FFmpeg."""
MOST_LEAK = 64
"""Level of the brightest part of a covered lens that light leaks into."""
MOST_DETAIL = 3.0
"""Levels by which the parts of a covered lens may differ from a smooth surface."""
_COLUMNS, _ROWS = _PARTS = (16, 9)
_THUMBNAIL_PX = (160, 90)
_SPOT_PX = 5
_MOST_MARKED = 36
"""Parts that text may cover: a quarter of the picture."""
_LEAST_LETTERS, _LEAST_LETTER_PX, _LEAST_STROKE = 4, 5, 3
"""Letters in a row; their least height; the least pixels of one of their strokes."""
_MOST_GAP = 0.8
"""Letters are closer together than this many of their heights; headlights are further apart."""
_MOST_FILL = 0.72
"""Median share of its rectangle that a letter fills; lamps and lit windows fill more."""
_MOST_BAND = 8
"""A band behind letters covers at most this part of the height, such as an eighth."""
_BAR_ROWS = 6
"""Colour bars cover the upper two thirds at least."""
_LEAST_BARS = 5

Levels = NDArray[np.floating[Any]]


def _surface_terms() -> NDArray[np.float32]:
    """Return the terms of a surface of the second degree for each part, shape (144, 6)."""
    y, x = (axis.reshape(-1) - axis.mean() for axis in np.mgrid[:_ROWS, :_COLUMNS].astype(np.float32))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


_TERMS = _surface_terms()
_FIT = np.linalg.pinv(_TERMS)


def blank_reason(picture: Pixels) -> Blank | None:
    """Return why a picture of shape (height, width, 3) shows nothing, or None if it shows something.

    The result depends on the pixels alone. For a picture that shows something, a thumbnail is usually enough.
    """
    thumbnail = cv2.resize(picture, _THUMBNAIL_PX, interpolation=cv2.INTER_NEAREST)
    parts = np.asarray(cv2.resize(thumbnail, _PARTS, interpolation=cv2.INTER_AREA), np.int16).reshape(-1, 3)
    is_marked = np.zeros(len(parts), bool)
    if np.any(parts.max(axis=0) - parts.min(axis=0) > MOST_SPREAD):
        if int(parts.max()) <= MOST_LEAK and _is_leak(picture, parts):
            return "black"
        middle = np.sort(parts, axis=0)[len(parts) // 2]
        is_marked = (np.abs(parts - middle) > MOST_SPREAD // 2).any(axis=1)
        if np.count_nonzero(is_marked) > _MOST_MARKED:
            return "one_colour" if _are_bars(parts) else None
    mean = parts[~is_marked].mean(axis=0)
    darkest, brightest, *_ = cv2.minMaxLoc(picture.reshape(1, -1))
    # No spot is brighter than the brightest pixel, which decides if there is little noise.
    if is_marked.any() or brightest - mean.min() > MOST_SPOT or mean.max() - darkest > MOST_SPOT:
        spots = cv2.blur(picture, (_SPOT_PX, _SPOT_PX))
        if (is_marked.any() or _has_spot(spots, mean)) and not _is_text(picture, mean, is_marked):
            return None
    return "black" if mean.mean() <= MOST_BLACK else "one_colour"


def _has_spot(spots: NDArray[Any], mean: Levels) -> bool:
    # Rows first: in that order numpy takes a fiftieth of the time.
    highest, lowest = spots.max(axis=0).max(axis=0), spots.min(axis=0).min(axis=0)
    return bool(np.any(highest - mean > MOST_SPOT) or np.any(mean - lowest > MOST_SPOT))


def _ground(picture: Pixels, mean: Levels, is_marked: NDArray[np.bool_]) -> Pixels:
    """Return what is behind letters: one colour, and the bands of another that a recorder draws for them.

    A band covers the upper or lower edge, up to an eighth of the height; it is straight, and has letters.
    """
    ground = np.full_like(picture, np.rint(mean))
    most_px, half_px = len(picture) // _MOST_BAND, _THUMBNAIL_PX[0] // 2
    slant_px = max(1, len(picture) // 180)
    for side in (slice(None), slice(None, None, -1)):
        if 2 * np.count_nonzero(is_marked[side][0]) < _COLUMNS:
            continue
        pixels = picture[side][: most_px + 1]
        edge = cv2.resize(pixels, (2 * half_px, most_px + 1), interpolation=cv2.INTER_AREA)
        rows = np.median(edge.reshape(-1, 2, half_px, 3), axis=2)
        is_band = (np.abs(rows - mean) > MOST_SPREAD // 2).any(axis=2)
        left_px, right_px = np.where(is_band.any(axis=0), len(edge) - np.argmax(is_band[::-1], axis=0), 0)
        band = edge[: max(left_px, right_px)]
        if 0 < len(band) <= most_px and abs(left_px - right_px) <= slant_px:
            colour = np.median(band, axis=(0, 1))
            if np.any(np.abs(band - colour) > 2 * MOST_SPOT):
                ground[side][: len(band)] = colour
    return ground


def _is_text(picture: Pixels, mean: Levels, is_marked: NDArray[np.bool_]) -> bool:
    """Return whether all that differs from the mean is letters in rows, on bands or without."""
    height_px, width_px = picture.shape[:2]
    ground = _ground(picture, mean, is_marked.reshape(_ROWS, _COLUMNS))
    away = cv2.absdiff(picture, ground).max(axis=2)
    mask = (away > max(MOST_SPOT, int(away.max()) / 2)).astype(np.uint8)
    stats = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:]
    stats = stats[stats[:, cv2.CC_STAT_AREA] >= _LEAST_STROKE]
    left, top, width, height, area = stats.T
    if not len(stats):
        return False
    letter_px = float(np.median(height[2 * height >= height.max()]))
    is_letter = np.abs(height - letter_px) <= max(1.5, 0.4 * letter_px)
    fill = area[is_letter] / (width * height)[is_letter]
    if not _LEAST_LETTER_PX <= letter_px <= height_px / 6 or np.median(fill) > _MOST_FILL:
        return False
    is_covered = np.zeros((_ROWS, _COLUMNS), bool)
    middles, is_left = top + height / 2, np.ones(len(stats), bool)
    for middle in np.sort(middles[is_letter]):
        row = is_left & (np.abs(middles - middle) <= 0.6 * letter_px)
        letters = row & is_letter
        if not letters.any():
            continue
        order = np.flatnonzero(row)[np.argsort(left[row])]
        gaps = left[order][1:] - (left + width)[order][:-1]
        are_near = len(gaps) == 0 or float(np.quantile(gaps, 0.6)) <= _MOST_GAP * letter_px
        count = np.ceil(width[letters] / height[letters]).sum()
        if count < _LEAST_LETTERS or not are_near or np.any(height[row] > 1.5 * letter_px):
            return False
        is_left &= ~row
        ends = top[row].min(), (top + height)[row].max()
        first_row, last_row = (int(end * _ROWS / height_px) for end in ends)
        for first, last in zip(left[row] - letter_px, (left + width)[row] + letter_px, strict=True):
            columns = (int(max(0, x) * _COLUMNS / width_px) for x in (first, last))
            is_covered[first_row : last_row + 1, slice(next(columns), 1 + next(columns))] = True
    is_bare = is_marked.reshape(_ROWS, _COLUMNS) & ~is_covered
    if is_left.any() or not is_bare.any():
        return not is_left.any()
    parts, plain = (
        cv2.resize(pixels, _PARTS, interpolation=cv2.INTER_AREA).astype(int) for pixels in (picture, ground)
    )
    return not np.any(np.abs(parts - plain)[is_bare] > MOST_SPREAD // 2)


def _is_leak(picture: Pixels, sampled: NDArray[np.int16]) -> bool:
    """Return whether a dark picture is as smooth as light that falls into a covered lens.

    The parts of its thumbnail, `sampled`, refuse most nights without a look at all pixels.
    """
    if np.any(np.abs(sampled - _TERMS @ (_FIT @ sampled)) > 3 * MOST_DETAIL):
        return False
    parts = np.asarray(cv2.resize(picture, _PARTS, interpolation=cv2.INTER_AREA), np.float32).reshape(-1, 3)
    surface = _TERMS @ (_FIT @ parts)
    if float(surface.min()) > MOST_BLACK or np.any(np.abs(parts - surface) > MOST_DETAIL):
        return False
    spots = cv2.blur(picture, (_SPOT_PX, _SPOT_PX)).astype(np.float32)
    ground = cv2.resize(surface.reshape(_ROWS, _COLUMNS, 3).astype(np.float32), picture.shape[1::-1])
    return not bool(np.any(np.abs(spots - ground) > MOST_SPOT))


def _are_bars(parts: NDArray[np.int16]) -> bool:
    """Return whether the upper two thirds are columns, each of one colour, several of them saturated."""
    rows = parts.reshape(_ROWS, _COLUMNS, 3)[:_BAR_ROWS]
    if np.any(rows.max(axis=0) - rows.min(axis=0) > MOST_SPREAD):
        return False
    columns = rows.mean(axis=0)
    steps = (np.abs(np.diff(columns, axis=0)) > 2 * MOST_SPREAD).any(axis=1)
    saturated = np.ptp(columns, axis=1) > 100
    return int(np.count_nonzero(steps)) >= _LEAST_BARS and 2 * int(np.count_nonzero(saturated)) >= _COLUMNS
