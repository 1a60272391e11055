"""How often the intervals of an accuracy check hold the truth: thousands of checks of simulated footage.

    python benchmarks/accuracy_simulation.py [--pieces]

`ABOUT` describes the worlds: days of one camera, whose frames are checked or, with `--pieces`, pieces of 15
seconds.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from results import Cell, Goal, Table, options, save

from frametally_accuracy.pieces.counted_pieces import PIECE_MS
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
    *("interval shown, % of checks", "truth in the fixed one, %", "its half-width, %"),
    *("truth in the one at will at every look, %", "its half-width, %"),
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


class Sized(NamedTuple):
    """The results of a check after some number of frames.

    `holds` and `width` are of the fixed interval: whether it contains the truth, and its half-width as a
    fraction of that. `always` says whether every interval at will shown until then does, `wide` is the
    half-width of the last one, and `fewer` how many times as many labels that takes without the model.
    """

    is_shown: bool
    holds: bool
    width: float
    always: bool
    wide: float
    fewer: float


Check = dict[int, Sized]

FRAMES, HOURS, BURST = 20_000, 24, 10
PIECES = HOURS * 3_600_000 // PIECE_MS
PLATOON = 60_000 // PIECE_MS
FRAMES_NEAR_THRESHOLD = 0.2
"""The share of a piece's frames that have a doubtful box of an object that the model is unsure of."""

ABOUT = {
    "frame": "Each world is a day of 20,000 frames of one camera with four labels, of 3, 1, 0.3 and 0.07 "
    "objects a frame. Density and recall drift over the day, and objects come in bursts. In a "
    "third of the days a stone is taken for the label all day, in 95 % of the frames; in "
    "another third a thing is, in 70 % of the frames of two hours.",
    "piece": "Each world is a day of one camera, 5,760 pieces of 15 seconds, with four labels of 3, 1, "
    "0.3 and 0.07 visits or crossings a piece. Density and recall drift over the day, and "
    "objects come in platoons of a minute. The model misses objects, and most of all in "
    "platoons, and counts some twice, whose track broke. In a third of the days something that "
    "moves in the wind is counted in 95 % of the pieces; in another third, in 70 % of those of "
    "two hours.",
}


def frame_label(random: np.random.Generator, density: float) -> tuple[Numbers, Numbers, Numbers]:
    """Return truth, count and doubts of a label in each frame of a day."""
    hour = np.arange(FRAMES) * HOURS / FRAMES
    curve = np.exp(np.cos((hour - random.uniform(11, 17)) * np.pi / 12))
    curve *= np.repeat(random.gamma(4, 0.25, FRAMES // BURST), BURST)
    truth = random.poisson(curve * density / curve.mean())
    seen = random.binomial(truth, 0.84 + 0.1 * np.cos((hour - 13) * np.pi / 12))
    false = random.poisson(0.06 * density, FRAMES)
    false += _steady(random, hour)
    doubts = random.binomial(seen, 0.1) + random.binomial(false, 0.5) + random.binomial(truth - seen, 0.5)
    return truth.astype(float), (seen + false).astype(float), doubts.astype(float)


def piece_label(random: np.random.Generator, density: float) -> tuple[Numbers, Numbers, Numbers]:
    """Return truth, count and doubts of a label in each piece of a day."""
    hour = np.arange(PIECES) * HOURS / PIECES
    curve = np.exp(np.cos((hour - random.uniform(11, 17)) * np.pi / 12))
    platoons = np.repeat(random.gamma(2, 0.5, PIECES // PLATOON), PLATOON)
    truth = random.poisson(curve * platoons * density / (curve * platoons).mean())
    recall = (0.9 + 0.06 * np.cos((hour - 13) * np.pi / 12)) * np.exp(-0.03 * platoons)
    seen = random.binomial(truth, recall)
    twice = random.binomial(seen, 0.06)
    false = random.poisson(0.03 * density, PIECES)
    false += _steady(random, hour)
    unsure = random.binomial(seen, 0.1) + random.binomial(false, 0.5) + random.binomial(truth - seen, 0.5)
    model = seen + twice + false
    return truth.astype(float), model.astype(float), unsure * FRAMES_NEAR_THRESHOLD


def _steady(random: np.random.Generator, hour: Numbers) -> npt.NDArray[np.bool_]:
    """Return 1 where a thing is taken for the label: on a third of the days all day, on another two hours."""
    kind = random.integers(3)
    rate: Numbers = np.zeros(len(hour))
    if kind == 1:
        rate[np.isin(hour.astype(int), random.choice(HOURS, 2, replace=False))] = 0.7
    elif kind == 2:
        rate += 0.95
    return random.random(len(hour)) < rate if kind else rate > 0


Label = Callable[[np.random.Generator, float], tuple[Numbers, Numbers, Numbers]]


def make_world(make: Label, random: np.random.Generator) -> World:
    """Return a day of footage with each density."""
    labels = [make(random, density) for density in DENSITIES]
    return World(*(np.stack(part, axis=1) for part in zip(*labels, strict=True)))


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


def simulate(
    *,
    name: str,
    title: str,
    about: str,
    unit: str,
    sizes: tuple[int, ...],
    make_world: Callable[[np.random.Generator], World],
    checks: int,
    fixed_checks: int,
) -> None:
    """Make thousands of checks of each label, and write the result.

    `sizes` are numbers of answered units; `fixed_checks` more checks, in other worlds, look only at the fixed
    interval.
    """
    together: list[list[Check]] = [[] for _ in DENSITIES]
    alone: list[list[Check]] = [[] for _ in DENSITIES]
    of_fixed: dict[tuple[int, int], list[bool]] = defaultdict(list)
    with ProcessPoolExecutor(cores()) as pool:
        others = range(_OTHER_WORLDS, _OTHER_WORLDS + fixed_checks // _MANY_IN_WORLD)
        of_world = partial(_check_world, make_world, sizes)
        for found in pool.map(of_world, range(checks // CHECKS_IN_WORLD)):
            for every, of_label in zip((*together, *alone), (*found[0], *found[1]), strict=True):
                every += of_label
        for held in pool.map(partial(_fixed_of_world, make_world, sizes), others):
            for place, hits in held.items():
                of_fixed[place] += hits
    tables: list[Table] = []
    goals: list[Goal] = []
    columns = [f"objects a {unit}", *COLUMNS]
    for size in sizes:
        rows = _rows(together, size)
        tables.append(Table(f"{size:,} {unit}s", columns, rows, NOTE))
        for label, row in enumerate(rows):
            hits = of_fixed[size, label]
            of_more = percent(hits) if hits else None
            goals += _goals(unit, DENSITIES[label], size, row[1:], of_more)
    if fixed_checks:
        shares: list[list[Cell]] = []
        for label, density in enumerate(DENSITIES):
            held_of = [of_fixed[size, label] for size in sizes]
            shares.append([f"{density:g}", *(percent(of) if len(of) >= 300 else None for of in held_of)])
        title_of_fixed = f"{fixed_checks:,} more checks: truth in the fixed interval, %"
        note = "In other days than above. A share of so many checks is exact to about 0.5 %."
        of_sizes = [columns[0], *(f"{size:,} {unit}s" for size in sizes)]
        tables.append(Table(title_of_fixed, of_sizes, shares, note))
    for size in sizes:
        heading = f"{size:,} {unit}s, {len(alone[0]):,} checks of one label alone"
        tables.append(Table(heading, columns, _rows(alone, size), NOTE))
    about = f"{checks:,} checks of each label and size, five of each day. {about}"
    save(name=name, title=title, about=about, packages=["numpy"], tables=tables, goals=goals)


def _check_world(
    make_world: Callable[[np.random.Generator], World], sizes: Sequence[int], number: int
) -> tuple[list[list[Check]], list[list[Check]]]:
    """Return, by label, a world's checks of all labels together, and of that label alone."""
    world = make_world(np.random.default_rng([20, number]))
    seeds = [f"{number}/{one}" for one in range(CHECKS_IN_WORLD)]
    run = partial(run_checks, sizes=sizes)
    alone = [
        run(*(part[:, [label]] for part in world), seeds=seeds[:1])[0] for label in range(len(DENSITIES))
    ]
    return run(*world, seeds=seeds), alone


def _fixed_of_world(
    make_world: Callable[[np.random.Generator], World], sizes: Sequence[int], number: int
) -> dict[tuple[int, int], list[bool]]:
    """Return, by size and label, whether the fixed intervals shown by a world's checks contain the truth."""
    random = np.random.default_rng([20, number])
    truth, model, doubts = make_world(random)
    weights, steady = unit_weights(model, doubts), steady_counts(model, [""] * len(model))
    zones = zones_of(weights)
    held: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for _ in range(_MANY_IN_WORLD):
        draws = draw(weights, zones, random.random(len(weights)))
        for size, label in itertools.product(sizes, range(truth.shape[1])):
            some = draws.first(size // draws.units.shape[1])
            one = _estimate(some, *(part[:, label] for part in (truth, model, steady)))
            if one.is_enough:
                held[size, label].append(_holds(one.fixed, float(truth[:, label].sum())))
    return held


def _rows(by_label: Sequence[Sequence[Check]], size: int) -> list[list[Cell]]:
    pairs = zip(DENSITIES, by_label, strict=True)
    return [[f"{density:g}", *row_of(checks, size)] for density, checks in pairs]


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


def main() -> None:
    """Simulate, and write the result."""
    asked = options(__doc__, checks=2000, pieces=False)
    unit = "piece" if asked.pieces else "frame"
    simulate(
        name="accuracy_pieces" if asked.pieces else "accuracy_simulation",
        title=f"Accuracy checks of simulated {'visits and crossings' if asked.pieces else 'footage'}",
        about=ABOUT[unit],
        unit=unit,
        sizes=(40, 100, 400) if asked.pieces else (100, 400, 1000),
        make_world=partial(make_world, piece_label if asked.pieces else frame_label),
        checks=asked.checks,
        fixed_checks=0 if asked.pieces else 10_000,
    )


if __name__ == "__main__":
    main()
