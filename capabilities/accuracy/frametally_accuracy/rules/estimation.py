"""Estimates the total of all units from the answers for a sample, with intervals.

Every estimator here is one sum with another `slope`: slope x (the model's total) + an unbiased estimate of
the total of (truth - slope x model). Slope 0 ignores the model, 1 is the difference estimator, the ratio of
truth to model is the ratio estimator, and the slope of least variance is power tuning (PPI++: Angelopoulos,
Duchi and Zrnic, 2023). The steady part of the counts has a slope of its own: a regression estimator with two
auxiliary totals (Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, chapter 6). The
estimate from draws with unequal probabilities without replacement is that of Des Raj (1956), as Shekhar et
al. use it for audits (2023); rounds are weighted so that for equal weights it becomes the plain mean with its
finite-population correction.

A sample that shows few errors shows too little variance as well, so the variance is never less than that of a
few errors; only a census has no sampling error. Rare great errors make the variance small in just those
samples whose total is off, and an interval has to be wider for that (Hall, 1992). Whether there is enough to
say depends on the objects that people saw, not on the variance: a choice by variance keeps the samples with
the widest intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from frametally_accuracy.rules.answer_agreement import AnswerErrors
from frametally_accuracy.rules.drawing import Draws, Numbers
from frametally_accuracy.rules.quantiles import far_student_quantile, student_quantile

CONFIDENCE = 0.95
BEST_AT = 100
"""The interval for stopping at will is narrowest after about so many units."""
LEAST_OBJECTS = 25
"""With fewer objects that people saw there is too little to say."""
_FEWEST_ERRORS = 2.25
"""The variance is at least that of so many errors: with none in 100 units, 3 are possible (rule of three)."""
_SKEWNESS = 1.5
"""The squared skewness counts so often: a sample that lacks the rare great errors shows too little of it."""
_MOST_WIDENING = 0.5
"""The part by which an interval becomes wider for its skewness at most."""
LEAST_ROUNDS = 3
_FIRM = 4.0
"""A slope begins at 1 with the weight of so many degrees of freedom."""
NOBODY_ERRS = AnswerErrors()
NORMAL = student_quantile((1 + CONFIDENCE) / 2, 10**9)


class Interval(NamedTuple):
    """Where the truth is, with a confidence of 95 %."""

    low: float
    high: float


class Estimate(NamedTuple):
    """The estimate of a total from a sample.

    Attributes:
        total: The estimate.
        fixed: Its interval for a sample whose size was fixed before.
        at_will: Its interval for who stops when they like; never narrower.
        is_enough: Whether there is enough to say so; else show no interval.
        standard_error: Of the total.
        slope: Of the estimator, for counts that come and go.
        steady_slope: Of the steady part of the counts.
        ratio: Of the estimate to the model's total; 1 where that is 0.
        parts: By zone, its part of the variance.
        people: How people's answers for the same units differ; the intervals and the standard error have it.
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
    """Draws with what does not depend on the answers.

    Attributes:
        draws: The draws.
        rounds: Weight of each round, of a sum of 1.
        spread: By zone, how often the variance of a draw is in that of the total.
        drawn: By zone, its draws.
        time: Of the martingale that the rounds make: their number, while little is drawn.
        cubes: By zone, how often the third cumulant of a draw is in that of the total.
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
        draws: The complete rounds that are answered, two at least.
        truth: What a person counts, in the places of `draws.units`.
        model: The model's counts there.
        model_total: What it counts in all units.
        steady: How much of `model` stays from unit to unit; None: nothing.
        steady_total: How much of `model_total` does.
        slope: Of both parts; None: tuned.
        least: What the total is not below; None: what the person counts.
        objects: How many objects people saw in the sample; None: what the person counts.
        people: How people's answers for the same units differ.
    """
    counted = float(np.where(draws.is_drawn, truth, 0.0).sum())
    prepared = _prepare(draws)
    counts = np.stack([model, np.zeros_like(model)] if steady is None else [model - steady, steady])
    slopes = tuned_slopes(prepared, truth, counts) if slope is None else np.full(2, slope)
    residuals = np.where(draws.is_drawn, truth - np.tensordot(slopes, counts, 1), 0.0)
    rest_total = float(_by_zone(prepared, residuals).sum())
    total = float(slopes @ [model_total - steady_total, steady_total]) + rest_total
    freedom = np.maximum(prepared.drawn - 1, 1)
    # The second slope was fitted to the same draws.
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
    """Return an estimate with intervals that allow for units that nobody could judge.

    A unit may be missing for what it shows. So the total takes what is likely there, and the intervals reach
    as far as any of the extremes, in all of these units, has them: the bounds of Horowitz and Manski (1998).
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
    """Return the slopes of least variance, one for each array of counts; few answers draw them towards 1.

    They are those of least squares. With one array that is the power tuning of PPI++.
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
    # As many units have the same weight as the textbook has it; with the last one all is known.
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
    """Return the third cumulant of the total, by the unbiased one of the values drawn in each zone."""
    cubes = (_apart(prepared, values) ** 3).sum(axis=0)
    drawn = np.maximum(prepared.drawn, LEAST_ROUNDS)
    return float((prepared.cubes * cubes * drawn / ((drawn - 1) * (drawn - 2))).sum())


def _widening(skewness: float) -> float:
    """Return how many times as wide a Student's interval has to be where its total has this skewness.

    It is the term of the squared skewness in the coverage of that interval: Hall, The Bootstrap and Edgeworth
    Expansion (1992), section 2.6. The term of the kurtosis is a fifteenth of it, and of the other sign.
    """
    term = (NORMAL**4 + 2 * NORMAL**2 - 3) / 18
    return 1 + min(_SKEWNESS * term * skewness**2, _MOST_WIDENING)


def _apart(prepared: _Prepared, values: Numbers) -> Numbers:
    """Return how far each value drawn is from the mean of its zone; 0 where none is drawn."""
    drawn = prepared.draws.is_drawn
    means = np.where(drawn, values, 0.0).sum(axis=0) / prepared.drawn
    return np.where(drawn, values - means, 0.0)


def _boundary(prepared: _Prepared) -> float:
    """Return how many standard errors a time-uniform interval reaches: a normal mixture's (Robbins, 1970).

    As an asymptotic confidence sequence: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of
    Statistics 2024, theorem 2.2, in the time of the martingale that the rounds make.
    """
    log_alpha = math.log(1 - CONFIDENCE)
    best = BEST_AT / len(prepared.drawn) / (-2 * log_alpha + math.log(1 - 2 * log_alpha))
    time = prepared.time
    return math.sqrt((1 + best / time) * (math.log((time + best) / best) - 2 * log_alpha))
