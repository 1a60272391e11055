"""Measures how far two answers for the same unit agree."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from frametally_accuracy.rules.quantiles import share_interval


class DoubleAnswers(msgspec.Struct, frozen=True):
    """How far two answers for the same unit agree.

    Attributes:
        pairs: Units that were answered twice.
        equal: Pairs with the same counts of all labels.
        low: Lower bound of the share of equal pairs, with 95 % confidence.
        high: Upper bound of that share.
        mean_difference: Mean difference between the two counts of a unit, over all labels.
    """

    pairs: int
    equal: int
    low: float
    high: float
    mean_difference: float


def agreement_of(pairs: Sequence[tuple[dict[str, int], dict[str, int]]]) -> DoubleAnswers:
    """Return the agreement of pairs of answers; none: nothing is known."""
    if not pairs:
        return DoubleAnswers(0, 0, 0.0, 1.0, 0.0)
    apart = [
        sum(abs(first.get(label, 0) - second.get(label, 0)) for label in first.keys() | second.keys())
        for first, second in pairs
    ]
    equal = apart.count(0)
    return DoubleAnswers(len(pairs), equal, *share_interval(equal, len(pairs)), sum(apart) / len(pairs))
