"""How often the intervals of an accuracy check hold the truth: thousands of checks of simulated footage.

    python benchmarks/accuracy_simulation.py

Each world is a day of 20,000 frames of one camera with four labels, of 3, 1, 0.3 and 0.07 objects a frame.
Density and recall drift over the day, and objects come in bursts. In a third of the days a stone is taken for
the label all day, in 95 % of the frames; in another third a thing is, in 70 % of the frames of two hours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from accuracy_truth import DENSITIES, Simulation, World, simulate

from frametally_accuracy.rules.drawing import Numbers

FRAMES, HOURS, BURST = 20_000, 24, 10
SIZES = (100, 400, 1000)


class LabelDay(NamedTuple):
    """A label in each frame of a day, with data that a check cannot know.

    Attributes:
        truth: The true objects.
        model: The model's count.
        doubts: How many of them the model is unsure of.
        rate: The mean of the true objects.
        recall: The fraction of them that the model sees.
        false_rate: The mean of other false boxes.
        stone: The probability of a box on a thing that is taken for the label.
    """

    truth: Numbers
    model: Numbers
    doubts: Numbers
    rate: Numbers
    recall: Numbers
    false_rate: float
    stone: Numbers


def make_world(random: np.random.Generator) -> World:
    """Return a day of footage."""
    days = [make_label(random, density) for density in DENSITIES]
    return World(*(np.stack(part, axis=1) for part in zip(*(day[:3] for day in days), strict=True)))


def make_label(random: np.random.Generator, density: float) -> LabelDay:
    """Return a label of this density in objects per frame."""
    hour = np.arange(FRAMES) * HOURS / FRAMES
    curve = np.exp(np.cos((hour - random.uniform(11, 17)) * np.pi / 12))
    curve *= np.repeat(random.gamma(4, 0.25, FRAMES // BURST), BURST)
    rate = curve * density / curve.mean()
    recall = 0.84 + 0.1 * np.cos((hour - 13) * np.pi / 12)
    truth = random.poisson(rate)
    seen = random.binomial(truth, recall)
    false = random.poisson(0.06 * density, FRAMES)
    steady = random.integers(3)
    stone: Numbers = np.zeros(FRAMES)
    if steady == 1:
        stone[np.isin(hour.astype(int), random.choice(HOURS, 2, replace=False))] = 0.7
    elif steady == 2:
        stone += 0.95
    if steady:
        false += random.random(FRAMES) < stone
    doubts = random.binomial(seen, 0.1) + random.binomial(false, 0.5) + random.binomial(truth - seen, 0.5)
    model = (seen + false).astype(float)
    return LabelDay(truth.astype(float), model, doubts.astype(float), rate, recall, 0.06 * density, stone)


def main() -> None:
    """Simulate, and write the result."""
    simulate(
        Simulation(
            name="accuracy_simulation",
            title="Accuracy checks of simulated footage",
            about=__doc__ or "",
            unit="frame",
            sizes=SIZES,
            make_world=make_world,
            fixed_checks=10_000,
        )
    )


if __name__ == "__main__":
    main()
