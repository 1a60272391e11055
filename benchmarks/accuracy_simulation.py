"""How often the intervals of an accuracy check hold the truth: thousands of checks of simulated footage.

    python benchmarks/accuracy_simulation.py

Each world is a day of 20,000 frames of one camera with four labels, of 3, 1, 0.3 and 0.07 objects a frame.
Density and recall drift over the day, and objects come in bursts. In a third of the days a stone is taken for
the label all day, in 95 % of the frames; in another third a thing is, in 70 % of the frames of two hours.
"""

from __future__ import annotations

import numpy as np
from accuracy_truth import DENSITIES, Simulation, World, simulate

from frametally_accuracy.rules.drawing import Numbers

FRAMES, HOURS, BURST = 20_000, 24, 10
SIZES = (100, 400, 1000)


def make_world(random: np.random.Generator) -> World:
    """Return a day of footage."""
    hour = np.arange(FRAMES) * HOURS / FRAMES
    columns = [_label(random, density, hour) for density in DENSITIES]
    return World(*(np.stack(part, axis=1) for part in zip(*columns, strict=True)))


def _label(random: np.random.Generator, density: float, hour: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    curve = np.exp(np.cos((hour - random.uniform(11, 17)) * np.pi / 12))
    curve *= np.repeat(random.gamma(4, 0.25, FRAMES // BURST), BURST)
    truth = random.poisson(curve * density / curve.mean())
    seen = random.binomial(truth, 0.84 + 0.1 * np.cos((hour - 13) * np.pi / 12))
    false = random.poisson(0.06 * density, FRAMES)
    steady = random.integers(3)
    if steady == 1:
        hours = random.choice(HOURS, 2, replace=False)
        false += np.isin(hour.astype(int), hours) & (random.random(FRAMES) < 0.7)
    elif steady == 2:
        false += random.random(FRAMES) < 0.95
    doubts = random.binomial(seen, 0.1) + random.binomial(false, 0.5) + random.binomial(truth - seen, 0.5)
    return truth.astype(float), (seen + false).astype(float), doubts.astype(float)


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
        )
    )


if __name__ == "__main__":
    main()
