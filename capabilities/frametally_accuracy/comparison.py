"""Compares two models on a checked sample to find which one is better here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np

from frametally.actions.answers import Answer
from frametally.errors import Misconfigured
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.records import AccuracyCheck, CheckAnswer, CheckUnit
from frametally_accuracy.results import interval_of, method_of, sample_of
from frametally_accuracy.rules.drawing import Draws, Numbers
from frametally_accuracy.rules.estimation import LEAST_ROUNDS, Estimate, estimate, estimate_with_missing
from frametally_accuracy.starting import read_again


def error_difference(draws: Draws, truth: Numbers, first: Numbers, second: Numbers) -> Estimate:
    """Return how much further the counts of `first` are from the truth than those of `second`, in all units.

    An interval above 0 means that `second` is better here, one below 0 that `first` is; one that includes 0
    decides nothing. A unit's error is the distance of its count from the truth.
    """
    apart = np.abs(first - truth) - np.abs(second - truth)
    objects = float(np.where(draws.is_drawn, truth, 0.0).sum())
    nothing = np.zeros_like(apart)
    return estimate(draws, apart, nothing, model_total=0, slope=0, least=-np.inf, objects=objects)


class ModelDifference(Answer, frozen=True, kw_only=True):
    """Which of two models counts a label better in the checked frames.

    Attributes:
        label: The label.
        better: The check's own model, the other one, or neither; null with too few answers.
        difference: Mean error per frame of the other model less that of the check's own; null with too few.
        low: Lower bound of the difference, with 95 % confidence.
        high: Upper bound of the difference.
    """

    label: str
    better: Literal["check", "other", "neither"] | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def compare_models(
    check: AccuracyCheck,
    units: Sequence[CheckUnit],
    answers: Sequence[CheckAnswer],
    footage: CheckFootage,
    other_model: str,
) -> list[ModelDifference]:
    """Return, by label, how the other model compares on the answered frames.

    Raises:
        Misconfigured: It has not analysed them, or there are too few answers.
        Retryable: A port is unavailable.
    """
    sample = sample_of(check, units, answers)
    if len(sample.draws.units) < LEAST_ROUNDS:
        raise Misconfigured(f"answer {LEAST_ROUNDS * len(check.zone_units)} units before you compare models")
    population = read_again(check, footage, model=other_model)
    rows = {unit.image_path: row for row, unit in zip(population.counts, population.members, strict=True)}
    if missing := sum(unit.image_path not in rows for unit in units[: sample.used]):
        raise Misconfigured(
            f"{other_model} has not analysed {missing} of the frames; run `frametally redetect`"
        )
    is_drawn = sample.draws.is_drawn
    differences = []
    for place, label in enumerate(check.labels):
        counts = np.zeros(is_drawn.shape)
        for cell in zip(*np.nonzero(is_drawn), strict=True):
            counts[cell] = rows[units[sample.draws.units[cell]].image_path][place]
        # For any truth, two errors never differ by more than the two counts do.
        own = sample.model[label]
        estimate = estimate_with_missing(
            partial(error_difference, sample.draws, first=counts, second=own),
            sample.truth[label],
            sample.is_missing,
            (counts + own) / 2,
            counts,
            own,
            0.0,
        )
        if not estimate.is_enough:
            differences.append(ModelDifference(label=label, better=None))
            continue
        low, high = (end / check.units for end in interval_of(estimate, method_of(check, sample)))
        better: Literal["check", "other", "neither"] = (
            "check" if low > 0 else "other" if high < 0 else "neither"
        )
        differences.append(
            ModelDifference(
                label=label, better=better, difference=estimate.total / check.units, low=low, high=high
            )
        )
    return differences
