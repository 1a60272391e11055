"""Estimates which of two models is closer to the truth on the same checked sample."""

from __future__ import annotations

import numpy as np

from frametally_accuracy.rules.drawing import Draws, Numbers
from frametally_accuracy.rules.estimation import Estimate, estimate


def error_difference(draws: Draws, truth: Numbers, first: Numbers, second: Numbers) -> Estimate:
    """Return how much further the counts of `first` are from the truth than those of `second`, in all units.

    An interval above 0 means that `second` is better here, one below 0 that `first` is; one that includes 0
    decides nothing. A unit's error is the distance of its count from the truth.
    """
    apart = np.abs(first - truth) - np.abs(second - truth)
    objects = float(np.where(draws.is_drawn, truth, 0.0).sum())
    nothing = np.zeros_like(apart)
    return estimate(draws, apart, nothing, model_total=0, slope=0, least=-np.inf, objects=objects)
