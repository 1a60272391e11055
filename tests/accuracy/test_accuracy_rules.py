"""The rules of a check: which units are drawn, and that the intervals cover the truth as often as
they claim."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pytest
import scipy  # its parts are imported by the tests that use them, not by each process that collects
from tests.examples import first_quick

from frametally_accuracy.comparison import error_difference
from frametally_accuracy.rules import quantiles
from frametally_accuracy.rules.answer_agreement import agreement_of
from frametally_accuracy.rules.bar_intervals import (
    AnsweredUnits,
    BarIntervals,
    Spread,
    bar_intervals,
    spreads_of,
    stretches_of,
)
from frametally_accuracy.rules.drawing import Draws, draw, random_shares, unit_weights, zones_of
from frametally_accuracy.rules.estimation import (
    Estimate,
    _by_zone,
    _prepare,
    estimate,
    estimate_with_missing,
    most_objects,
)
from frametally_accuracy.rules.levels import steady_counts, unusual_counts
from frametally_accuracy.rules.planning import shrink_by_zone, units_before, units_for


class Footage:
    """2,000 units of a day whose density and recall drift, and the model's counts of them."""

    def __init__(self, mean: float = 2.0, units: int = 2000, seed: int = 5) -> None:
        random = np.random.default_rng(seed)
        hour = np.arange(units) * 24 / units
        density = mean * (1 + 0.8 * np.cos((hour - 13) * np.pi / 12))
        self.truth = random.poisson(density).astype(float)
        seen = random.binomial(self.truth.astype(int), 0.84 + 0.1 * np.cos((hour - 13) * np.pi / 12))
        self.model = seen + random.poisson(0.05 * mean, units).astype(float)
        self.doubts = random.binomial(np.abs(self.model - self.truth).astype(int), 0.5).astype(float)
        self.units = units
        self.weights = unit_weights(self.model[:, None], self.doubts[:, None])
        self.zones = zones_of(self.weights)

    def draws(self, rounds: int, seed: int = 1) -> Draws:
        shares = np.random.default_rng(seed).random(self.units)
        return draw(self.weights, self.zones, shares).first(rounds)

    def check(self, rounds: int, seed: int = 1, slope: float | None = None) -> Estimate:
        draws = self.draws(rounds, seed)
        return self.estimate_of(draws, slope)

    def estimate_of(self, draws: Draws, slope: float | None = None) -> Estimate:
        return estimate(
            draws, self.truth[draws.units], self.model[draws.units], model_total=self.model.sum(), slope=slope
        )


# From ppi-python 0.2.3, `ppi_mean_pointestimate` and `ppi_mean_ci` of `ppi_sample()`: slope, mean,
# half-width.
PPI = [(0.0, 1.325, 0.14922619), (0.9, 1.35245, 0.05809834), (1.0, 1.3555, 0.05957511)]


def uniform_draws(units: int, rounds: int, seed: int = 1) -> Draws:
    shares = random_shares(str(seed), map(str, range(units)))
    return draw(np.ones(units), np.zeros(units, dtype=np.int64), shares).first(rounds)


def first_units(units: int, rounds: int) -> Draws:
    """Return draws of the first units, for tests that do not depend on the choice; fast even for many."""
    rest = np.arange(float(units), units - rounds, -1)[:, None]
    return Draws(np.arange(rounds)[:, None], np.ones((rounds, 1)), rest, np.array([float(units)]))


def ratio_slope(draws: Draws, truth: np.ndarray, model: np.ndarray) -> float:
    """Return the slope of the ratio estimator."""
    prepared = _prepare(draws)
    of_truth, of_model = (
        float(_by_zone(prepared, np.where(draws.is_drawn, values, 0.0)).sum()) for values in (truth, model)
    )
    return of_truth / of_model


# Drawing


def test_a_seed_always_draws_the_same_units_in_whatever_order_they_are_listed() -> None:
    shares = random_shares("seed", ["a", "b", "c"])
    assert list(random_shares("seed", ["c", "a", "b"])) == [shares[2], shares[0], shares[1]]
    assert list(shares) == pytest.approx([0.03988736, 0.88574785, 0.47698149], abs=1e-8)
    assert list(random_shares("other", ["a", "b", "c"])) != list(shares)


def test_shares_are_uniform() -> None:
    shares = random_shares("7", map(str, range(5000)))
    assert scipy.stats.kstest(shares, "uniform").pvalue > 0.01


def test_every_unit_has_a_weight_and_doubtful_and_full_ones_have_a_larger_one() -> None:
    counts = np.array([[0.0, 0], [0, 0], [4, 0], [4, 0], [0, 1]])
    doubts = np.array([[0.0, 0], [0, 0], [0, 0], [2, 0], [0, 0]])
    weights = unit_weights(counts, doubts)
    assert weights.mean() == pytest.approx(1)
    assert weights[0] == weights[1] == 0.5
    assert 0.5 < weights[2] < weights[3]
    assert weights[4] > weights[2], "a rare label draws more to its few units"
    assert list(unit_weights(np.zeros((3, 1)), np.zeros((3, 1)))) == [1, 1, 1]


def test_zones_are_runs_of_equal_weight() -> None:
    weights = np.tile([0.5, 1.5], 500)
    zones = zones_of(weights)
    assert list(np.unique(zones)) == list(range(10))
    assert (np.diff(zones) >= 0).all()
    assert [weights[zones == zone].sum() for zone in range(10)] == [100] * 10
    assert zones_of(np.ones(11)).max() == 1
    assert zones_of(np.ones(3)).max() == 0


def test_each_unit_is_drawn_once_and_each_round_takes_one_from_each_zone() -> None:
    footage = Footage(units=203)
    draws = footage.draws(1000)
    assert sorted(draws.units[draws.is_drawn]) == list(range(203))
    for zone, column in enumerate(draws.units.T):
        drawn = column[column >= 0]
        assert (footage.zones[drawn] == zone).all()
        assert (column[: len(drawn)] >= 0).all()
        assert draws.rest[0, zone] == pytest.approx(footage.weights[footage.zones == zone].sum())
        assert draws.rest[len(drawn) - 1, zone] == pytest.approx(footage.weights[drawn[-1]])


def test_units_are_drawn_in_proportion_to_their_weights() -> None:
    weights = np.array([0.5, 0.5, 1, 2])
    first = [
        draw(weights, np.zeros(4, dtype=np.int64), random_shares(str(seed), "abcd")).units[0, 0]
        for seed in range(4000)
    ]
    seen = np.bincount(first, minlength=4)
    assert scipy.stats.chisquare(seen, weights / 4 * 4000).pvalue > 0.01


# Answers


def test_equal_weights_give_the_plain_mean_with_its_finite_population_correction() -> None:
    random = np.random.default_rng(3)
    truth, model = random.poisson(3, 60).astype(float), random.poisson(3, 60).astype(float)
    draws = uniform_draws(60, 20)
    drawn = draws.units[:, 0]
    found = estimate(draws, truth[draws.units], model[draws.units], model_total=model.sum(), slope=1)
    apart = (truth - model)[drawn]
    assert found.total == pytest.approx(model.sum() + 60 * apart.mean())
    textbook = 60 * math.sqrt(apart.var(ddof=1) / 20 * (1 - 20 / 60))
    assert found.standard_error == pytest.approx(textbook)


def test_the_slope_with_the_least_variance_matches_the_paper() -> None:
    """PPI++ (Angelopoulos, Duchi and Zrnic, 2023), example of the mean: cov(Y, f) / var(f) for n << N."""
    footage = Footage()
    draws = uniform_draws(footage.units, 400)
    truth, model = footage.truth[draws.units], footage.model[draws.units]
    found = estimate(draws, truth, model, model_total=footage.model.sum())
    paper = np.cov(truth[:, 0], model[:, 0], ddof=1)
    tuned = paper[0, 1] / paper[1, 1]
    assert found.slope == pytest.approx((tuned * 399 + 4) / 403)
    at_least = [
        estimate(draws, truth, model, model_total=footage.model.sum(), slope=slope)
        for slope in (0, 0.5, 1, 1.5)
    ]
    assert all(found.standard_error <= one.standard_error for one in at_least)


def test_zones_with_more_drawn_units_have_their_share_of_the_slope() -> None:
    random = np.random.default_rng(6)
    truth, model = random.poisson(3, 43).astype(float), random.poisson(3, 43).astype(float)
    draws = draw(np.ones(43), np.repeat([0, 1], [4, 39]), random.random(43)).first(12)
    assert list(draws.is_drawn.sum(axis=0)) == [4, 12]
    sampled = truth[draws.units], model[draws.units]

    def variance(slope: float | None) -> float:
        return float(estimate(draws, *sampled, model_total=model.sum(), slope=slope).parts.sum())

    # The variance is a parabola of the slope.
    square = (variance(0) - 2 * variance(1) + variance(2)) / 2
    double = (variance(0) + square - variance(1)) / 2
    tuned = (double * 14 + 4 * square) / (square * 14 + 4 * square)
    assert estimate(draws, *sampled, model_total=model.sum()).slope == pytest.approx(tuned)


def ppi_sample() -> tuple[np.ndarray, np.ndarray, Draws]:
    """Return truth and model of 20,000 units, and a sample of 200 of them."""
    unit = np.arange(20_000)
    truth = (unit * 7919 % 11 // 3).astype(float)
    model = truth - (unit * 104729 % 13 < 2) * (truth > 0) + (unit * 1299709 % 17 < 1)
    units = unit[unit * 48271 % 20_000 < 200][:, None]
    return truth, model, first_units(20_000, 200)._replace(units=units)


@pytest.mark.parametrize(("slope", "mean", "half_width"), PPI)
def test_the_estimate_matches_ppi_python(slope: float, mean: float, half_width: float) -> None:
    truth, model, draws = ppi_sample()
    sampled = truth[draws.units], model[draws.units]
    found = estimate(draws, *sampled, model_total=model.sum(), slope=slope)
    assert found.total / 20_000 == pytest.approx(mean, rel=1e-12)
    # Theirs is normal, for an infinite population, and treats the model's mean as a sample's.
    of_model = slope**2 * model.var() / 20_000
    theirs = (half_width / scipy.stats.norm.ppf(0.975)) ** 2 - of_model
    ours = scipy.stats.t.ppf(0.975, 199) * math.sqrt(theirs * 200 / 199 * (1 - 200 / 20_000))
    assert (found.fixed.high - found.fixed.low) / 40_000 == pytest.approx(ours, rel=0.005)


def test_a_sample_without_detections_keeps_the_difference() -> None:
    draws = uniform_draws(100, 10)
    nothing = np.zeros_like(draws.rest)
    found = estimate(draws, nothing, nothing, model_total=0)
    assert found.slope == 1
    assert not found.is_enough
    assert found.fixed.low == found.total == 0
    assert found.fixed.high > 0


def test_with_all_units_answered_the_estimate_is_the_truth() -> None:
    footage = Footage(units=87)
    for slope in (None, 0.0, 1.0):
        found = footage.check(1000, slope=slope)
        assert found.total == pytest.approx(footage.truth.sum())
        assert found.fixed.high - found.fixed.low < 0.02 * found.total


def stony(rounds: int, seed: int = 1) -> tuple[Footage, Draws, np.ndarray]:
    """Footage of few objects, with a stone that is always mistaken for one; draws; the constant part of the
    counts."""
    footage = Footage(mean=0.3, units=6000)
    footage.model += np.random.default_rng(7).random(footage.units) < 0.95
    steady = steady_counts(footage.model[:, None], [""] * footage.units)[:, 0]
    return footage, footage.draws(rounds, seed), steady


def test_steady_objects_have_their_own_least_squares_slope() -> None:
    footage, _, steady = stony(1)
    draws = uniform_draws(footage.units, 2000)
    truth, model = footage.truth[draws.units], footage.model[draws.units]
    found = estimate(
        draws,
        truth,
        model,
        model_total=footage.model.sum(),
        steady=steady[draws.units],
        steady_total=steady.sum(),
    )
    columns = np.hstack([np.ones_like(truth), model - steady[draws.units], steady[draws.units]])
    _, passing, staying = scipy.linalg.lstsq(columns, truth)[0][:, 0]
    assert (found.slope, found.steady_slope) == pytest.approx((passing, staying), abs=0.005)
    assert found.steady_slope < 0.1 < 0.7 < found.slope, "the stone counts for nothing"


def test_a_stone_mistaken_for_an_object_all_day_costs_few_answers() -> None:
    one_slope, two_slopes, held = [], [], []
    for seed in range(40):
        footage, draws, steady = stony(40, seed)
        truth, model, total = footage.truth[draws.units], footage.model[draws.units], footage.model.sum()
        alike = estimate(draws, truth, model, model_total=total)
        apart = estimate(
            draws, truth, model, model_total=total, steady=steady[draws.units], steady_total=steady.sum()
        )
        one_slope.append(alike.standard_error**2)
        two_slopes.append(apart.standard_error**2)
        held.append(apart.fixed.low <= footage.truth.sum() <= apart.fixed.high)
    assert np.mean(one_slope) > 1.2 * np.mean(two_slopes)
    assert np.mean(held) >= 0.9


def test_a_completely_drawn_zone_adds_its_sum_and_no_weight() -> None:
    zones = np.array([0, 0, 1, 1, 1, 1, 1, 1])
    truth = np.array([1.0, 5, 2, 0, 7, 3, 0, 4])
    draws = draw(np.ones(8), zones, np.linspace(0.9, 0.2, 8)).first(4)
    found = estimate(draws, truth[draws.units], np.zeros((4, 2)), model_total=0, slope=0)
    first, second = truth[draws.units[:2, 0]], truth[draws.units[:, 1]]
    rounds = [
        2 * first[0] + 6 * second[0],
        6 + second[:1].sum() + 5 * second[1],
        6 + second[:2].sum() + 4 * second[2],
        6 + second[:3].sum() + 3 * second[3],
    ]
    left = np.array([1 / (8 * 6), 1 / (6 * 4), 1 / (4 * 3), 1 / (3 * 2)])
    assert found.total == pytest.approx((left * rounds).sum() / left.sum())


def test_the_ratio_estimator_is_the_sum_with_its_slope() -> None:
    footage = Footage()
    draws = footage.draws(20)
    truth, model = footage.truth[draws.units], footage.model[draws.units]
    ratio = ratio_slope(draws, truth, model)
    assert footage.estimate_of(draws, ratio).total == pytest.approx(ratio * footage.model.sum())


def test_the_total_is_unbiased_with_unequal_weights() -> None:
    footage = Footage(units=400)
    for slope in (0.0, 1.0):
        totals = [footage.check(4, seed, slope).total for seed in range(600)]
        error = float(np.std(totals)) / math.sqrt(len(totals))
        assert np.mean(totals) == pytest.approx(footage.truth.sum(), abs=3.5 * error)


def test_the_standard_error_matches_repeated_checks() -> None:
    footage = Footage(mean=4, units=600)
    checks = [footage.check(20, seed) for seed in range(400)]
    apart = np.std([one.total for one in checks])
    assert np.mean([one.standard_error for one in checks]) == pytest.approx(apart, rel=0.12)


def test_intervals_contain_the_truth_and_the_one_for_optional_stopping_does_at_every_look() -> None:
    footage = Footage(mean=2)
    truth = footage.truth.sum()
    fixed = at_all_looks = 0
    for seed in range(200):
        looks = [footage.check(rounds, seed) for rounds in range(3, 11)]
        fixed += looks[-1].fixed.low <= truth <= looks[-1].fixed.high
        at_all_looks += all(one.at_will.low <= truth <= one.at_will.high for one in looks if one.is_enough)
        assert all(one.at_will.low <= one.fixed.low and one.fixed.high <= one.at_will.high for one in looks)
    assert 0.925 <= fixed / 200 <= 0.98
    assert at_all_looks / 200 >= 0.95


@pytest.mark.parametrize("case", first_quick([("missed", -1), ("full", -1), ("empty", 1)]))
def test_intervals_contain_the_truth_whichever_units_cannot_be_judged(case: tuple[str, int]) -> None:
    """One in twenty is missing: those with the largest errors, the fullest, or the emptiest."""
    footage, (kind, sign) = Footage(mean=2), case
    by = footage.truth - footage.model if kind == "missed" else footage.truth
    is_gone = np.argsort(np.argsort(sign * by, kind="stable")) < footage.units // 20
    hits = {"widest": 0, "as the model counts": 0}
    for seed in range(100):
        draws = footage.draws(20, seed)
        truth, model, is_missing = (
            footage.truth[draws.units],
            footage.model[draws.units],
            is_gone[draws.units],
        )
        seen = np.where(is_missing, 0.0, truth)
        of = partial(estimate, draws, model=model, model_total=footage.model.sum())
        most = max(seen.max(), model.max())
        widest = estimate_with_missing(of, seen, is_missing, model, 0.0, most)
        for name, found in (
            ("widest", widest),
            ("as the model counts", of(np.where(is_missing, model, truth))),
        ):
            hits[name] += found.fixed.low <= footage.truth.sum() <= found.fixed.high
    assert hits["widest"] >= 95
    assert kind == "empty" or hits["as the model counts"] < 90, "else it is no test"


def test_a_model_close_to_the_truth_saves_answers() -> None:
    footage = Footage(mean=3)
    without = footage.units * footage.truth.std() / math.sqrt(100)
    assert (without / footage.check(10).standard_error) ** 2 > 5


def test_few_objects_or_rounds_are_too_few_for_a_result() -> None:
    draws = first_units(10**4, 100)
    truth = np.zeros((100, 1))
    for seen, is_enough in ((24, False), (25, True)):
        truth[:seen] = 1
        found = estimate(draws, truth, truth, model_total=2000)
        assert found.is_enough == is_enough
    assert not Footage(mean=3).check(2).is_enough


def test_a_fully_answered_check_is_exact_even_for_no_objects_or_a_single_unit() -> None:
    for units, truth in ((400, np.zeros(400)), (1, np.array([3.0])), (3, np.array([0.0, 0, 1]))):
        draws = uniform_draws(units, units)
        sampled, ghosts = truth[draws.units], np.ones_like(draws.rest)
        found = estimate(draws, sampled, ghosts, model_total=units)
        assert found.is_enough
        assert [found.total, *found.fixed, *found.at_will] == [truth.sum()] * 5


def test_few_objects_have_a_valid_upper_limit() -> None:
    """None in 100 units of equal weight: a share of 3 in 100 is possible."""
    nothing = np.zeros((100, 1))
    none_missing = nothing.astype(bool)
    bound = most_objects(first_units(10**4, 100), nothing, none_missing, is_at_will=True)
    assert bound == pytest.approx(10**4 * (1 - 0.05**0.01))
    some = nothing.copy()
    some[:4] = 2
    bound = most_objects(first_units(10**4, 100), some, none_missing, is_at_will=False)
    assert bound == pytest.approx(2 * 10**4 * scipy.stats.beta.ppf(0.95, 5, 96))
    assert most_objects(first_units(10**4, 100), some, none_missing, is_at_will=True) is None
    footage = Footage()
    rare = (np.random.default_rng(3).random(footage.units) < 0.01).astype(float)
    held = []
    for seed in range(200):
        draws = footage.draws(10, seed)
        truth = rare[draws.units]
        bound = most_objects(draws, truth, np.zeros_like(truth, dtype=bool), is_at_will=False)
        held.append(bound is not None and bound >= rare.sum())
    assert np.mean(held) >= 0.95


def test_a_sample_without_errors_still_allows_three() -> None:
    """The rule of three: with none in 100 draws, a share of 3 in 100 is the bound of 95 %."""
    draws = first_units(10**6, 100)
    seen = np.ones((100, 1))
    found = estimate(draws, seen, seen, model_total=10**6)
    assert found.total == 10**6
    assert (found.fixed.high - found.total) / 10**6 == pytest.approx(0.03, rel=0.02)


def test_a_rare_large_error_widens_the_interval_as_the_book_says() -> None:
    """Hall (1992), section 2.6: the term of the squared skewness, here one and a half times."""
    draws = first_units(10**6, 50)
    truth = np.ones((50, 1))
    truth[:5, 0] = [3, 0, 2, 4, 0]
    found = estimate(draws, truth, np.ones((50, 1)), model_total=10**6, slope=1)
    skewness = scipy.stats.skew(truth[:, 0], bias=False) / math.sqrt(50)
    z = scipy.stats.norm.ppf(0.975)
    wider = 1 + 1.5 * (z**4 + 2 * z**2 - 3) / 18 * skewness**2
    assert 1.2 < wider < 1.5
    student = scipy.stats.t.ppf(0.975, 49) * found.standard_error
    assert found.fixed.high - found.total == pytest.approx(wider * student, rel=1e-3)
    truth[3, 0] = 90
    found = estimate(draws, truth, np.ones((50, 1)), model_total=10**6, slope=1)
    student = scipy.stats.t.ppf(0.975, 49) * found.standard_error
    assert found.fixed.high - found.total == pytest.approx(1.5 * student, rel=1e-3), (
        "half as wide again at most"
    )


def test_the_boundary_matches_the_paper() -> None:
    """Theorem 2.2 with rho chosen for the 100th unit: sqrt(2 (t rho^2 + 1) / (t^2 rho^2) log(...))."""
    draws = first_units(10**6, 100)
    footage = Footage(units=100, mean=1, seed=2)
    found = estimate(draws, footage.truth[draws.units], footage.model[draws.units], model_total=9, slope=0)
    t, rho2 = 100, (-2 * math.log(0.05) + math.log(1 - 2 * math.log(0.05))) / 100
    paper = math.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * math.log(math.sqrt(t * rho2 + 1) / 0.05))
    student = scipy.stats.t.ppf(scipy.stats.norm.cdf(paper * math.sqrt(t)), 99) / scipy.stats.t.ppf(0.975, 99)
    width = (found.at_will.high - found.total) / (found.fixed.high - found.total)
    assert width == pytest.approx(student, rel=1e-3)


# Bars


def bars_of(
    footage: Footage, draws: Draws, borders: np.ndarray, *, is_at_will: bool = False
) -> tuple[Estimate, BarIntervals]:
    found = footage.estimate_of(draws)
    drawn = np.sort(draws.units[draws.is_drawn])
    hours = np.arange(footage.units) * 24 / footage.units
    unusual = unusual_counts(footage.model[:, None], [""] * footage.units, hours)[drawn, 0]
    truth, model = footage.truth[drawn], footage.model[drawn]
    stretches = stretches_of(truth, model)
    sample = AnsweredUnits(drawn, truth, model, footage.weights[drawn], unusual, stretches)
    bars = bar_intervals(
        found,
        spreads_of(found, sample, units=footage.units),
        sample,
        borders[:-1],
        borders[1:],
        np.add.reduceat(footage.model, borders[:-1]),
        np.diff(borders).astype(float),
        units=footage.units,
        is_at_will=is_at_will,
    )
    return found, bars


def test_the_bar_of_all_units_has_the_checks_own_interval() -> None:
    footage = Footage()
    whole = np.array([0, footage.units])
    for is_at_will in (False, True):
        found, bar = bars_of(footage, footage.draws(10), whole, is_at_will=is_at_will)
        assert bar.corrected[0] == pytest.approx(found.total)
        own = found.at_will if is_at_will else found.fixed
        assert (bar.low[0], bar.high[0]) == pytest.approx(own)


@pytest.mark.parametrize(("length", "rounds"), [(500, 10), (80, 10), (20, 10), (80, 40), (20, 40)])
def test_intervals_of_bars_contain_the_truth(length: int, rounds: int) -> None:
    footage = Footage(mean=3)
    borders = np.arange(0, footage.units + 1, length)
    truths = np.add.reduceat(footage.truth, borders[:-1])
    held = []
    for seed in range(60):
        _, bars = bars_of(footage, footage.draws(rounds, seed), borders)
        held.append(((bars.low <= truths) & (truths <= bars.high)).mean())
    assert 0.94 <= np.mean(held) <= 0.999


def test_a_bar_is_never_more_certain_because_it_has_less_footage() -> None:
    footage = Footage(mean=3)
    widths = []
    for length in (2000, 500, 100, 20):
        _, bars = bars_of(footage, footage.draws(10), np.arange(0, 2001, length))
        widths.append(float(np.mean((bars.high - bars.low) / bars.corrected)))
    assert widths == sorted(widths)


def test_a_stretch_of_errors_shown_by_its_own_units_is_corrected_there() -> None:
    footage = Footage(mean=3)
    footage.model[800:1000] += 2  # a stone is mistaken for two dogs
    borders = np.arange(0, 2001, 200)
    truths = np.add.reduceat(footage.truth, borders[:-1])
    held = []
    for seed in range(40):
        _, bars = bars_of(footage, footage.draws(40, seed), borders)
        held.append((bars.low <= truths) & (truths <= bars.high))
        raw = float(footage.model[800:1000].sum())
        assert bars.corrected[4] < raw - 200, "half of what is too much, at least"
    assert np.mean(held) >= 0.94


@pytest.mark.parametrize(
    ("start", "end", "first", "behind"),
    [
        pytest.param(0, 60, 0, 6, id="its own units"),
        pytest.param(60, 80, 5, 9, id="too few of its own: the nearest run"),
        pytest.param(110, 120, 8, 12, id="the last run"),
        pytest.param(0, 10, 0, 4, id="the first run"),
    ],
)
@pytest.mark.parametrize("unusual_at", [None, 5, 8])
def test_a_bar_has_the_error_of_its_answered_units(
    start: int, end: int, first: int, behind: int, unusual_at: int | None
) -> None:
    """If stretches differ without bounds, a bar takes no part of the mean error."""
    checked = Footage().check(10)._replace(total=1000.0, ratio=1.1, standard_error=5.0)
    checked = checked._replace(fixed=checked.fixed._replace(high=1010.0))
    truth = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])
    model = np.array([2.0, 1, 4, 2, 7, 6, 2, 5, 3, 3, 5, 8])
    weights = np.tile([0.5, 1.0, 2.0], 4)
    unusual = np.arange(12) == (-1 if unusual_at is None else unusual_at)
    sample = AnsweredUnits(np.arange(12) * 10, truth, model, weights, unusual, np.zeros(12, dtype=np.int64))
    bars = bar_intervals(
        checked,
        [Spread(between=1e12, within=2.0)],
        sample,
        np.array([start]),
        np.array([end]),
        np.array([50.0]),
        np.array([20.0]),
        units=400,
        is_at_will=False,
    )
    run = range(first, behind)
    size = 1.1 * 50 + 0.3 * 20 * 1000 / 400
    sizes = [(1.1 * model[at] + 0.3 * 1000 / 400) / weights[at] for at in run]
    error = sum((truth[at] - 1.1 * model[at]) / weights[at] for at in run) / sum(sizes)
    own = (end - start) // 10
    left = 1 - own / 20
    variance = 2.0 * sum(part / weights[at] for part, at in zip(sizes, run, strict=True)) / sum(sizes) ** 2
    variance *= left if own >= 4 else 1
    middle = 1.1 * 50 + size * error
    assert bars.corrected[0] == pytest.approx(middle)
    # 1.2 and 0.25 of the half-width from these units; the quantile is (1010 - 1000) / 5.
    is_unusual = unusual_at is not None and unusual_at in run
    beyond = (1.2 if is_unusual else 0.25) * 2 * (1 - 20 / 400) * size * math.sqrt(variance)
    own_variance = (1 - (20 / 400) ** 2) * size**2 * variance + left * 2.0 * size
    width = 2 * math.sqrt((20 / 400 * 5) ** 2 + own_variance)
    assert bars.high[0] == math.ceil(middle + max(width, beyond))
    assert bars.low[0] == max(math.floor(middle - max(width, beyond)), truth[start // 10 : end // 10].sum())


def test_a_bar_with_all_units_answered_has_the_true_number() -> None:
    footage = Footage(units=200)
    _, bars = bars_of(footage, footage.draws(1000), np.arange(0, 201, 20))
    truths = np.add.reduceat(footage.truth, np.arange(0, 200, 20))
    assert list(bars.low) == list(bars.high) == list(bars.corrected) == list(truths)


def test_no_bar_is_below_the_number_that_people_saw_in_it() -> None:
    footage = Footage(mean=0.2)
    draws = footage.draws(40)
    borders = np.arange(0, 2001, 50)
    seen = np.zeros(footage.units)
    drawn = draws.units[draws.is_drawn]
    seen[drawn] = footage.truth[drawn]
    _, bars = bars_of(footage, draws, borders)
    assert (bars.low >= np.add.reduceat(seen, borders[:-1])).all()


def with_false_box(mean: float) -> Footage:
    """Footage with a thing that is mistaken for an object for two hours."""
    footage = Footage(mean=mean, units=20_000)
    footage.model[10_000:11_666] += np.random.default_rng(7).random(1666) < 0.7
    return footage


def test_intervals_of_bars_with_a_false_box_for_hours_contain_the_truth() -> None:
    footage = with_false_box(1)
    borders = np.arange(0, 20_001, 20_000 // 24)
    truths = np.add.reduceat(footage.truth, borders[:-1])[:24]
    held = []
    for seed in range(40):
        _, bars = bars_of(footage, footage.draws(10, seed), borders)
        held.append(((bars.low[:24] <= truths) & (truths <= bars.high[:24]))[12:14])
    assert np.mean(held) >= 0.94


def blind_footage(seed: int) -> Footage:
    """Forty seconds of about six people; in the second half the model loses 95 % of them."""
    random, footage = np.random.default_rng(seed), Footage(mean=6, units=400)
    footage.truth = np.repeat(random.poisson(6, 50), 8).astype(float)
    people = footage.truth.astype(int)
    seen = random.binomial(people, np.where(np.arange(400) < 200, 0.97, 0.05))
    footage.model = (seen + random.poisson(0.6 * (np.arange(400) < 200))).astype(float)
    footage.doubts = random.binomial(np.abs(footage.model - footage.truth).astype(int), 0.5).astype(float)
    footage.weights = unit_weights(footage.model[:, None], footage.doubts[:, None])
    footage.zones = zones_of(footage.weights)
    return footage


@pytest.mark.parametrize("length", first_quick([50, 10, 25, 100, 200]))
def test_intervals_of_bars_contain_the_truth_after_the_model_goes_blind(length: int) -> None:
    """Also the first bar after the change, which had the day's errors."""
    borders = np.arange(0, 401, length)
    held, first_held = [], []
    for seed in range(80):
        footage = blind_footage(seed % 4)
        truths = np.add.reduceat(footage.truth, borders[:-1])
        _, bars = bars_of(footage, footage.draws(4, seed), borders)
        hits = (bars.low <= truths) & (truths <= bars.high)
        held.append(hits.mean())
        first_held.append(hits[200 // length])
    assert np.mean(held) >= 0.94
    assert np.mean(first_held) >= 0.9


def test_more_objects_missed_at_the_same_rate_are_not_a_change_and_a_blind_model_is() -> None:
    random = np.random.default_rng(2)
    truth = random.poisson(np.repeat([2.0, 8.0], 40)).astype(float)
    assert not stretches_of(truth, random.binomial(truth.astype(int), 0.8).astype(float)).any()
    seen = np.where(np.arange(80) < 50, truth, 0)
    assert list(stretches_of(truth, seen)) == [0] * 50 + [1] * 30
    assert not stretches_of(truth[:7], np.zeros(7)).any(), "of so few units nothing is known"


# Information in the model's counts


def test_a_steady_count_is_that_of_most_surrounding_units_of_the_same_source() -> None:
    counts = np.zeros((600, 2))
    counts[:330, 0] = 2
    counts[330:360, 0] = 2  # at another gate, for half a minute
    counts[::7, 1] = 3
    counts[10] = 5
    steady = steady_counts(counts, ["gate"] * 330 + ["yard"] * 270)
    assert (steady[:330, 0] == 2).all(), "a passing object adds nothing to it"
    assert not steady[330:].any() and not steady[:, 1].any()


def test_hours_at_a_separate_level_are_unusual_and_the_course_of_the_day_is_not() -> None:
    footage = with_false_box(1)
    hours = np.arange(20_000) * 24 / 20_000
    unusual = unusual_counts(footage.model[:, None], [""] * 20_000, hours)[:, 0]
    assert unusual[10_300:11_400].all()
    assert unusual[3_000:9_300].mean() < 0.15 and unusual[12_400:18_000].mean() < 0.15
    drifting = 10 + np.cos(hours * np.pi / 12)[:, None]
    assert not unusual_counts(drifting, [""] * 20_000, hours).any()
    assert not unusual_counts(np.ones((5, 1)), [""] * 5, np.zeros(5)).any()


# Plans


def test_the_number_of_units_before_a_check_matches_the_textbook() -> None:
    # Errors of variance 0.3 in units of 1: 1.96^2 x 0.3 / 0.1^2 = 115.2 out of infinitely many.
    fixed = partial(units_before, at_will=False)
    assert fixed(1, 10**9, 0.1) == 116
    assert fixed(1, 100, 0.1) == math.ceil(115.24 / (1 + 1.1524))
    assert fixed(4, 10**9, 0.1) == 29
    assert fixed(0, 50, 0.1) == 50
    assert fixed(1, 10**9, 1) == 25, "people have to see 25 objects"
    assert fixed(0.5, 100, 0.5) == 50, "also where the sample is half of all"
    assert fixed(100, 10**9, 0.1, least=30) == 30
    assert fixed(100, 20, 0.1, least=30) == 20


@pytest.mark.parametrize("rounds", [10, 30, 70])
def test_the_number_of_units_before_a_check_allows_for_optional_stopping(rounds: int) -> None:
    footage = Footage(mean=1, units=20_000)
    found = footage.check(rounds)
    reach = (found.at_will.high - found.at_will.low) / (found.fixed.high - found.fixed.low)
    longer = units_before(1, 10**9, 0.1, at_will=True) / units_before(1, 10**9, 0.1, at_will=False)
    assert longer == pytest.approx(reach**2, rel=0.25)


def test_the_number_of_units_for_a_width_gives_that_width() -> None:
    footage = Footage(mean=1, units=20_000)
    found = footage.check(10)
    wanted = units_for(found, 100, footage.units, 0.05, at_will=False)
    assert 150 < wanted < 600
    reached = footage.check(math.ceil(wanted / 10))
    assert (reached.fixed.high - reached.fixed.low) / 2 / reached.total == pytest.approx(0.05, rel=0.25)
    assert units_for(found, 100, footage.units, 0.9, at_will=False) <= 100
    assert units_for(found, 100, footage.units, 0.05, at_will=True) > wanted
    assert units_for(found, 100, 100, 0.05, at_will=True) == 100


def test_the_zone_to_check_next_is_the_one_that_varies_most() -> None:
    footage = Footage()
    draws = footage.draws(10)
    truth, model = footage.truth[draws.units].copy(), footage.model[draws.units]
    truth[:, 3] += np.arange(10) * 3
    found = estimate(draws, truth, model, model_total=footage.model.sum())
    shrink = shrink_by_zone(found, draws.is_drawn.sum(axis=0).astype(float))
    assert shrink.argmax() == 3
    assert 0 < shrink.sum() < 1


# Two answers, two models, quantiles


def test_agreement_counts_pairs_whose_labels_are_all_equal() -> None:
    found = agreement_of([({"dog": 1}, {"dog": 1, "cat": 0}), ({"dog": 2}, {"cat": 1}), ({}, {})])
    assert (found.pairs, found.equal, found.mean_difference) == (3, 2, 1.0)
    low, high = scipy.stats.binomtest(2, 3).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((low, high))
    assert agreement_of([]).high == 1


def test_the_better_model_is_named_unless_the_two_are_equally_good() -> None:
    footage = Footage(mean=3)
    random = np.random.default_rng(8)
    worse = random.binomial(footage.model.astype(int), 0.6).astype(float)
    draws = footage.draws(10)
    truth, one = footage.truth[draws.units], footage.model[draws.units]
    found = error_difference(draws, truth, worse[draws.units], one)
    assert found.fixed.low > 0
    true_difference = (np.abs(worse - footage.truth) - np.abs(footage.model - footage.truth)).sum()
    assert found.fixed.low <= true_difference <= found.fixed.high
    same = error_difference(draws, truth, one, one)
    assert same.fixed.low < 0 < same.fixed.high


def test_the_difference_of_two_models_is_unbiased_over_all_possible_samples() -> None:
    random = np.random.default_rng(4)
    truth, one, other = (random.poisson(2, 8).astype(float) for _ in range(3))
    weights, zones = np.array([0.5, 1, 2, 0.5, 1, 1, 0.7, 3]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    pairs = [[*itertools.permutations(np.flatnonzero(zones == zone), 2)] for zone in (0, 1)]
    mean = probability = 0.0
    for drawn in itertools.product(*pairs):
        units = np.array(drawn).T
        rest = np.array([[weights[zones == zone].sum() for zone in (0, 1)]] * 2)
        rest[1] -= weights[units[0]]
        likely = float((weights[units] / rest).prod())
        draws = Draws(units, weights[units], rest, np.array([4.0, 4.0]))
        mean += likely * error_difference(draws, truth[units], one[units], other[units]).total
        probability += likely
    assert probability == pytest.approx(1)
    assert mean == pytest.approx((np.abs(one - truth) - np.abs(other - truth)).sum())


@pytest.mark.thorough
def test_the_interval_of_a_difference_contains_it() -> None:
    footage = Footage(mean=2)
    random = np.random.default_rng(8)
    seen = random.binomial(footage.truth.astype(int), 0.87)
    other = (seen + random.poisson(0.1, footage.units)).astype(float)
    difference = (np.abs(other - footage.truth) - np.abs(footage.model - footage.truth)).sum()
    held = []
    for seed in range(300):
        draws = footage.draws(10, seed)
        truth, model = footage.truth[draws.units], footage.model[draws.units]
        found = error_difference(draws, truth, other[draws.units], model)
        held.append(found.is_enough and found.fixed.low <= difference <= found.fixed.high)
    assert 0.925 <= np.mean(held) <= 0.985


@pytest.mark.parametrize("degrees", [1, 2, 5, 30, 90, 10**9])
@pytest.mark.parametrize("probability", [0.6, 0.95, 0.975, 0.999])
def test_students_quantile_matches_scipy(probability: float, degrees: int) -> None:
    found = quantiles.student_quantile(probability, degrees)
    assert found == pytest.approx(scipy.stats.t.ppf(probability, degrees), rel=2e-6)


@pytest.mark.parametrize(("degrees", "error"), [(5, 0.02), (10, 2e-3), (30, 1e-4), (10**9, 1e-9)])
def test_students_far_quantile_matches_scipy(degrees: int, error: float) -> None:
    exact = scipy.stats.t.ppf(scipy.stats.norm.cdf(3.05), degrees)
    assert quantiles.far_student_quantile(3.05, degrees) == pytest.approx(exact, rel=error)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1, 3), (7, 2), (40, 60)])
def test_beta_matches_scipy(a: float, b: float) -> None:
    for x in (0.0, 0.01, 0.3, 0.5, 0.9, 1.0):
        assert quantiles.beta_probability(x, a, b) == pytest.approx(scipy.stats.beta.cdf(x, a, b), abs=1e-12)
    assert quantiles.beta_quantile(0.2, a, b) == pytest.approx(scipy.stats.beta.ppf(0.2, a, b))


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (10, 10), (3, 10), (50, 1000)])
def test_the_interval_of_a_share_matches_clopper_and_pearson(hits: int, trials: int) -> None:
    exact = scipy.stats.binomtest(hits, trials).proportion_ci(method="exact")
    assert quantiles.share_interval(hits, trials) == pytest.approx((exact.low, exact.high))
