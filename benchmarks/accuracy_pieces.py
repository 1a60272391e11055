"""How often intervals of visits and crossings hold the truth: thousands of checks of simulated footage.

    python benchmarks/accuracy_pieces.py

Each world is a day of one camera, 5,760 pieces of 15 seconds, with four labels of 3, 1, 0.3 and 0.07 visits
or crossings a piece. Density and recall drift over the day, and objects come in platoons of a minute. The
model misses objects, and most of all in platoons, and counts some twice, whose track broke. In a third of the
days something that moves in the wind is counted in 95 % of the pieces; in another third, in 70 % of those of
two hours.
"""

from __future__ import annotations

import numpy as np
from accuracy_truth import DENSITIES, Simulation, World, simulate

from frametally_accuracy.pieces.counted_pieces import PIECE_MS
from frametally_accuracy.rules.drawing import Numbers

HOURS = 24
PIECES = HOURS * 3_600_000 // PIECE_MS
PLATOON = 60_000 // PIECE_MS
SIZES = (40, 100, 400)
FRAMES_NEAR_THRESHOLD = 0.2
"""The share of a piece's frames that have a doubtful box of an object that the model is unsure of."""


def make_day(random: np.random.Generator) -> World:
    """Return a day of footage."""
    hour = np.arange(PIECES) * HOURS / PIECES
    columns = [_label(random, density, hour) for density in DENSITIES]
    return World(*(np.stack(part, axis=1) for part in zip(*columns, strict=True)))


def _label(random: np.random.Generator, density: float, hour: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    curve = np.exp(np.cos((hour - random.uniform(11, 17)) * np.pi / 12))
    platoons = np.repeat(random.gamma(2, 0.5, PIECES // PLATOON), PLATOON)
    truth = random.poisson(curve * platoons * density / (curve * platoons).mean())
    recall = (0.9 + 0.06 * np.cos((hour - 13) * np.pi / 12)) * np.exp(-0.03 * platoons)
    seen = random.binomial(truth, recall)
    twice = random.binomial(seen, 0.06)
    false = random.poisson(0.03 * density, PIECES)
    steady = random.integers(3)
    if steady == 1:
        hours = random.choice(HOURS, 2, replace=False)
        false += np.isin(hour.astype(int), hours) & (random.random(PIECES) < 0.7)
    elif steady == 2:
        false += random.random(PIECES) < 0.95
    unsure = random.binomial(seen, 0.1) + random.binomial(false, 0.5) + random.binomial(truth - seen, 0.5)
    model = seen + twice + false
    return truth.astype(float), model.astype(float), unsure * FRAMES_NEAR_THRESHOLD


def main() -> None:
    """Simulate, and write the result."""
    simulate(
        Simulation(
            name="accuracy_pieces",
            title="Accuracy checks of simulated visits and crossings",
            about=__doc__ or "",
            unit="piece",
            sizes=SIZES,
            make_world=make_day,
        )
    )


if __name__ == "__main__":
    main()
