"""Draws the units of a check in order, by a recorded seed, so that anyone can draw them again.

The units lie in zones: runs of source, hour and time of equal total weight. Every round draws one unit of
each zone that has one left, without putting it back, with a probability that is its weight over the weight
that its zone has left. So a check can stop after any round, and its sample is spread over all footage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]

MOST_ZONES = 10
_UNITS_IN_ZONE = 4
_LEAST_SHARE = 0.5
"""The least weight of a unit, in the mean weight: what the model leaves empty is drawn, too."""
_RARE = 0.02
"""A label that is rarer than this in a unit draws no more to itself."""


class Draws(NamedTuple):
    """Rounds of draws, a row each, with a column for each zone.

    Attributes:
        units: Number of the unit; -1 where the zone has none left.
        weights: Of the unit; 1 where there is none.
        rest: Weight of what the zone had left before the draw; 0 where it had nothing.
        sizes: By zone, how many units it has.
    """

    units: Whole
    weights: Numbers
    rest: Numbers
    sizes: Numbers

    @property
    def is_drawn(self) -> NDArray[np.bool_]:
        """Where there is a unit."""
        return self.units >= 0

    def first(self, rounds: int) -> Draws:
        """Return the first rounds."""
        return Draws(self.units[:rounds], self.weights[:rounds], self.rest[:rounds], self.sizes)


def random_shares(seed: str, keys: Iterable[str]) -> Numbers:
    """Return a number between 0 and 1 for each unit: of its key and the seed, the same on every machine."""
    start = hashlib.sha256(seed.encode() + b"\0")
    whole = []
    for key in keys:
        of_unit = start.copy()
        of_unit.update(key.encode())
        whole.append(int.from_bytes(of_unit.digest()[:7]))
    return (np.array(whole, dtype=np.float64) + 0.5) / 2.0**56


def unit_weights(counts: Numbers, doubts: Numbers) -> Numbers:
    """Return the weight of each unit; the mean is 1, and none is below one half.

    Args:
        counts: The model's counts, a row for each unit, a column for each label.
        doubts: Likewise, how many boxes are near the threshold, on either side.
    """
    means = np.maximum(counts.mean(axis=0), _RARE)
    likely = np.sqrt(((counts + doubts) / means**1.5).sum(axis=1))
    mean = likely.mean()
    if mean == 0:
        return np.ones(len(counts))
    return np.asarray(_LEAST_SHARE + (1 - _LEAST_SHARE) * likely / mean)


def zones_of(weights: Numbers) -> Whole:
    """Return the zone of each unit; the units are in the order of source, hour and time."""
    number = max(1, min(MOST_ZONES, len(weights) // _UNITS_IN_ZONE))
    middles = np.cumsum(weights) - weights / 2
    return np.asarray(np.minimum((middles * number / weights.sum()).astype(np.int64), number - 1))


def draw(weights: Numbers, zones: Whole, shares: Numbers) -> Draws:
    """Return all rounds, until every unit is drawn.

    A unit's place in its zone is by an exponential time with its weight as the rate: the order in which
    draws without replacement take them (Efraimidis and Spirakis, 2006).
    """
    times = -np.log(shares) / weights
    columns = [np.flatnonzero(zones == zone) for zone in range(int(zones.max()) + 1)]
    columns = [column[np.argsort(times[column], kind="stable")] for column in columns]
    shape = max(map(len, columns)), len(columns)
    units, drawn_weights, rest = np.full(shape, -1, dtype=np.int64), np.ones(shape), np.zeros(shape)
    for zone, column in enumerate(columns):
        units[: len(column), zone] = column
        drawn_weights[: len(column), zone] = weights[column]
        rest[: len(column), zone] = np.cumsum(weights[column][::-1])[::-1]
    return Draws(units, drawn_weights, rest, np.array([float(len(column)) for column in columns]))
