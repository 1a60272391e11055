"""Finds the steady part of the model's counts and unusual levels, both without people's answers.

The estimate of a total has a separate slope for the steady part, and bars with an unusual level have wider
intervals.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from frametally_accuracy.rules.drawing import Numbers

_AROUND = 60
"""The steady part is based on this many units, as many before and as many after: some minutes of frames."""
_STRETCHES = 32
"""A source has at least this many stretches, each of an hour at most."""
_REACH = 4
"""Stretches on either side that define the usual level; a false box of two hours does not change it."""
_UNUSUAL = 2.5
"""A level is unusual from this many usual deviations on."""
_LEAST_UNUSUAL = 0.1
"""Least relative difference of an unusual level from the usual one."""
_LEAST = 1e-9


def steady_counts(counts: Numbers, sources: Sequence[str]) -> Numbers:
    """Return the part of each unit's counts that stays from unit to unit, such as a stone mistaken for a dog.

    It is at most the running median (Tukey, Exploratory Data Analysis, 1977), rounded down.

    Args:
        counts: The model's counts, with a row per unit and a column per label.
        sources: Source of each unit; units are ordered by source and time.
    """
    steady = np.zeros_like(counts)
    for begin, end in _runs(sources):
        for first in range(begin, end, _AROUND):
            block = slice(first, min(first + _AROUND, end))
            around = counts[max(begin, first - _AROUND) : min(end, first + 2 * _AROUND)]
            steady[block] = np.minimum(counts[block], np.floor(np.median(around, axis=0)))
    return steady


def unusual_counts(counts: Numbers, sources: Sequence[str], hours: Numbers) -> NDArray[np.bool_]:
    """Return, by unit and label, whether the model's counts are unusually high or low for the hours around.

    Counts are unusual if the level of their stretch is far from the median of those around it, relative to
    the median deviation of the source's stretches (Hampel, Journal of the American Statistical Association
    69, 1974).

    Args:
        counts: The model's counts, with a row per unit and a column per label.
        sources: Source of each unit; units are ordered by source and time.
        hours: Event time of each unit in hours.
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
        # 1.4826 median deviations are a standard deviation if errors are normal.
        limit = np.maximum(_UNUSUAL * 1.4826 * np.median(apart, axis=0), _LEAST_UNUSUAL)
        unusual[begin:end] = (apart > limit)[stretches]
    return unusual


def _runs(sources: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each source's units."""
    pairs = enumerate(itertools.pairwise(sources), 1)
    changes = (number for number, (source, following) in pairs if source != following)
    return itertools.pairwise([0, *changes, len(sources)])
