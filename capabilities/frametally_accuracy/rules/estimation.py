"""Estimates the total of all units from the answers for a sample, with intervals.

All estimators here are the same sum with different `slope`: slope x (the model's total) + an unbiased
estimate of the total of (truth - slope x model). Slope 0 ignores the model, 1 is the difference estimator,
the ratio of truth to model is the ratio estimator, and the slope of least variance is power tuning (PPI++:
Angelopoulos, Duchi and Zrnic, 2023). The steady part of the counts has its own slope: a regression estimator
with two auxiliary totals (Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, chapter 6).
The estimate from draws with unequal probabilities without replacement is that of Des Raj (1956), as used for
audits by Shekhar et al. (2023); rounds are weighted so that equal weights give the plain mean with its
finite-population correction.

A sample with few errors also underestimates the variance, so the variance is never below that of a few
errors; only a census has no sampling error. If large errors are rare, samples that lack them have both a
wrong total and a small variance, so intervals must be wider (Hall, 1992). Whether there is enough for an
estimate depends on the objects that people saw, not on the variance: a choice by variance would keep the
samples with the widest intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from frametally_accuracy.rules.answer_agreement import AnswerErrors
from frametally_accuracy.rules.drawing import Draws, Numbers
from frametally_accuracy.rules.quantiles import far_student_quantile, share_bound, student_quantile

CONFIDENCE = 0.95
BEST_AT = 100
"""The interval for stopping at will is narrowest after about this many units."""
LEAST_OBJECTS = 25
"""If people saw fewer objects than this, there is no interval."""
_FEWEST_ERRORS = 2.25
"""The variance is at least that of so many errors: with none in 100 units, 3 are possible (rule of three)."""
_SKEWNESS = 1.5
"""Factor of the squared skewness, because samples that lack the rare large errors underestimate it."""
_MOST_WIDENING = 0.5
"""The most by which skewness widens an interval, as a fraction of its width."""
LEAST_ROUNDS = 3
_FIRM = 4.0
"""A slope starts at 1 with the weight of this many degrees of freedom."""
NOBODY_ERRS = AnswerErrors()
NORMAL = student_quantile((1 + CONFIDENCE) / 2, 10**9)


class Interval(NamedTuple):
    """An interval for the truth with 95 % confidence."""

    low: float
    high: float


class Estimate(NamedTuple):
    """The estimate of a total from a sample.

    Attributes:
        total: The estimate.
        fixed: Its interval for a sample whose size was fixed before.
        at_will: Its interval for people who stop whenever they like; never narrower.
        is_enough: Whether there is enough for an interval; else show none.
        standard_error: Standard error of the total.
        slope: Slope for counts that come and go.
        steady_slope: Slope for the steady part of the counts.
        ratio: Ratio of the estimate to the model's total; 1 if that is 0.
        parts: Each zone's part of the variance.
        people: Differences between people's answers; the intervals and the standard error include them.
    """

    total: float
    fixed: Interval
    at_will: Interval
    is_enough: bool
    standard_error: float
    slope: float
    steady_slope: float
    ratio: float
    parts: Numbers
    people: AnswerErrors = NOBODY_ERRS


class _Prepared(NamedTuple):
    """Draws, with everything that does not depend on the answers.

    Attributes:
        draws: The draws.
        rounds: Weight of each round; the sum is 1.
        spread: Factor from the variance of a draw to that of the total, by zone.
        drawn: Number of draws, by zone.
        time: Time of the martingale of the rounds: about their number while little is drawn.
        cubes: Factor from the third cumulant of a draw to that of the total, by zone.
    """

    draws: Draws
    rounds: Numbers
    spread: Numbers
    drawn: Numbers
    time: float
    cubes: Numbers


def estimate(
    draws: Draws,
    truth: Numbers,
    model: Numbers,
    *,
    model_total: float,
    steady: Numbers | None = None,
    steady_total: float = 0.0,
    slope: float | None = None,
    least: float | None = None,
    objects: float | None = None,
    people: AnswerErrors = NOBODY_ERRS,
) -> Estimate:
    """Return the estimate of the total of all units.

    Args:
        draws: The complete answered rounds, at least two.
        truth: The person's counts at the places of `draws.units`.
        model: The model's counts at the same places.
        model_total: The model's count in all units.
        steady: Part of `model` that stays from unit to unit; None for nothing.
        steady_total: Part of `model_total` that does.
        slope: Slope of both parts; None to tune both.
        least: Lower limit of the total; None for the person's count.
        objects: Number of objects that people saw in the sample; None for the person's count.
        people: Differences between people's answers for the same units.
    """
    counted = float(np.where(draws.is_drawn, truth, 0.0).sum())
    prepared = _prepare(draws)
    counts = np.stack([model, np.zeros_like(model)] if steady is None else [model - steady, steady])
    slopes = tuned_slopes(prepared, truth, counts) if slope is None else np.full(2, slope)
    residuals = np.where(draws.is_drawn, truth - np.tensordot(slopes, counts, 1), 0.0)
    rest_total = float(_by_zone(prepared, residuals).sum())
    total = float(slopes @ [model_total - steady_total, steady_total]) + rest_total
    freedom = np.maximum(prepared.drawn - 1, 1)
    # The second slope is fitted to the same draws.
    fitted = freedom.sum() / max(freedom.sum() - 1, 1) if slope is None and counts[1].any() else 1.0
    parts = prepared.spread * _variances(prepared, residuals / draws.weights) * fitted
    seen_variance = float(parts.sum())
    degrees = seen_variance**2 / float((parts**2 / freedom).sum()) if seen_variance else float(freedom.sum())
    one_error = float(prepared.spread.sum() / prepared.drawn.sum())
    error = math.sqrt(max(seen_variance, _FEWEST_ERRORS * one_error))
    degrees = max(1, int(degrees))
    is_census = bool(draws.is_drawn.sum() >= draws.sizes.sum())
    if is_census:
        total, error, widened = counted, 0.0, 0.0
    else:
        widened = error * _widening(_third_cumulant(prepared, residuals / draws.weights) / error**3)
    by_people = math.sqrt(people.variance(float(draws.sizes.sum())))
    error, widened = math.hypot(error, by_people), math.hypot(widened, by_people)
    width = student_quantile((1 + CONFIDENCE) / 2, degrees) * widened
    wider = max(far_student_quantile(_boundary(prepared), degrees) * widened, width)
    ratio = total / model_total if model_total else 1.0
    if least is None:
        least = max(counted - NORMAL * by_people, 0.0)
    return Estimate(
        total=max(total, least),
        fixed=_interval(total, width, least),
        at_will=_interval(total, wider, least),
        is_enough=is_census
        or (len(draws.units) >= LEAST_ROUNDS and (counted if objects is None else objects) >= LEAST_OBJECTS),
        standard_error=error,
        slope=float(slopes[0]),
        steady_slope=float(slopes[1]),
        ratio=ratio,
        parts=parts,
        people=people,
    )


def estimate_with_missing(
    estimate_of: Callable[[Numbers], Estimate],
    truth: Numbers,
    is_missing: NDArray[np.bool_],
    likely: Numbers,
    *extremes: Numbers | float,
) -> Estimate:
    """Return an estimate with intervals that allow for units that could not be judged.

    A unit may be missing because of what it shows. So the total uses the likely values there, and the
    intervals cover those with any extreme in all of these units: the bounds of Horowitz and Manski (1998).
    """
    if not is_missing.any():
        return estimate_of(truth)
    ends = [estimate_of(np.where(is_missing, values, truth)) for values in (likely, *extremes)]
    fixed, at_will = (
        Interval(min(interval.low for interval in intervals), max(interval.high for interval in intervals))
        for intervals in ([end.fixed for end in ends], [end.at_will for end in ends])
    )
    return ends[0]._replace(fixed=fixed, at_will=at_will, is_enough=all(end.is_enough for end in ends))


def tuned_slopes(prepared: _Prepared, truth: Numbers, counts: Numbers) -> Numbers:
    """Return the slopes of least variance, one for each array of counts; few answers shrink them towards 1.

    They are the least-squares slopes. With one array, this is the power tuning of PPI++.
    """
    weights, freedom = prepared.draws.weights, np.maximum(prepared.drawn - 1, 1)
    apart = np.stack([_apart(prepared, values / weights) for values in (truth, *counts)])
    moments = np.einsum("irz,jrz,z->ij", apart, apart, prepared.spread / freedom)
    alone, slopes = moments.diagonal()[1:], np.ones(len(counts))
    varies = np.flatnonzero(alone > 0)
    degrees = float((prepared.drawn - 1).sum())
    firm = _FIRM * alone[varies]
    squares = moments[1:, 1:][np.ix_(varies, varies)] * degrees + np.diag(firm)
    slopes[varies] = np.linalg.solve(squares, moments[0, 1:][varies] * degrees + firm)
    return slopes


def _interval(middle: float, width: float, least: float) -> Interval:
    return Interval(max(middle - width, least), max(middle + width, least))


def _prepare(draws: Draws) -> _Prepared:
    left = np.maximum(draws.sizes - np.arange(len(draws.units))[:, None], 0)
    behind = np.maximum(left - 1, 0).sum(axis=1)
    # Equal units get the textbook's weights; after the last one, everything is known.
    times = draws.sizes.sum() ** 2 / (left.sum(axis=1) * np.maximum(behind, 1e-12))
    spread = (times / times.sum())[:, None] ** 2 * draws.rest * (draws.rest - draws.is_drawn * draws.weights)
    drawn_by_zone = draws.is_drawn.sum(axis=0).astype(float)
    cubes = (spread**1.5).sum(axis=0)
    return _Prepared(draws, times / times.sum(), spread.sum(axis=0), drawn_by_zone, float(times.sum()), cubes)


def _by_zone(prepared: _Prepared, values: Numbers) -> Numbers:
    draws = prepared.draws
    earlier = np.cumsum(values, axis=0) - values
    by_round = earlier + draws.rest * values / draws.weights
    return np.asarray((prepared.rounds[:, None] * by_round).sum(axis=0))


def _variances(prepared: _Prepared, values: Numbers) -> Numbers:
    """Return the variance of the values drawn in each zone."""
    squares = (_apart(prepared, values) ** 2).sum(axis=0)
    return np.asarray(squares / np.maximum(prepared.drawn - 1, 1))


def _third_cumulant(prepared: _Prepared, values: Numbers) -> float:
    """Return the third cumulant of the total, from the unbiased one of the values drawn in each zone."""
    cubes = (_apart(prepared, values) ** 3).sum(axis=0)
    drawn = np.maximum(prepared.drawn, LEAST_ROUNDS)
    return float((prepared.cubes * cubes * drawn / ((drawn - 1) * (drawn - 2))).sum())


def _widening(skewness: float) -> float:
    """Return the factor by which to widen a Student's interval for the skewness of its total.

    It uses the term of the squared skewness in that interval's coverage: Hall, The Bootstrap and Edgeworth
    Expansion (1992), section 2.6. The kurtosis term is a fifteenth of it, with the opposite sign.
    """
    term = (NORMAL**4 + 2 * NORMAL**2 - 3) / 18
    return 1 + min(_SKEWNESS * term * skewness**2, _MOST_WIDENING)


def _apart(prepared: _Prepared, values: Numbers) -> Numbers:
    """Return each drawn value's deviation from the mean of its zone; 0 if nothing is drawn."""
    drawn = prepared.draws.is_drawn
    means = np.where(drawn, values, 0.0).sum(axis=0) / prepared.drawn
    return np.where(drawn, values - means, 0.0)


def _boundary(prepared: _Prepared) -> float:
    """Return the reach of a time-uniform interval in standard errors: a normal mixture's (Robbins, 1970).

    It is an asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of
    Statistics 2024, theorem 2.2) in the time of the martingale of the rounds.
    """
    log_alpha = math.log(1 - CONFIDENCE)
    best = BEST_AT / len(prepared.drawn) / (-2 * log_alpha + math.log(1 - 2 * log_alpha))
    time = prepared.time
    return math.sqrt((1 + best / time) * (math.log((time + best) / best) - 2 * log_alpha))


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
