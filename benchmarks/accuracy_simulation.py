"""How often the intervals of an accuracy check hold the truth: thousands of checks of simulated footage.

    python benchmarks/accuracy_simulation.py

Each world is a day of 20,000 frames of one camera with four labels, of 3, 1, 0.3 and 0.07 objects a frame.
Density and recall drift over the day, and objects come in bursts. In a third of the days a stone is taken for
the label all day, in 95 % of the frames; in another third a thing is, in 70 % of the frames of two hours.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from accuracy_truth import COLUMNS, NOTE, Check, row_of, run_checks
from results import Cell, Goal, Table, save

from frametally_accuracy.rules.drawing import Numbers
from frametally_consumer.load import cores

DENSITIES = (3.0, 1.0, 0.3, 0.07)
FRAMES, HOURS, BURST = 20_000, 24, 10
CHECKS_IN_WORLD = 5
SIZES = (100, 400, 1000)


class World(NamedTuple):
    """What is in each frame, what the model counts, and of how much of it the model is not sure."""

    truth: Numbers
    model: Numbers
    doubts: Numbers


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


def _check_world(number: int) -> tuple[list[list[Check]], list[list[Check]]]:
    """Return by label the checks of a world that are about all labels, and those that are about it alone."""
    world = make_world(np.random.default_rng([20, number]))
    seeds = [f"{number}/{one}" for one in range(CHECKS_IN_WORLD)]
    alone = [
        run_checks(*(part[:, [label]] for part in world), seeds=seeds[:1], sizes=SIZES)[0]
        for label in range(len(DENSITIES))
    ]
    return run_checks(*world, seeds=seeds, sizes=SIZES), alone


def main() -> None:
    """Simulate, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checks", type=int, default=2000, help="of each label")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    by_label: list[list[Check]] = [[] for _ in DENSITIES]
    by_label_alone: list[list[Check]] = [[] for _ in DENSITIES]
    with ProcessPoolExecutor(cores()) as pool:
        for together, alone in pool.map(_check_world, range(options.checks // CHECKS_IN_WORLD)):
            for label, checks in enumerate(together):
                by_label[label] += checks
                by_label_alone[label] += alone[label]
    tables: list[Table] = []
    goals: list[Goal] = []
    for size in SIZES:
        rows = _rows(by_label, size)
        tables.append(_table(f"{size:,} frames", rows))
        for density, row in zip(DENSITIES, rows, strict=True):
            goals += _goals(density, size, row[1:])
    for size in SIZES:
        title = f"{size:,} frames, {len(by_label_alone[0]):,} checks of one label alone"
        tables.append(_table(title, _rows(by_label_alone, size)))
    save(
        name="accuracy_simulation",
        title="Accuracy checks of simulated footage",
        about=f"{options.checks:,} checks of each label and size, five of each day. "
        + " ".join((__doc__ or "").split("\n\n")[2].split()),
        load_before=load_before,
        packages=["numpy"],
        tables=tables,
        goals=goals,
    )


def _rows(by_label: Sequence[Sequence[Check]], size: int) -> list[list[Cell]]:
    pairs = zip(DENSITIES, by_label, strict=True)
    return [[f"{density:g}", *row_of(checks, size)] for density, checks in pairs]


def _table(title: str, rows: list[list[Cell]]) -> Table:
    return Table(title=title, columns=["objects a frame", *COLUMNS], rows=rows, note=NOTE)


def _goals(density: float, size: int, row: list[Cell]) -> Iterator[Goal]:
    if None in row:
        return
    _, held, width, always, _, fewer = (float(cell or 0) for cell in row)
    of = f"{density:g} a frame, {size:,} frames"
    yield Goal(what=f"{of}: truth in the fixed interval, %", measured=held, at_least=94, at_most=97)
    yield Goal(what=f"{of}: truth in the interval at will, %", measured=always, at_least=95)
    if size == 100 and density >= 1:
        yield Goal(what=f"{of}: half-width, %", measured=width, at_most=10)
        yield Goal(what=f"{of}: times fewer labels than without the model", measured=fewer, at_least=5)


if __name__ == "__main__":
    main()
