"""Computes an interval and a corrected count for each bar that a check covers.

A bar is a small area of the checked footage (Fay and Herriot, 1979): it shares the error of the whole check
and adds its own. Its own units show the latter; with few units the estimate goes only part of the way, and
keeps the variance of the rest. Runs of consecutive units show how far stretches differ. A stretch where one
thing is mistaken for another throughout is rare and far from all others, so the interval always reaches
beyond what the bar's own units say (Efron and Morris, 1972). Where the model's counts are unusually high or
low, such a stretch is likely, and the interval reaches as far as the bar's own units alone suggest.

Where errors change, as when a model goes blind at night, nothing is borrowed across the change: each stretch
has its own spread. A bar on a change gets the design-based interval of its own units (Särndal, Swensson and
Wretman, 1992, chapter 10); with too few of them, it covers the intervals of both sides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from frametally_accuracy.rules.drawing import Numbers, Whole
from frametally_accuracy.rules.estimation import CONFIDENCE, NORMAL, Estimate
from frametally_accuracy.rules.quantiles import student_quantile

RUN = 4
"""Units of a run, and the least for any interval; a bar with fewer units borrows the nearest ones."""
_LEAST_SHARE = 0.3
"""Part of the mean added to a bar's size, because there are errors where the model counts nothing."""
_CHANGE = 3.5
"""Standard errors between two sides that exceed chance, given the many places to split."""
_AROUND = 3
"""Units on either side of a bar that decide whether it is on a change, whose place few units show."""
_LEAST = 1e-9
_BEYOND = 0.25
"""How far an interval reaches beyond that of the bar's own units, as a part of its half-width."""
_BEYOND_UNUSUAL = 1.2
"""The same part where the level is unusual: mistaken objects there also make units differ."""


class AnsweredUnits(NamedTuple):
    """Answered units by source and time, one value each.

    Attributes:
        at: Position of a unit: its event time, or any number that rises with it.
        truth: A person's counts.
        model: The model's counts.
        weights: Weights that they were drawn with.
        unusual: Whether the model's counts are unusually high or low there.
        stretch: Number of its stretch of similar errors, from 0; see `stretches_of`.
    """

    at: Whole
    truth: Numbers
    model: Numbers
    weights: Numbers
    unusual: NDArray[np.bool_]
    stretch: Whole

    def only(self, chosen: Whole) -> AnsweredUnits:
        """Return the chosen units, in the given order."""
        return AnsweredUnits(
            self.at[chosen],
            self.truth[chosen],
            self.model[chosen],
            self.weights[chosen],
            self.unusual[chosen],
            self.stretch[chosen],
        )


class Spread(NamedTuple):
    """How far parts of footage deviate from the mean error.

    Attributes:
        between: Variance of a part's error, relative to its squared size.
        within: Variance of a unit's error per object.
        reach: Factor that widens intervals, because few units underestimate these variances.
    """

    between: float
    within: float
    reach: float = 1.0


class BarIntervals(NamedTuple):
    """A corrected count and an interval for the truth, for each bar."""

    corrected: Numbers
    low: Numbers
    high: Numbers


def stretches_of(truth: Numbers, model: Numbers) -> Whole:
    """Return each unit's stretch, in order of source and time; within one, errors vary only by chance.

    A stretch is split where its two sides differ most, if by more than chance (binary segmentation: Scott and
    Knott, 1974). They must differ both in truth minus model and in truth minus the expectation by the
    stretch's ratio, so a fuller hour in which the same share is missed does not split it.
    """
    stretch = np.zeros(len(truth), dtype=np.int64)
    open_parts = [slice(0, len(truth))]
    while open_parts:
        part = open_parts.pop()
        counted = float(model[part].sum())
        ratio = float(truth[part].sum()) / counted if counted else 1.0
        apart = np.minimum(*(_sides_apart(truth[part] - slope * model[part]) for slope in (1.0, ratio)))
        if len(apart) and apart.max() > _CHANGE:
            begin = part.start + RUN + int(apart.argmax())
            stretch[begin:] += 1
            open_parts += [slice(part.start, begin), slice(begin, part.stop)]
    return stretch


def _sides_apart(errors: Numbers) -> Numbers:
    """Return, for each place to split, how many standard errors the means of both sides are apart."""
    left = np.arange(RUN, len(errors) - RUN + 1)
    right, sums = len(errors) - left, np.cumsum(errors)
    means = sums[left - 1] / left, (sums[-1] - sums[left - 1]) / right
    rest = (errors**2).sum() - left * means[0] ** 2 - right * means[1] ** 2
    variance = np.maximum(rest, _LEAST) / (len(errors) - 2) * (1 / left + 1 / right)
    return np.asarray(np.abs(means[0] - means[1]) / np.sqrt(variance))


def spreads_of(estimate: Estimate, sample: AnsweredUnits, *, units: int) -> list[Spread]:
    """Return how far parts of footage differ, for each stretch."""
    number = int(sample.stretch.max()) + 1
    if number == 1:
        return [spread_of(estimate, sample, units=units)]
    spreads = []
    for stretch in range(number):
        part = sample.only(np.flatnonzero(sample.stretch == stretch))
        degrees = max(len(part.at) - max(len(part.at) // RUN, 2), 1)
        reach = student_quantile((1 + CONFIDENCE) / 2, degrees) / NORMAL
        spreads.append(spread_of(estimate, part, units=units)._replace(reach=reach))
    return spreads


def spread_of(estimate: Estimate, sample: AnsweredUnits, *, units: int) -> Spread:
    """Return how far runs differ, plus one standard error, because few runs underestimate it."""
    number = max(len(sample.at) // RUN, 2)
    runs = np.arange(len(sample.at)) * number // len(sample.at)
    sizes, shares = _sizes(estimate, sample.model, units), 1 / sample.weights
    residuals = sample.truth - estimate.ratio * sample.model
    whole = np.bincount(runs, shares * sizes)
    errors = np.bincount(runs, shares * residuals) / whole
    beside = (shares * (residuals - errors[runs] * sizes) ** 2).sum() / (shares * sizes).sum()
    freedom = max(len(sample.at) - number, 1)
    # Add one unseen error, as in the check's own variance.
    within = float(beside * len(sample.at) / freedom + 1 / sizes.sum())
    run_variances = errors**2 - within * np.bincount(runs, shares**2 * sizes) / whole**2
    between = float(np.average(run_variances, weights=whole))
    error = np.sqrt(np.average((run_variances - between) ** 2, weights=whole) / number)
    return Spread(max(between, 0.0) + float(error), within)


def bar_intervals(
    estimate: Estimate,
    spreads: Sequence[Spread],
    sample: AnsweredUnits,
    starts: Whole,
    ends: Whole,
    counts: Numbers,
    frames: Numbers,
    *,
    units: int,
    is_at_will: bool,
) -> BarIntervals:
    """Return the intervals of bars; a bar with all units has the check's own.

    Args:
        estimate: The estimate of the check.
        spreads: Spread of each stretch.
        sample: The answered units of the bars' sources, by `at`.
        starts: Starts of the bars, on the scale of `sample.at`.
        ends: Their ends, exclusive.
        counts: The model's counts in each bar.
        frames: Number of the check's units in each bar.
        units: Number of units that the check is about.
        is_at_will: Whether the interval must hold whenever people stop.
    """
    interval = estimate.at_will if is_at_will else estimate.fixed
    # Missing pictures may move one end only.
    half = max(interval.high - estimate.total, estimate.total - interval.low)
    quantile = half / max(estimate.standard_error, _LEAST)
    first, behind = np.searchsorted(sample.at, starts), np.searchsorted(sample.at, ends)
    answered = behind - first
    bars = _Bars(starts, ends, counts, frames, answered, units, quantile)
    middle, low, high = _of_stretches(estimate, spreads, sample, bars)
    by_people = quantile * np.sqrt(frames * estimate.people.response + frames**2 * estimate.people.shared)
    truth_sums = np.concatenate([[0.0], np.cumsum(sample.truth)])
    least = truth_sums[behind] - truth_sums[first]
    answered_counts = least, np.maximum(np.floor(least - by_people), 0), np.ceil(least + by_people)
    is_whole = frames >= units
    # With every unit answered, the truth is known, as far as people agree.
    is_known = answered >= frames
    return BarIntervals(
        *(
            np.where(is_known, counts_there, np.maximum(np.where(is_whole, whole, part), lowest))
            for counts_there, lowest, whole, part in zip(
                answered_counts,
                (least, answered_counts[1], answered_counts[1]),
                (estimate.total, *interval),
                (middle, np.floor(low), np.ceil(high)),
                strict=True,
            )
        )
    )


class _Bars(NamedTuple):
    """Bars, with the number of answered units in each."""

    starts: Whole
    ends: Whole
    counts: Numbers
    frames: Numbers
    answered: Whole
    units: int
    quantile: float

    def only(self, chosen: Whole) -> _Bars:
        """Return the chosen units, in the given order."""
        return self._replace(
            starts=self.starts[chosen],
            ends=self.ends[chosen],
            counts=self.counts[chosen],
            frames=self.frames[chosen],
            answered=self.answered[chosen],
        )


def _of_stretches(
    estimate: Estimate, spreads: Sequence[Spread], sample: AnsweredUnits, bars: _Bars
) -> BarIntervals:
    """Return the intervals of bars by the stretches that they are in."""
    if len(spreads) == 1:
        return _of_one_stretch(estimate, spreads[0], sample, bars)
    first = np.maximum(np.searchsorted(sample.at, bars.starts) - _AROUND, 0)
    behind = np.minimum(np.searchsorted(sample.at, bars.ends) + _AROUND, len(sample.at))
    stretches = np.zeros(len(bars.starts))
    middle, low, high = np.zeros_like(stretches), stretches + np.inf, stretches - np.inf
    for number in np.unique(sample.stretch):
        is_there = sample.stretch == number
        sums = np.concatenate([[0], np.cumsum(is_there)])
        chosen = np.flatnonzero(sums[behind] > sums[first])
        part = sample.only(np.flatnonzero(is_there))
        of_stretch = _of_one_stretch(estimate, spreads[number], part, bars.only(chosen))
        stretches[chosen] += 1
        middle[chosen] += of_stretch.corrected
        low[chosen] = np.minimum(low[chosen], of_stretch.low)
        high[chosen] = np.maximum(high[chosen], of_stretch.high)
    middle /= stretches
    whole = _of_one_stretch(estimate, spread_of(estimate, sample, units=bars.units), sample, bars)
    for bar in np.flatnonzero((stretches > 1) & (bars.answered >= RUN)):
        middle[bar], *ends = _of_own_units(estimate, sample, bars.only(np.array([bar])))
        low[bar], high[bar] = min(ends[0], whole.low[bar]), max(ends[1], whole.high[bar])
    return BarIntervals(middle, low, high)


def _of_one_stretch(estimate: Estimate, spread: Spread, sample: AnsweredUnits, bars: _Bars) -> BarIntervals:
    answered, quantile = bars.answered, bars.quantile * spread.reach
    share, left = bars.frames / bars.units, np.maximum(1 - answered / np.maximum(bars.frames, 1), 0)
    size = _sizes(estimate, bars.counts, bars.units, bars.frames)
    error, variance, is_unusual = _local_errors(estimate, spread, sample, bars.starts, bars.ends, bars.units)
    variance = np.where(answered >= RUN, variance * left, variance)
    shrinkage = spread.between / np.maximum(spread.between + variance, 1e-12)
    middle = estimate.ratio * bars.counts + size * shrinkage * error
    own_variance = (1 - share**2) * size**2 * spread.between * (1 - shrinkage) + left * spread.within * size
    own_variance += (1 - share) * bars.frames * estimate.people.response
    width = quantile * np.sqrt((share * estimate.standard_error) ** 2 + own_variance)
    direct = estimate.ratio * bars.counts + size * error
    beyond = (
        np.where(is_unusual, _BEYOND_UNUSUAL, _BEYOND) * quantile * (1 - share) * size * np.sqrt(variance)
    )
    return BarIntervals(
        middle, np.minimum(middle - width, direct - beyond), np.maximum(middle + width, direct + beyond)
    )


def _of_own_units(estimate: Estimate, sample: AnsweredUnits, bar: _Bars) -> tuple[float, float, float]:
    """Return the interval of one bar from its own units alone: a ratio estimate of a domain."""
    own = sample.only(np.flatnonzero((sample.at >= bar.starts[0]) & (sample.at < bar.ends[0])))
    shares, sizes = 1 / own.weights, _sizes(estimate, own.model, bar.units)
    residuals = own.truth - estimate.ratio * own.model
    whole, number = float((shares * sizes).sum()), len(own.at)
    error = float((shares * residuals).sum()) / whole
    squares = float(((shares * (residuals - error * sizes)) ** 2).sum()) / whole**2 * number / (number - 1)
    size = float(_sizes(estimate, bar.counts, bar.units, bar.frames)[0])
    middle = float(estimate.ratio * bar.counts[0]) + size * error
    left = max(1 - number / float(bar.frames[0]), 0.0)
    reach = student_quantile((1 + CONFIDENCE) / 2, number - 1) / NORMAL
    width = bar.quantile * reach * size * math.sqrt(squares * left)
    return middle, middle - width, middle + width


def _sizes(estimate: Estimate, counts: Numbers, units: int, frames: Numbers | float = 1.0) -> Numbers:
    """Return the sizes of units or bars that errors are relative to: their objects and a part of the mean."""
    return np.asarray(
        max(estimate.ratio, 0.0) * counts + _LEAST_SHARE * frames * max(estimate.total, 1.0) / units
    )


def _local_errors(
    estimate: Estimate, spread: Spread, sample: AnsweredUnits, starts: Whole, ends: Whole, units: int
) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """Return the error of each bar as shown by its units, relative to its size, and its variance.

    The third value is whether any of these units has an unusual level.
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
