"""Measures how far answers for the same unit agree, and how their differences affect the total."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

import msgspec

from frametally_accuracy.rules.quantiles import share_interval

LEAST_EQUAL = 0.8
"""People agree if this share of their pairs is equal, or may be by chance."""
_ENOUGH_PEOPLE = 3

UnitAnswers = Sequence[tuple[str, float]]
"""The answers for a unit: person (empty without accounts) and count."""


class DoubleAnswers(msgspec.Struct, frozen=True):
    """How far the answers for the same unit agree.

    Attributes:
        pairs: Units that were answered twice or more.
        equal: Number of units whose answers have the same counts of all labels.
        low: Lower bound of the share of equal pairs, with 95 % confidence.
        high: Upper bound of that share.
        mean_difference: Mean difference between two counts of a unit, over all labels.
    """

    pairs: int
    equal: int
    low: float
    high: float
    mean_difference: float


class AnswerErrors(NamedTuple):
    """People's errors, as shown by several answers for the same units.

    Attributes:
        response: Variance of a unit's mean answer.
        shared: Variance that the mean answers of all units share, because one person's errors are similar.
        difference: Mean difference between two answers for a unit.
        beyond: Mean difference of two people per unit beyond chance, until a third one was asked; 0 if they
            agree.
    """

    response: float = 0.0
    shared: float = 0.0
    difference: float = 0.0
    beyond: float = 0.0

    def variance(self, units: float) -> float:
        """Return the variance of the total of `units` units due to people's errors."""
        return units * self.response + units**2 * self.shared


def agreement_of(units: Iterable[Sequence[dict[str, int]]]) -> DoubleAnswers:
    """Return the agreement of units with several answers; without any, its bounds are 0 and 1."""
    apart = [
        fmean(
            sum(abs(first.get(label, 0) - second.get(label, 0)) for label in first.keys() | second.keys())
            for first, second in itertools.combinations(of_unit, 2)
        )
        for of_unit in units
    ]
    if not apart:
        return DoubleAnswers(0, 0, 0.0, 1.0, 0.0)
    equal = apart.count(0)
    return DoubleAnswers(len(apart), equal, *share_interval(equal, len(apart)), fmean(apart))


def mean_answer(answers: UnitAnswers) -> float:
    """Return the mean count of a unit, with equal weight for each person."""
    by_person: dict[str, list[float]] = {}
    for person, count in answers:
        by_person.setdefault(person, []).append(count)
    return fmean(map(fmean, by_person.values()))


def answer_errors(units: Sequence[UnitAnswers]) -> AnswerErrors:
    """Return people's errors as shown by units with several answers; all 0 without such units.

    `response` is the simple response variance, from repeated answers (Hansen, Hurwitz and Bershad, 1961). It
    adds N times to the variance of the total of N units; the sampling variance includes the rest (Särndal,
    Swensson and Wretman, Model Assisted Survey Sampling, 1992, chapter 16). `shared` is the correlated
    response variance: half the squared mean difference of two people less chance (Fellegi, 1964), by the
    share of units that each one answered, so that the interval reaches to either one's total.
    """
    doubles = [answers for answers in units if len(answers) > 1]
    if not doubles:
        return AnswerErrors()
    counts_of_units = [[count for _, count in answers] for answers in doubles]
    squares = sum((count - fmean(counts)) ** 2 for counts in counts_of_units for count in counts)
    response = squares / sum(len(counts) - 1 for counts in counts_of_units)
    apart = _differences(doubles)
    of_others = [values for (person, other), values in apart.items() if person != other]
    ways = sum(len(values) * (len(values) - 1) for values in of_others)
    common = sum(sum(values) ** 2 - sum(value**2 for value in values) for values in of_others)
    by_person: dict[str, float] = defaultdict(float)
    for answers in units:
        persons = {person for person, _ in answers}
        for person in persons:
            by_person[person] += 1 / len(persons) / len(units)
    shares = sum(share**2 for share in by_person.values())
    return AnswerErrors(
        response=response * fmean(1 / len(answers) for answers in units),
        shared=max(common, 0.0) / ways / 2 * shares if ways else 0.0,
        difference=fmean(abs(value) for values in apart.values() for value in values),
        beyond=_beyond_chance([answers for answers in doubles if not _is_settled(answers)]),
    )


def _differences(doubles: Iterable[UnitAnswers]) -> dict[tuple[str, str], list[float]]:
    """Return the differences between two people's answers for the same units, by pair of people.

    Differences between answers of the same person have no known direction, so all get the same sign.
    """
    apart: dict[tuple[str, str], list[float]] = defaultdict(list)
    for answers in doubles:
        for (person, count), (other, other_count) in itertools.combinations(sorted(answers), 2):
            apart[person, other].append(other_count - count)
    return apart


def _beyond_chance(doubles: Sequence[UnitAnswers]) -> float:
    """Return people's mean difference per unit beyond what either rule attributes to chance."""
    equal = sum(len({count for _, count in answers}) == 1 for answers in doubles)
    if not doubles or share_interval(equal, len(doubles))[1] >= LEAST_EQUAL:
        return 0.0
    of_couples = _differences(doubles).values()
    beyond = (abs(sum(values)) - 2 * math.sqrt(sum(value**2 for value in values)) for values in of_couples)
    return sum(max(part, 0.0) for part in beyond) / sum(map(len, of_couples))


def _is_settled(answers: UnitAnswers) -> bool:
    """Return whether a third person was asked; without accounts, three answers are enough."""
    persons = {person for person, _ in answers}
    return len(persons) >= _ENOUGH_PEOPLE or (len(persons) == 1 and len(answers) >= _ENOUGH_PEOPLE)
