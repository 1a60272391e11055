"""How often a check says rightly which of two models is better: thousands of checks of simulated footage.

    python benchmarks/accuracy_models.py

The days are those of `accuracy_simulation.py`. The other model is `like` the checked one, with errors of
its own, or `shy`: it has a fourth of that one's boxes less, right and false ones, so it is the better one
where a stone is taken for the label. A check is right where the interval of the difference holds it.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from accuracy_simulation import SIZES, make_world
from accuracy_truth import CHECKS_IN_WORLD, DENSITIES, percent
from results import Cell, Goal, Table, save

from frametally_accuracy.rules.drawing import Numbers, draw, unit_weights, zones_of
from frametally_accuracy.rules.two_models import error_difference
from frametally_consumer.load import cores

OTHERS = ("like", "shy")


class Compared(NamedTuple):
    """One check: whether its interval contains the difference, and which model it names."""

    holds: bool
    is_other_better: bool
    is_other_worse: bool


Place = tuple[str, int, float]


def _check_world(number: int) -> list[tuple[Place, Compared]]:
    random = np.random.default_rng([22, number])
    world = make_world(random)
    weights = unit_weights(world.model, world.doubts)
    zones = zones_of(weights)
    like = make_like(random, world.truth, world.model)
    models = {"like": like, "shy": random.binomial(like.astype(int), 0.75).astype(float)}
    found = []
    for _ in range(CHECKS_IN_WORLD):
        draws = draw(weights, zones, random.random(len(weights)))
        for size in SIZES:
            some = draws.first(size // draws.units.shape[1])
            for (name, other), (label, density) in (
                (pair, one) for pair in models.items() for one in enumerate(DENSITIES)
            ):
                truth, model, counted = (part[:, label] for part in (world.truth, world.model, other))
                said = error_difference(some, *(part[some.units] for part in (truth, counted, model)))
                if not said.is_enough:
                    continue
                true = float((np.abs(counted - truth) - np.abs(model - truth)).sum())
                low, high = said.fixed
                found.append(((name, size, density), Compared(low <= true <= high, high < 0, low > 0)))
    return found


def make_like(random: np.random.Generator, truth: Numbers, model: Numbers) -> Numbers:
    """Return the counts of a model with as many errors as another, in other frames nearby."""
    errors = (model - truth).reshape(-1, 100, truth.shape[1])
    errors = np.take_along_axis(errors, random.permuted(np.arange(100))[None, :, None], axis=1)
    return np.maximum(truth + errors.reshape(truth.shape), 0)


def main() -> None:
    """Simulate, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checks", type=int, default=2000, help="of each label")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    by_place: dict[Place, list[Compared]] = defaultdict(list)
    with ProcessPoolExecutor(cores()) as pool:
        for compared in pool.map(_check_world, range(options.checks // CHECKS_IN_WORLD)):
            for place, one in compared:
                by_place[place].append(one)
    rows: list[list[Cell]] = []
    goals = []
    for place in ((name, size, density) for name in OTHERS for size in SIZES for density in DENSITIES):
        held = by_place[place]
        if len(held) < 30:
            continue
        name, size, density = place
        right, better, worse = (percent([one[part] for one in held]) for part in range(3))
        rows.append(
            [name, size, f"{density:g}", round(100 * len(held) / options.checks, 1), right, better, worse]
        )
        of = f"{name}, {density:g} a frame, {size:,} frames"
        goals.append(Goal(what=f"{of}: difference in its interval, %", measured=right, at_least=94))
    save(
        name="accuracy_models",
        title="Two models on the same checked frames",
        about=f"{options.checks:,} checks of each label and size, five of each day. "
        + " ".join((__doc__ or "").split("\n\n")[2].split()),
        load_before=load_before,
        packages=["numpy"],
        tables=[
            Table(
                title="Intervals of a difference",
                columns=[
                    "other model",
                    "frames answered",
                    "objects a frame",
                    "interval shown, % of checks",
                    "difference in it, %",
                    "other named better, %",
                    "other named worse, %",
                ],
                rows=rows,
                note="Intervals are those of a fixed size.",
            )
        ],
        goals=goals,
    )


if __name__ == "__main__":
    main()
