"""How many labels the best of all designs saves: an oracle that knows what no check can know.

    python benchmarks/accuracy_bound.py

The days are those of `accuracy_simulation.py`. The oracle knows for each frame the true rate of objects, the
recall of the model and where stones are; it predicts each frame by its conditional mean, given what the model
counts and doubts, and draws frames with the probabilities of least variance (Neyman's allocation). What is
left is the conditional variance, and no design and no estimator that is unbiased gets below it. In a check of
four labels, the draws are those that help the worst of them most.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from statistics import median

import numpy as np
from accuracy_simulation import FRAMES, SIZES, LabelDay, make_label
from accuracy_truth import DENSITIES
from results import Cell, Table, save
from scipy import stats

from frametally_accuracy.rules.drawing import Numbers

STEP = 10
"""Variances are computed from every tenth frame, and sums are over all."""
_BALANCING = 60
_TINY = 1e-12


def conditional_variances(day: LabelDay) -> Numbers:
    """Return the variance of each frame's contents, given all that the oracle knows."""
    model, doubts, rate, recall, stone = (
        part[::STEP] for part in (day.model, day.doubts, day.rate, day.recall, day.stone)
    )
    most_missed = int(stats.poisson.ppf(1 - 1e-7, (rate * (1 - recall)).max())) + 1
    most_false = int(stats.poisson.ppf(1 - 1e-6, day.false_rate)) + 2
    by_chance = stats.poisson.pmf(np.arange(most_false + 1), day.false_rate)
    sums = np.zeros((3, len(model)))
    for false in range(most_false + 1):
        seen = np.maximum(model - false, 0)
        here = (1 - stone) * by_chance[false] + (stone * by_chance[false - 1] if false else 0)
        here = here * (model >= false) * stats.poisson.pmf(seen, rate * recall)
        for missed in range(most_missed + 1):
            unsure = sum(
                stats.binom.pmf(number, false + missed, 0.5) * stats.binom.pmf(doubts - number, seen, 0.1)
                for number in range(false + missed + 1)
            )
            likely = here * stats.poisson.pmf(missed, rate * (1 - recall)) * unsure
            objects = seen + missed
            sums += likely * np.stack([np.ones_like(objects), objects, objects**2])
    mean, square = sums[1:] / sums[0]
    return np.asarray(np.maximum(square - mean**2, 0))


def times_fewer(variances: Numbers, weights: Numbers, plain: float, size: int) -> float:
    """Return how many times as many frames, drawn evenly, match the variance of `size` drawn by weights."""
    shares = weights / weights.sum()
    left = (variances / shares).mean() * FRAMES * STEP / size - variances.sum() * STEP
    needed = 1 / (max(left, _TINY) / (FRAMES**2 * plain) + 1 / FRAMES)
    return float(needed / size)


def together(variances: list[Numbers], plains: list[float], size: int) -> list[float]:
    """Return a check's savings for each label, with the draws that help the worst of them most."""
    parts = np.array([1 / np.sqrt(one).sum() ** 2 for one in variances])
    ratios = np.ones(len(parts))
    for _ in range(_BALANCING):
        weights = np.sqrt(sum(part * one for part, one in zip(parts, variances, strict=True))) + _TINY
        ratios = np.array(
            [times_fewer(one, weights, plain, size) for one, plain in zip(variances, plains, strict=True)]
        )
        parts /= np.sqrt(ratios)
        parts /= parts.sum()
    return [float(ratio) for ratio in ratios]


def main() -> None:
    """Compute, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=60)
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    found: dict[tuple[int, int, bool], list[float]] = defaultdict(list)
    worst: dict[int, list[float]] = defaultdict(list)
    for number in range(options.days):
        random = np.random.default_rng([20, number])
        days = [make_label(random, density) for density in DENSITIES]
        variances = [conditional_variances(day) for day in days]
        plains = [float(day.truth.var(ddof=1)) for day in days]
        for size in SIZES:
            balanced = together(variances, plains, size)
            worst[size].append(min(balanced))
            for label, (one, plain) in enumerate(zip(variances, plains, strict=True)):
                found[size, label, False].append(balanced[label])
                found[size, label, True].append(times_fewer(one, np.sqrt(one) + _TINY, plain, size))
    rows: list[list[Cell]] = [
        [
            f"{size:,}",
            *(round(median(found[size, label, True]), 1) for label in range(len(DENSITIES))),
            round(median(worst[size]), 1),
        ]
        for size in SIZES
    ]
    save(
        name="accuracy_bound",
        title="The most labels that any check could save",
        about=f"Medians of {options.days} days. " + " ".join((__doc__ or "").split("\n\n")[2].split()),
        load_before=load_before,
        packages=["numpy", "scipy"],
        tables=[
            Table(
                title="Times fewer labels than without the model, at most",
                columns=[
                    "frames answered",
                    *(f"{density:g} a frame, alone" for density in DENSITIES),
                    "each of the four, in one check",
                ],
                rows=rows,
                note="A check of all four labels can save so many labels of each of them at once.",
            )
        ],
        goals=[],
    )


if __name__ == "__main__":
    main()
