"""Computes quantiles of Student's t and the beta distribution with only the standard library."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

_STEPS = 300
_TINY = 1e-300


def beta_probability(x: float, a: float, b: float) -> float:
    """Return P(X <= x) of a beta distribution: the regularised incomplete beta function I_x(a, b).

    The continued fraction is 26.5.8 of Abramowitz and Stegun, evaluated by Lentz's method.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_probability(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    numerator, denominator, product = 1.0, 0.0, 1.0
    for step in range(_STEPS):
        half = step // 2
        if step == 0:
            factor = 1.0
        elif step % 2 == 0:
            factor = half * (b - half) * x / ((a + step - 1) * (a + step))
        else:
            factor = -(a + half) * (a + b + half) * x / ((a + step - 1) * (a + step))
        denominator = 1 / (_away_from_zero(1 + factor * denominator))
        numerator = _away_from_zero(1 + factor / numerator)
        product *= numerator * denominator
        if abs(numerator * denominator - 1) < 1e-14:
            break
    return math.exp(log_front) * (product - 1) / a


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the quantile of a beta distribution."""
    return _root(lambda x: beta_probability(x, a, b) - probability, 0, 1)


@lru_cache(maxsize=10_000)
def student_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t for a probability above 0.5."""
    tail = 2 * (1 - probability)
    x = beta_quantile(tail, degrees / 2, 0.5)
    return math.sqrt(degrees * (1 - x) / x)


def far_student_quantile(normal: float, degrees: int) -> float:
    """Return the quantile of Student's t with the probability of a normal quantile: 3.05 has 0.9989.

    It uses the first terms of 26.7.5 of Abramowitz and Stegun, and is too small with few degrees of freedom.
    """
    first = (normal**3 + normal) / 4
    second = (5 * normal**5 + 16 * normal**3 + 3 * normal) / 96
    third = (3 * normal**7 + 19 * normal**5 + 17 * normal**3 - 15 * normal) / 384
    return normal + first / degrees + second / degrees**2 + third / degrees**3


def share_interval(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of Clopper and Pearson (1934) for the share behind `hits` of `trials`."""
    tail = (1 - confidence) / 2
    low = beta_quantile(tail, hits, trials - hits + 1) if hits else 0.0
    high = beta_quantile(1 - tail, hits + 1, trials - hits) if hits < trials else 1.0
    return low, high


def share_bound(hits: int, trials: int, confidence: float) -> float:
    """Return the exact one-sided upper bound of Clopper and Pearson (1934) for a share."""
    return beta_quantile(confidence, hits + 1, trials - hits) if hits < trials else 1.0


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _root(rises: Callable[[float], float], low: float, high: float) -> float:
    while low < (middle := (low + high) / 2) < high:
        if rises(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
