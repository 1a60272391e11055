"""Bounds the number of objects if people saw few or none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frametally_accuracy.rules.drawing import Draws, Numbers
from frametally_accuracy.rules.estimation import CONFIDENCE
from frametally_accuracy.rules.quantiles import share_bound


def most_objects(
    draws: Draws, truth: Numbers, is_missing: NDArray[np.bool_], *, is_at_will: bool
) -> float | None:
    """Return the one-sided 95 % upper bound of the total; None if people stop at will and saw any.

    It is the bound of Clopper and Pearson (1934) for the share of units with objects: with none in n units
    about 3 / n, the rule of three (Hanley and Lippman-Hand, 1983). It holds whenever people stop: 19 of 20
    checks find a larger share earlier. Units are taken to have the sample's least weight and as many objects
    as its fullest unit; those with a missing picture count as having some.
    """
    drawn = draws.is_drawn
    number, hits = int(drawn.sum()), int(((truth > 0) | is_missing)[drawn].sum())
    if hits and is_at_will:
        return None
    share = share_bound(hits, number, CONFIDENCE) / float(draws.weights[drawn].min())
    return min(share, 1.0) * float(draws.sizes.sum()) * max(float(truth.max()), 1.0)
