"""Accuracy checks of footage whose truth is known: many draws, and what their intervals hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np
from results import Cell

from frametally_accuracy.rules.drawing import Draws, Numbers, draw, random_shares, unit_weights, zones_of
from frametally_accuracy.rules.estimation import Interval, estimate

COLUMNS = [
    "interval shown, % of checks",
    "truth in the fixed one, %",
    "its half-width, %",
    "truth in the one at will at every look, %",
    "its half-width, %",
    "times fewer labels than without the model",
]
NOTE = (
    "Half-widths are medians, in parts of the truth. `At every look` looks after each round of ten frames, "
    "from 100 frames on after every tenth round: who stops at the worst of these has such an interval. "
    "Without the model, frames are drawn evenly at random."
)
_STEP = 10


class Sized(NamedTuple):
    """What a check says after so many frames.

    Attributes:
        is_shown: Whether there is enough to say so.
        holds: Whether the fixed interval holds the truth.
        width: Its half-width, in parts of the truth.
        always: Whether every interval at will that was shown until then holds it.
        wide: The last one's half-width.
        fewer: How many times as many labels the same width takes without the model.
    """

    is_shown: bool
    holds: bool
    width: float
    always: bool
    wide: float
    fewer: float


Check = dict[int, Sized]


def run_checks(
    truth: Numbers, model: Numbers, doubts: Numbers, *, seeds: Sequence[str], sizes: Sequence[int]
) -> list[list[Check]]:
    """Return by label the checks that these seeds draw."""
    weights = unit_weights(model, doubts)
    zones = zones_of(weights)
    found: list[list[Check]] = [[] for _ in range(truth.shape[1])]
    for seed in seeds:
        # As a seed draws, but for how the units' keys become numbers, which takes longer than all else.
        number = int(random_shares(seed, ["0"])[0] * 2**52)
        draws = draw(weights, zones, np.random.default_rng(number).random(len(weights)))
        for label, checks in enumerate(found):
            checks.append(_check(truth[:, label], model[:, label], draws, sizes))
    return found


def _check(truth: Numbers, model: Numbers, draws: Draws, sizes: Sequence[int]) -> Check:
    zones = draws.units.shape[1]
    last = min(max(sizes) // zones, len(draws.units))
    whole, always, found = float(truth.sum()), True, {}
    plain = len(truth) * truth.std(ddof=1)
    for rounds in range(3, last + 1):
        is_size = rounds * zones in sizes
        if rounds * zones > 100 and rounds % _STEP and not is_size:
            continue
        some = draws.first(rounds)
        one = estimate(some, truth[some.units], model[some.units], model_total=float(model.sum()))
        always &= not one.is_enough or _holds(one.at_will, whole)
        if is_size:
            needed = 1 / ((one.standard_error / plain) ** 2 + 1 / len(truth))
            found[rounds * zones] = Sized(
                one.is_enough,
                _holds(one.fixed, whole),
                _width(one.fixed, whole),
                always,
                _width(one.at_will, whole),
                needed / (rounds * zones),
            )
    return found


def row_of(checks: Sequence[Check], size: int) -> list[Cell]:
    """Return the cells of a table for checks of one label and size; none where no interval is shown."""
    shown = [one[size] for one in checks if one[size].is_shown]
    cells: list[Cell] = [round(100 * len(shown) / len(checks), 1)]
    if len(shown) < 30:
        return [*cells, *[None] * 5]
    return [
        *cells,
        percent([one.holds for one in shown]),
        _percent_of(one.width for one in shown),
        percent([one[size].always for one in checks]),
        _percent_of(one.wide for one in shown),
        round(float(median(one.fewer for one in shown)), 1),
    ]


def percent(hits: Sequence[bool]) -> float:
    """Return the share that is true."""
    return round(100 * float(sum(hits)) / len(hits), 1)


def _holds(interval: Interval, truth: float) -> bool:
    # A total is a whole number, and a census meets it but for the last digit.
    return interval.low <= truth + 1e-6 and truth - 1e-6 <= interval.high


def _width(interval: Interval, truth: float) -> float:
    return (interval.high - interval.low) / 2 / truth if truth else math.inf


def _percent_of(widths: Iterable[float]) -> float:
    return round(100 * float(median(widths)), 1)
