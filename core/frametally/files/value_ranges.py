"""The values that become black and white in pictures with more than 8 bits, such as a thermal camera's."""

from __future__ import annotations

import math
from typing import NamedTuple


class ValueRange(NamedTuple):
    """Values of a picture, in its own units: `low` and less become black, `high` and more become white."""

    low: float
    high: float


def parse_value_range(text: str) -> ValueRange | None:
    """Parse `LOW:HIGH`, such as `29000:32000`; None if it is empty. Raises `ValueError`."""
    if not text:
        return None
    low, _, high = text.partition(":")
    try:
        values = ValueRange(float(low), float(high))
    except ValueError:
        values = ValueRange(0, 0)
    if not all(map(math.isfinite, values)) or values.low >= values.high:
        raise ValueError(
            f"{text!r} is not two values LOW:HIGH with LOW below HIGH; write it like 29000:32000"
        )
    return values


def known_value_range(text: str) -> str:
    """Return a setting's text after checking it. Raises as `parse_value_range`."""
    parse_value_range(text)
    return text
