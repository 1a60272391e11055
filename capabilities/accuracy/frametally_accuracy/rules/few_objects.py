"""The most objects that there may be where people saw few of them, or none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frametally_accuracy.rules.drawing import Draws, Numbers
from frametally_accuracy.rules.estimation import CONFIDENCE
from frametally_accuracy.rules.quantiles import share_bound


def most_objects(
    draws: Draws, truth: Numbers, is_missing: NDArray[np.bool_], *, is_at_will: bool
) -> float | None:
    """Return the upper bound of the total with one side of 95 %; None: there is none when stopping at will.

    It is the bound of Clopper and Pearson (1934) for the share of units that have any: with none in n units
    about 3 / n, the rule of three (Hanley and Lippman-Hand, 1983). That one holds whenever people stop: a
    share above it shows itself before in 19 of 20 checks. A unit may have the least weight of the sample, and
    as many objects as the fullest one; where a picture is missing there are some.
    """
    drawn = draws.is_drawn
    number, hits = int(drawn.sum()), int(((truth > 0) | is_missing)[drawn].sum())
    if hits and is_at_will:
        return None
    share = share_bound(hits, number, CONFIDENCE) / float(draws.weights[drawn].min())
    return min(share, 1.0) * float(draws.sizes.sum()) * max(float(truth.max()), 1.0)
