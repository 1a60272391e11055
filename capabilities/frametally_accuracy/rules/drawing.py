"""Draws the units of a check in order by a recorded seed, so that anyone can repeat it.

Zones are runs of units by source, hour and time, of equal total weight. Every round draws one unit from each
zone that has any left, without replacement, with its weight over the weight left in its zone as probability.
So a check can stop after any round, and its sample is spread over all footage.
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
"""Least weight of a unit, relative to the mean, so that units that the model leaves empty are also drawn."""
_RARE = 0.02
"""Labels with a lower mean per unit than this are drawn as if they had it."""


class Draws(NamedTuple):
    """Rounds of draws, a row each, with a column for each zone.

    Attributes:
        units: Number of the unit; -1 if the zone has none left.
        weights: Weight of the unit; 1 if there is none.
        rest: Weight left in the zone before the draw; 0 if none.
        sizes: Number of units in each zone.
    """

    units: Whole
    weights: Numbers
    rest: Numbers
    sizes: Numbers

    @property
    def is_drawn(self) -> NDArray[np.bool_]:
        """Whether there is a unit."""
        return self.units >= 0

    def first(self, rounds: int) -> Draws:
        """Return the first rounds."""
        return Draws(self.units[:rounds], self.weights[:rounds], self.rest[:rounds], self.sizes)


def random_shares(seed: str, keys: Iterable[str]) -> Numbers:
    """Return a number between 0 and 1 for each key, derived from the seed, the same on every machine."""
    start = hashlib.sha256(seed.encode() + b"\0")
    whole = []
    for key in keys:
        of_unit = start.copy()
        of_unit.update(key.encode())
        whole.append(int.from_bytes(of_unit.digest()[:7]))
    return (np.array(whole, dtype=np.float64) + 0.5) / 2.0**56


def unit_weights(counts: Numbers, doubts: Numbers) -> Numbers:
    """Return the weight of each unit; their mean is 1, and none is below one half.

    Args:
        counts: The model's counts, with a row per unit and a column per label.
        doubts: Numbers of boxes close to the threshold, on either side, in the same shape.
    """
    means = np.maximum(counts.mean(axis=0), _RARE)
    likely = np.sqrt(((counts + doubts) / means**1.5).sum(axis=1))
    mean = likely.mean()
    if mean == 0:
        return np.ones(len(counts))
    return np.asarray(_LEAST_SHARE + (1 - _LEAST_SHARE) * likely / mean)


def zones_of(weights: Numbers) -> Whole:
    """Return the zone of each unit; units are ordered by source, hour and time."""
    number = max(1, min(MOST_ZONES, len(weights) // _UNITS_IN_ZONE))
    middles = np.cumsum(weights) - weights / 2
    return np.asarray(np.minimum((middles * number / weights.sum()).astype(np.int64), number - 1))


def draw(weights: Numbers, zones: Whole, shares: Numbers) -> Draws:
    """Return all rounds until every unit is drawn.

    Units in a zone are ordered by an exponential time with their weight as rate, which is the order of draws
    without replacement (Efraimidis and Spirakis, 2006).
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
