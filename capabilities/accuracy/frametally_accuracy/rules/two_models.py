"""Compares two models on the same checked sample: which one is nearer to the truth here."""

from __future__ import annotations

import numpy as np

from frametally_accuracy.rules.drawing import Draws, Numbers
from frametally_accuracy.rules.estimation import Estimate, estimate


def error_difference(draws: Draws, truth: Numbers, first: Numbers, second: Numbers) -> Estimate:
    """Return by how much the counts of `first` are further from the truth than `second`'s, in all units.

    An interval above 0 says that `second` is better here, one below 0 that `first` is; one that holds 0 says
    neither. The error of a unit is the distance of its counts.
    """
    apart = np.abs(first - truth) - np.abs(second - truth)
    objects = float(np.where(draws.is_drawn, truth, 0.0).sum())
    nothing = np.zeros_like(apart)
    return estimate(draws, apart, nothing, model_total=0, slope=0, least=-np.inf, objects=objects)
