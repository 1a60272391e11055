"""Measures how far two answers for the same unit agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally_accuracy.rules.quantiles import share_interval


class AnswerAgreement(NamedTuple):
    """Of units that were answered twice.

    Attributes:
        pairs: How many.
        equal: How many have the same counts of all labels.
        low: The share that agrees is not below, with 95 %.
        high: It is not above.
        mean_difference: Of the counts of a unit, both ways, over all labels.
    """

    pairs: int
    equal: int
    low: float
    high: float
    mean_difference: float


def agreement_of(pairs: Sequence[tuple[dict[str, int], dict[str, int]]]) -> AnswerAgreement:
    """Return the agreement of pairs of answers; none: nothing is known."""
    if not pairs:
        return AnswerAgreement(0, 0, 0.0, 1.0, 0.0)
    apart = [
        sum(abs(first.get(label, 0) - second.get(label, 0)) for label in first.keys() | second.keys())
        for first, second in pairs
    ]
    equal = apart.count(0)
    return AnswerAgreement(len(pairs), equal, *share_interval(equal, len(pairs)), sum(apart) / len(pairs))
