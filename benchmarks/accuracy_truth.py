"""Accuracy checks of footage whose truth is known: many draws, and how often their intervals contain it."""

from __future__ import annotations

import argparse
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median
from typing import NamedTuple

import numpy as np
from results import Cell, Goal, Table, save

from frametally_accuracy.rules.drawing import Draws, Numbers, draw, random_shares, unit_weights, zones_of
from frametally_accuracy.rules.estimation import Estimate, Interval, estimate
from frametally_accuracy.rules.levels import steady_counts
from frametally_consumer.load import cores

DENSITIES = (3.0, 1.0, 0.3, 0.07)
"""Objects in a unit, by label."""
CHECKS_IN_WORLD = 5
_MANY_IN_WORLD = 40
_OTHER_WORLDS = 10_000
"""The number of the first world of the checks that look only at the fixed interval."""

COLUMNS = [
    "interval shown, % of checks",
    "truth in the fixed one, %",
    "its half-width, %",
    "truth in the one at will at every look, %",
    "its half-width, %",
    "times fewer labels than without the model",
]
NOTE = (
    "Half-widths are medians, in parts of the truth. `At every look` looks after each round of ten units, "
    "from 100 units on after every tenth round: who stops at the worst of these has such an interval. "
    "Without the model, units are drawn evenly at random."
)
_STEP = 10


class World(NamedTuple):
    """For each unit, the truth, the model's count, and how much of that the model is unsure of."""

    truth: Numbers
    model: Numbers
    doubts: Numbers


class Simulation(NamedTuple):
    """Checks of worlds whose truth is known.

    Attributes:
        name: The name of the result.
        title: The title of the result.
        about: The benchmark's docstring; its third paragraph describes the worlds.
        unit: The name of a unit.
        sizes: The numbers of answered units.
        make_world: Returns a world.
        fixed_checks: How many more checks look only at the fixed interval, in other worlds.
    """

    name: str
    title: str
    about: str
    unit: str
    sizes: tuple[int, ...]
    make_world: Callable[[np.random.Generator], World]
    fixed_checks: int = 0


class Sized(NamedTuple):
    """The results of a check after some number of frames.

    Attributes:
        is_shown: Whether there is enough data for an interval.
        holds: Whether the fixed interval contains the truth.
        width: Its half-width, as a fraction of the truth.
        always: Whether every interval at will shown until then contains the truth.
        wide: The half-width of the last one.
        fewer: How many times as many labels the same width takes without the model.
    """

    is_shown: bool
    holds: bool
    width: float
    always: bool
    wide: float
    fewer: float


Check = dict[int, Sized]


def run_checks(
    truth: Numbers, model: Numbers, doubts: Numbers, *, seeds: Sequence[str], sizes: Sequence[int]
) -> list[list[Check]]:
    """Return, by label, the checks drawn from these seeds."""
    weights = unit_weights(model, doubts)
    zones, steady = zones_of(weights), steady_counts(model, [""] * len(model))
    found: list[list[Check]] = [[] for _ in range(truth.shape[1])]
    for seed in seeds:
        # Draws as a seed does, except for converting units' keys to numbers, which would dominate the time.
        number = int(random_shares(seed, ["0"])[0] * 2**52)
        draws = draw(weights, zones, np.random.default_rng(number).random(len(weights)))
        for label, checks in enumerate(found):
            checks.append(_check(truth[:, label], model[:, label], steady[:, label], draws, sizes))
    return found


def _check(truth: Numbers, model: Numbers, steady: Numbers, draws: Draws, sizes: Sequence[int]) -> Check:
    zones = draws.units.shape[1]
    last = min(max(sizes) // zones, len(draws.units))
    whole, always, found = float(truth.sum()), True, {}
    plain = len(truth) * truth.std(ddof=1)
    for rounds in range(3, last + 1):
        is_size = rounds * zones in sizes
        if rounds * zones > 100 and rounds % _STEP and not is_size:
            continue
        some = draws.first(rounds)
        one = _estimate(some, truth, model, steady)
        always &= not one.is_enough or _holds(one.at_will, whole)
        if is_size:
            needed = 1 / ((one.standard_error / plain) ** 2 + 1 / len(truth))
            found[rounds * zones] = Sized(
                one.is_enough,
                _holds(one.fixed, whole),
                _width(one.fixed, whole),
                always,
                _width(one.at_will, whole),
                needed / (rounds * zones),
            )
    return found


def _estimate(draws: Draws, truth: Numbers, model: Numbers, steady: Numbers) -> Estimate:
    return estimate(
        draws,
        *(part[draws.units] for part in (truth, model)),
        model_total=float(model.sum()),
        steady=steady[draws.units],
        steady_total=float(steady.sum()),
    )


def row_of(checks: Sequence[Check], size: int) -> list[Cell]:
    """Return a table's cells for checks of one label and size; None where no interval is shown."""
    shown = [one[size] for one in checks if one[size].is_shown]
    cells: list[Cell] = [round(100 * len(shown) / len(checks), 1)]
    if len(shown) < 30:
        return [*cells, *[None] * 5]
    return [
        *cells,
        percent([one.holds for one in shown]),
        _percent_of(one.width for one in shown),
        percent([one[size].always for one in checks]),
        _percent_of(one.wide for one in shown),
        round(float(median(one.fewer for one in shown)), 1),
    ]


def percent(hits: Sequence[bool]) -> float:
    """Return the percentage of hits that are true."""
    return round(100 * float(sum(hits)) / len(hits), 1)


def _holds(interval: Interval, truth: float) -> bool:
    # A total is a whole number, and a census matches it except for rounding.
    return interval.low <= truth + 1e-6 and truth - 1e-6 <= interval.high


def _width(interval: Interval, truth: float) -> float:
    return (interval.high - interval.low) / 2 / truth if truth else math.inf


def _percent_of(widths: Iterable[float]) -> float:
    return round(100 * float(median(widths)), 1)


def simulate(simulation: Simulation) -> None:
    """Make thousands of checks, and write the result."""
    parser = argparse.ArgumentParser(
        description=simulation.about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checks", type=int, default=2000, help="of each label")
    options = parser.parse_args()
    by_label: list[list[Check]] = [[] for _ in DENSITIES]
    by_label_alone: list[list[Check]] = [[] for _ in DENSITIES]
    with ProcessPoolExecutor(cores()) as pool:
        worlds = range(options.checks // CHECKS_IN_WORLD)
        others = range(_OTHER_WORLDS, _OTHER_WORLDS + simulation.fixed_checks // _MANY_IN_WORLD)
        for together, alone in pool.map(partial(_check_world, simulation), worlds):
            for label, checks in enumerate(together):
                by_label[label] += checks
                by_label_alone[label] += alone[label]
        of_fixed: dict[tuple[int, int], list[bool]] = defaultdict(list)
        for held in pool.map(partial(_fixed_of_world, simulation), others):
            for place, hits in held.items():
                of_fixed[place] += hits
    tables: list[Table] = []
    goals: list[Goal] = []
    for size in simulation.sizes:
        rows = _rows(by_label, size)
        tables.append(_table(simulation, f"{size:,} {simulation.unit}s", rows))
        for label, row in enumerate(rows):
            hits = of_fixed[size, label]
            of_more = percent(hits) if hits else None
            goals += _goals(simulation.unit, DENSITIES[label], size, row[1:], of_more)
    if simulation.fixed_checks:
        tables.append(_table_of_fixed(simulation, of_fixed))
    for size in simulation.sizes:
        title = f"{size:,} {simulation.unit}s, {len(by_label_alone[0]):,} checks of one label alone"
        tables.append(_table(simulation, title, _rows(by_label_alone, size)))
    save(
        name=simulation.name,
        title=simulation.title,
        about=f"{options.checks:,} checks of each label and size, five of each day. "
        + " ".join(simulation.about.split("\n\n")[2].split()),
        packages=["numpy"],
        tables=tables,
        goals=goals,
    )


def _check_world(simulation: Simulation, number: int) -> tuple[list[list[Check]], list[list[Check]]]:
    """Return, by label, a world's checks of all labels together, and of that label alone."""
    world = simulation.make_world(np.random.default_rng([20, number]))
    seeds = [f"{number}/{one}" for one in range(CHECKS_IN_WORLD)]
    run = partial(run_checks, sizes=simulation.sizes)
    alone = [
        run(*(part[:, [label]] for part in world), seeds=seeds[:1])[0] for label in range(len(DENSITIES))
    ]
    return run(*world, seeds=seeds), alone


def _fixed_of_world(simulation: Simulation, number: int) -> dict[tuple[int, int], list[bool]]:
    """Return, by size and label, whether the fixed intervals shown by a world's checks contain the truth."""
    random = np.random.default_rng([20, number])
    truth, model, doubts = simulation.make_world(random)
    weights, steady = unit_weights(model, doubts), steady_counts(model, [""] * len(model))
    zones = zones_of(weights)
    held: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for _ in range(_MANY_IN_WORLD):
        draws = draw(weights, zones, random.random(len(weights)))
        for size, label in itertools.product(simulation.sizes, range(truth.shape[1])):
            some = draws.first(size // draws.units.shape[1])
            one = _estimate(some, *(part[:, label] for part in (truth, model, steady)))
            if one.is_enough:
                held[size, label].append(_holds(one.fixed, float(truth[:, label].sum())))
    return held


def _table_of_fixed(simulation: Simulation, held: dict[tuple[int, int], list[bool]]) -> Table:
    rows: list[list[Cell]] = []
    for label, density in enumerate(DENSITIES):
        of_sizes = (held[size, label] for size in simulation.sizes)
        rows.append([f"{density:g}", *(percent(hits) if len(hits) >= 300 else None for hits in of_sizes)])
    return Table(
        f"{simulation.fixed_checks:,} more checks: truth in the fixed interval, %",
        [f"objects a {simulation.unit}", *(f"{size:,} {simulation.unit}s" for size in simulation.sizes)],
        rows,
        "In other days than above. A share of so many checks is exact to about 0.5 %.",
    )


def _rows(by_label: Sequence[Sequence[Check]], size: int) -> list[list[Cell]]:
    pairs = zip(DENSITIES, by_label, strict=True)
    return [[f"{density:g}", *row_of(checks, size)] for density, checks in pairs]


def _table(simulation: Simulation, title: str, rows: list[list[Cell]]) -> Table:
    return Table(title, [f"objects a {simulation.unit}", *COLUMNS], rows, NOTE)


def _goals(unit: str, density: float, size: int, row: list[Cell], of_more: float | None) -> Iterator[Goal]:
    if None in row:
        return
    shown, held, width, always, _, fewer = (float(cell or 0) for cell in row)
    if shown < 50:
        # These few checks happened to see many objects, so the interval is right more often.
        yield Goal(f"{density:g} a {unit}, {size:,}: truth in the fixed interval, %", held, at_least=94)
        return
    held = held if of_more is None else of_more
    of = f"{density:g} a {unit}, {size:,} {unit}s"
    yield Goal(f"{of}: truth in the fixed interval, %", held, at_least=94, at_most=97)
    yield Goal(f"{of}: truth in the interval at will, %", always, at_least=95)
    if unit == "frame":
        yield Goal(f"{of}: times fewer labels than without the model", fewer, at_least=5)
        if size == 100 and density >= 1:
            yield Goal(f"{of}: half-width, %", width, at_most=10)
