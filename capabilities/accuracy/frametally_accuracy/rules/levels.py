"""The steady part of the model's counts, and unusual levels: both without people's answers.

The estimate of a total has a slope of its own for the steady part, and a bar whose level is unusual has a
wider interval.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from frametally_accuracy.rules.drawing import Numbers

_AROUND = 60
"""The steady part is seen from so many units, as many before and as many after: some minutes of frames."""
_STRETCHES = 32
"""A source has at least so many stretches, each of an hour at most."""
_REACH = 4
"""Stretches on either side that a usual level is seen from: a false box of two hours does not move it."""
_UNUSUAL = 2.5
"""So many times the usual deviation, a level is unusual."""
_LEAST_UNUSUAL = 0.1
"""An unusual level is at least so far from the usual one, as a part of it."""
_LEAST = 1e-9


def steady_counts(counts: Numbers, sources: Sequence[str]) -> Numbers:
    """Return the part of each unit's counts that stays from unit to unit, such as a stone taken for a dog.

    It is at most the running median (Tukey, Exploratory Data Analysis, 1977), rounded down.

    Args:
        counts: The model's counts, a row for each unit, a column for each label.
        sources: By unit, its source; the units are in the order of source and time.
    """
    steady = np.zeros_like(counts)
    for begin, end in _runs(sources):
        for first in range(begin, end, _AROUND):
            block = slice(first, min(first + _AROUND, end))
            around = counts[max(begin, first - _AROUND) : min(end, first + 2 * _AROUND)]
            steady[block] = np.minimum(counts[block], np.floor(np.median(around, axis=0)))
    return steady


def unusual_counts(counts: Numbers, sources: Sequence[str], hours: Numbers) -> NDArray[np.bool_]:
    """Return by unit and label whether the model counts unusually much or little there, for hours around.

    It is so where the level of a stretch is far from the median of those around it, by the median deviation
    of the source's stretches (Hampel, Journal of the American Statistical Association 69, 1974).

    Args:
        counts: The model's counts, a row for each unit, a column for each label.
        sources: By unit, its source; the units are in the order of source and time.
        hours: By unit, its event time in hours.
    """
    unusual = np.zeros(counts.shape, dtype=bool)
    for begin, end in _runs(sources):
        elapsed = hours[begin:end] - hours[begin]
        length = max(min(1.0, elapsed[-1] / _STRETCHES), _LEAST)
        _, stretches, sizes = np.unique(elapsed // length, return_inverse=True, return_counts=True)
        levels = np.stack([np.bincount(stretches, column) / sizes for column in counts[begin:end].T], axis=1)
        usual = np.stack(
            [
                np.median(levels[max(0, place - _REACH) : place + _REACH + 1], axis=0)
                for place in range(len(levels))
            ]
        )
        apart = np.abs(levels - usual) / np.maximum(usual, _LEAST)
        # 1.4826 median deviations are a standard one, where errors are normal.
        limit = np.maximum(_UNUSUAL * 1.4826 * np.median(apart, axis=0), _LEAST_UNUSUAL)
        unusual[begin:end] = (apart > limit)[stretches]
    return unusual


def _runs(sources: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where each source begins and ends."""
    pairs = enumerate(itertools.pairwise(sources), 1)
    changes = (number for number, (source, following) in pairs if source != following)
    return itertools.pairwise([0, *changes, len(sources)])
