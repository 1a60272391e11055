"""The interval of each bar that a check covers, and the bar without the errors of the model.

A bar is a small area of the checked footage (Fay and Herriot, 1979): it errs as the whole check does, and it
has an error of its own. Its own units show that one; of few units the estimate goes part of the way, and
keeps the variance of what it does not know. How far stretches differ is seen from runs of units that follow
each other. A stretch where one thing is taken for another all through is rare and far from all others, so the
interval always reaches beyond what the bar's own units say (Efron and Morris, 1972). Where the model counts
unusually much or little, such a stretch is likely, and the interval reaches as far as they alone have it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from frametally_accuracy.rules.drawing import Numbers, Whole
from frametally_accuracy.rules.estimation import Estimate

RUN = 4
"""Units of a run; a bar with fewer units of its own takes the nearest ones. There have to be so many."""
_LEAST_SHARE = 0.3
"""A bar errs as if it had so much of the mean more: what the model leaves empty has errors, too."""
_BEYOND = 0.25
"""The part of the half-width of what the bar's own units say by which an interval reaches beyond that."""
_BEYOND_UNUSUAL = 1.2
"""That part where the level is unusual: what is taken for another there makes units differ, too."""


class AnsweredUnits(NamedTuple):
    """Answered units in the order of their sources and times, a value each.

    Attributes:
        at: Where a unit is among all: its event time, or any number that rises with it.
        truth: A person's counts.
        model: The model's counts.
        weights: With which they were drawn.
        unusual: Whether the model counts unusually much or little there.
    """

    at: Whole
    truth: Numbers
    model: Numbers
    weights: Numbers
    unusual: NDArray[np.bool_]

    def only(self, chosen: Whole) -> AnsweredUnits:
        """Return some of them, in the order given."""
        return AnsweredUnits(
            self.at[chosen],
            self.truth[chosen],
            self.model[chosen],
            self.weights[chosen],
            self.unusual[chosen],
        )


class Spread(NamedTuple):
    """How far stretches of footage are from the mean error.

    Attributes:
        between: Variance of the error of a stretch, as a part of its size squared.
        within: Variance of a unit's error, for each object.
    """

    between: float
    within: float


class BarIntervals(NamedTuple):
    """For each bar a corrected count, and where the truth is."""

    corrected: Numbers
    low: Numbers
    high: Numbers


def spread_of(estimate: Estimate, sample: AnsweredUnits, *, units: int) -> Spread:
    """Return how far stretches differ, with one standard error added: few runs show little of it."""
    number = max(len(sample.at) // RUN, 2)
    runs = np.arange(len(sample.at)) * number // len(sample.at)
    sizes, shares = _sizes(estimate, sample.model, units), 1 / sample.weights
    residuals = sample.truth - estimate.ratio * sample.model
    whole = np.bincount(runs, shares * sizes)
    errors = np.bincount(runs, shares * residuals) / whole
    beside = (shares * (residuals - errors[runs] * sizes) ** 2).sum() / (shares * sizes).sum()
    freedom = max(len(sample.at) - number, 1)
    # One more error that nobody saw, as in the check's own variance.
    within = float(beside * len(sample.at) / freedom + 1 / sizes.sum())
    run_variances = errors**2 - within * np.bincount(runs, shares**2 * sizes) / whole**2
    between = float(np.average(run_variances, weights=whole))
    error = np.sqrt(np.average((run_variances - between) ** 2, weights=whole) / number)
    return Spread(max(between, 0.0) + float(error), within)


def bar_intervals(
    estimate: Estimate,
    spread: Spread,
    sample: AnsweredUnits,
    starts: Whole,
    ends: Whole,
    counts: Numbers,
    frames: Numbers,
    *,
    units: int,
    is_at_will: bool,
) -> BarIntervals:
    """Return the intervals of bars; of one that has all units, the check's own.

    Args:
        estimate: The estimate of the check.
        spread: How far stretches differ.
        sample: The answered units of the bars' sources, by `at`.
        starts: Where the bars begin, in the measure of `sample.at`.
        ends: Where they end, exclusive.
        counts: The model's counts in each bar.
        frames: How many of the check's units are in each bar.
        units: How many the check is about.
        is_at_will: Whether the interval is to hold whenever people stop.
    """
    interval = estimate.at_will if is_at_will else estimate.fixed
    # Missing pictures may move one end alone.
    quantile = max(interval.high - estimate.total, estimate.total - interval.low) / estimate.standard_error
    first, behind = np.searchsorted(sample.at, starts), np.searchsorted(sample.at, ends)
    answered = behind - first
    share, left = frames / units, np.maximum(1 - answered / np.maximum(frames, 1), 0)
    size = _sizes(estimate, counts, units, frames)
    error, variance, is_unusual = _local_errors(estimate, spread, sample, starts, ends, units)
    variance = np.where(answered >= RUN, variance * left, variance)
    shrinkage = spread.between / np.maximum(spread.between + variance, 1e-12)
    middle = estimate.ratio * counts + size * shrinkage * error
    own_variance = (1 - share**2) * size**2 * spread.between * (1 - shrinkage) + left * spread.within * size
    own_variance += (1 - share) * frames * estimate.people.response
    by_people = quantile * np.sqrt(frames * estimate.people.response + frames**2 * estimate.people.shared)
    width = quantile * np.sqrt((share * estimate.standard_error) ** 2 + own_variance)
    direct = estimate.ratio * counts + size * error
    beyond = (
        np.where(is_unusual, _BEYOND_UNUSUAL, _BEYOND) * quantile * (1 - share) * size * np.sqrt(variance)
    )
    truth_sums = np.concatenate([[0.0], np.cumsum(sample.truth)])
    least = truth_sums[behind] - truth_sums[first]
    low = np.floor(np.minimum(middle - width, direct - beyond))
    high = np.ceil(np.maximum(middle + width, direct + beyond))
    is_whole = frames >= units
    answered_counts = least, np.maximum(np.floor(least - by_people), 0), np.ceil(least + by_people)
    # With every unit answered, the truth is known, as far as people agree.
    is_known = answered >= frames
    return BarIntervals(
        *(
            np.where(is_known, counts_there, np.maximum(np.where(is_whole, whole, part), lowest))
            for counts_there, lowest, whole, part in zip(
                answered_counts,
                (least, answered_counts[1], answered_counts[1]),
                (estimate.total, *interval),
                (middle, low, high),
                strict=True,
            )
        )
    )


def _sizes(estimate: Estimate, counts: Numbers, units: int, frames: Numbers | float = 1.0) -> Numbers:
    """Return the objects of units or bars, and a part of the mean: what their errors are measured in."""
    return np.asarray(max(estimate.ratio, 0.0) * counts + _LEAST_SHARE * frames * estimate.total / units)


def _local_errors(
    estimate: Estimate, spread: Spread, sample: AnsweredUnits, starts: Whole, ends: Whole, units: int
) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """Return the error of each bar that its units show, as a part of its size, and the variance of that.

    The third value is whether the level of any of these units is unusual.
    """
    first, behind = np.searchsorted(sample.at, starts), np.searchsorted(sample.at, ends)
    is_short = behind - first < RUN
    middle = np.searchsorted(sample.at, (starts + ends) // 2)
    nearest = np.clip(middle - RUN // 2, 0, max(len(sample.at) - RUN, 0))
    first = np.where(is_short, nearest, first)
    behind = np.where(is_short, np.minimum(nearest + RUN, len(sample.at)), behind)
    sizes, shares = _sizes(estimate, sample.model, units), 1 / sample.weights
    sums = (
        np.concatenate([[0.0], np.cumsum(values)])
        for values in (
            shares * sizes,
            shares * (sample.truth - estimate.ratio * sample.model),
            shares**2 * sizes,
            sample.unusual,
        )
    )
    whole, residual, squares, unusual = (values[behind] - values[first] for values in sums)
    whole = np.maximum(whole, 1e-12)
    return residual / whole, spread.within * squares / whole**2, unusual > 0
