"""Makes 8 bits of pictures that have more, such as thermal ones, or refuses those that would go dark."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally.files.value_ranges import ValueRange

_LEAST_PART = 1 / 3
"""The part of their range that values must use: 85 of 256 levels. 14 bits in 16 use a quarter."""
_OUTLIERS_PERCENT = 0.1
"""Values left out at each end: dead pixels of a sensor say nothing about the others."""


def eight_bits(values: NDArray[Any], value_range: ValueRange) -> Pixels:
    """Return values of any dtype as uint8 of the same shape: the range from 0 to 255, rounded to nearest.

    A value that is not a number becomes 0.
    """
    low, high = value_range
    numbers = np.nan_to_num(values.astype(np.float64), nan=low)
    return np.rint((np.clip(numbers, low, high) - low) * (255 / (high - low))).astype(np.uint8)


def check_values(values: NDArray[Any], bits: int) -> None:
    """Raise `Poison` if 8 bits would lose what a picture shows; one with equal values shows nothing.

    Args:
        values: A picture of any shape: uint16 from 0 to 2**bits - 1, or another dtype, which has no range.
        bits: How many bits each value has.
    """
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    lowest, highest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    low, high = np.percentile(finite, (_OUTLIERS_PERCENT, 100 - _OUTLIERS_PERCENT)) if finite.size else (0, 0)
    if low == high:  # something small on a plain ground, or nothing
        low, high = lowest, highest
    if values.dtype == np.uint16:
        part = (high - low) / (2**bits - 1)
        if lowest == highest or part >= _LEAST_PART:
            return
        problem = (
            f"its values from {low:g} to {high:g} are {part:.1%} of its {bits} bits, so 8 bits hardly show it"
        )
    else:
        problem = f"its values, from {low:g} to {high:g}, have {bits} bits and no range that is white"
    raise Poison(
        problem,
        "produce its source with --value-range LOW:HIGH, the values that become black and white, such as "
        f"{low:g}:{high if high > low else low + 1:g}, or convert it to 8 bits",
    )


def eight_bit_frame(frame: av.VideoFrame, value_range: ValueRange | None) -> av.VideoFrame:
    """Return a frame of a video with 8 bits if it is grey and has more; itself without a range.

    Raises `Poison` as `check_values`.
    """
    bits = frame.format.components[0].bits
    if bits <= 8 or not frame.format.name.startswith("gray"):
        return frame
    values = frame.to_ndarray()
    if value_range is None:
        check_values(values, bits)
        return frame
    return av.VideoFrame.from_ndarray(eight_bits(values, value_range), "gray")
