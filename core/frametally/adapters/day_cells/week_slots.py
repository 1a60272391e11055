"""Which slots of cells lie in the chosen parts of the week."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frametally.rules.times import MONDAY_TO_1970_MS, WEEK_MS
from frametally.rules.week_parts import WeekParts


def is_of_parts(slots: NDArray[Any], parts: WeekParts, step_ms: int) -> NDArray[np.bool_]:
    """Return of each slot whether it is of these parts of the week; the step divides their borders."""
    first = int(slots.min())  # looked at once per slot, not per cell
    starts_ms = np.arange(first, int(slots.max()) + 1, dtype=np.int64) * step_ms
    borders_ms = np.array(parts).ravel()
    borders_before = np.searchsorted(borders_ms, (starts_ms + MONDAY_TO_1970_MS) % WEEK_MS, side="right")
    is_inside: NDArray[np.bool_] = (borders_before % 2 == 1)[slots - first]
    return is_inside
