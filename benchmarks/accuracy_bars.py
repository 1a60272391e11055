"""How often the interval of a bar holds the truth of that bar, and how long 10,000 of them take.

    python benchmarks/accuracy_bars.py

The days are those of `accuracy_simulation.py`: density and recall drift, objects come in bursts, and in a
third of the days each a thing is taken for the label all day, or all through two hours. Each day is cut
into bars of equal length. In the same days again, the model loses 95 % of all boxes in the second half.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

import msgspec
import numpy as np
from accuracy_simulation import FRAMES, HOURS, make_world
from accuracy_truth import CHECKS_IN_WORLD, DENSITIES, World
from results import Cell, Goal, Table, save

from frametally.ports.count_index import CountIndex
from frametally.settings.loading import Settings
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.charted import ChartedCheck, ChartedChecks
from frametally_accuracy.records import AccuracyCheck, CheckAnswer, CheckedBox, CheckUnit
from frametally_accuracy.rules.bar_intervals import AnsweredUnits, bar_intervals, spreads_of, stretches_of
from frametally_accuracy.rules.drawing import Draws, draw, unit_weights, zones_of
from frametally_accuracy.rules.estimation import estimate
from frametally_accuracy.rules.levels import steady_counts, unusual_counts
from frametally_accuracy.staleness import Covered, KnownCoverage
from frametally_consumer.load import cores
from frametally_web.charts.checks import CheckedCount, CountQuestion

BARS = (1, 4, 24, 96, 288, 1440)
SIZES = (100, 400)
MANY = 10_000
CHECKS, _ANSWERED = 122, 65
_STONE = 0.35
"""False boxes a frame above which a bar counts as one with a thing taken for the label."""


_RARE = 0.5
"""If a larger part of the bars has a stone, it is there all day."""


Place = tuple[int, float, int]
"""The number of answered frames, objects a frame, and bars a day."""


class Held(NamedTuple):
    """The results of one check for one length of bars.

    Attributes:
        share: The share of its bars whose interval contains the truth.
        width: Median half-width, as a fraction of the truth.
        stones: For each bar in which a thing is taken for the label, whether its interval contains the truth.
        first: Whether the first bar of the second half does.
    """

    share: float
    width: float
    stones: list[bool]
    first: bool


def main() -> None:
    """Simulate, measure, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checks", type=int, default=1000, help="of each label")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    found: dict[Place, list[Held]] = defaultdict(list)
    found_blind: dict[Place, list[Held]] = defaultdict(list)
    worlds = range(options.checks // CHECKS_IN_WORLD)
    with ProcessPoolExecutor(cores()) as pool:
        for of_worlds, every in ((_of_world, found), (_of_blind_world, found_blind)):
            for of_world in pool.map(of_worlds, worlds):
                for place, held in of_world.items():
                    every[place] += held
    tables = [_table(found, size, options.checks) for size in SIZES]
    tables += [_blind_table(found_blind, size) for size in SIZES]
    goals = [
        Goal(
            what=f"{density:g} a frame, {size} frames, {bars:,} bars: bars that hold the truth, %",
            measured=round(100 * float(np.mean([one.share for one in held])), 1),
            at_least=94,
        )
        for (size, density, bars), held in sorted(found.items())
        if len(held) >= 30 and bars > 1
    ]
    goals += [
        Goal(
            what=f"{density:g} a frame, {size} frames: hours with a false box of two hours, %",
            measured=round(100 * float(np.mean([hit for one in held for hit in one.stones])), 1),
            at_least=94,
        )
        for (size, density, bars), held in sorted(found.items())
        if len(held) >= 30 and bars == HOURS
    ]
    goals += [
        Goal(
            what=f"{density:g} a frame, {size} frames, {bars:,} bars: bars of days with a blind half, %",
            measured=round(100 * float(np.mean([one.share for one in held])), 1),
            at_least=93,
        )
        for (size, density, bars), held in sorted(found_blind.items())
        if len(held) >= 30 and bars > 1
    ]
    seconds, busy_s = [_seconds() for _ in range(9)], _busy_seconds()
    tables.append(
        Table(
            title=f"Intervals of {MANY:,} bars",
            columns=[
                "bars",
                "first, ms of CPU",
                "again, median of 8, ms of CPU",
            ],
            rows=[[MANY, _ms(seconds[0][0]), _ms(median(again for _, again in seconds[1:]))]],
            note="A check of 400 answered frames and one label; as a chart asks for them, without the index.",
        )
    )
    tables.append(
        Table(
            title=f"A chart while people answer, among {CHECKS} checks of 400 frames",
            columns=["checks", "after each answer, median, ms of CPU"],
            rows=[[CHECKS, _ms(busy_s)]],
            note=f"{_ANSWERED} frames of each check are answered. The chart is of a label of none of them.",
        )
    )
    first, again = max(one for one, _ in seconds), median(one for _, one in seconds)
    goals += [
        Goal(what=f"{MANY:,} bars, the slowest first time, ms of CPU", measured=_ms(first), at_most=200),
        Goal(what=f"{MANY:,} bars, again, ms of CPU", measured=_ms(again), at_most=200),
        Goal(what="a chart after each answer, ms of CPU", measured=_ms(busy_s), at_most=100),
    ]
    save(
        name="accuracy_bars",
        title="Intervals of bars",
        about=f"{options.checks:,} checks of each label and size, five of each day. "
        + " ".join((__doc__ or "").split("\n\n")[2].split()),
        load_before=load_before,
        packages=["numpy"],
        tables=tables,
        goals=goals,
    )


def _of_blind_world(number: int) -> dict[Place, list[Held]]:
    """Return the results of a day in whose second half the model loses nearly all boxes."""
    return _of_world(number, is_blind=True)


def _of_world(number: int, *, is_blind: bool = False) -> dict[Place, list[Held]]:
    """Return the results of a day's checks, by size, label and number of bars."""
    random = np.random.default_rng([21, number])
    world = make_world(random)
    if is_blind:
        seen, doubts = world.model.copy(), world.doubts.copy()
        half = FRAMES // 2
        seen[half:] = random.binomial(seen[half:].astype(int), 0.05)
        doubts[half:] = random.binomial(doubts[half:].astype(int), 0.05)
        world = World(world.truth, seen, doubts)
    weights = unit_weights(world.model, world.doubts)
    zones = zones_of(weights)
    steady = steady_counts(world.model, [""] * FRAMES)
    unusual = unusual_counts(world.model, [""] * FRAMES, np.arange(FRAMES) * HOURS / FRAMES)
    found: dict[Place, list[Held]] = defaultdict(list)
    for _ in range(CHECKS_IN_WORLD):
        draws = draw(weights, zones, random.random(FRAMES))
        for size in SIZES:
            _look(world, weights, steady, unusual, draws.first(size // 10), size, found)
    return found


def _look(
    world: World,
    weights: np.ndarray,
    steady: np.ndarray,
    unusual: np.ndarray,
    draws: Draws,
    size: int,
    found: dict[Place, list[Held]],
) -> None:
    drawn = np.sort(draws.units[draws.is_drawn])
    for label, density in enumerate(DENSITIES):
        truth, model = world.truth[:, label], world.model[:, label]
        one = estimate(
            draws,
            truth[draws.units],
            model[draws.units],
            model_total=float(model.sum()),
            steady=steady[draws.units, label],
            steady_total=float(steady[:, label].sum()),
        )
        if not one.is_enough:
            continue
        stretches = stretches_of(truth[drawn], model[drawn])
        sample = AnsweredUnits(
            drawn, truth[drawn], model[drawn], weights[drawn], unusual[drawn, label], stretches
        )
        spreads = spreads_of(one, sample, units=FRAMES)
        for bars in BARS:
            borders = np.linspace(0, FRAMES, bars + 1).astype(np.int64)
            true, counted = (np.add.reduceat(values, borders[:-1]) for values in (truth, model))
            frames = np.diff(borders).astype(float)
            said = bar_intervals(
                one,
                spreads,
                sample,
                borders[:-1],
                borders[1:],
                counted,
                frames,
                units=FRAMES,
                is_at_will=False,
            )
            holds = (said.low <= true) & (true <= said.high)
            widths = (said.high - said.low) / 2 / np.maximum(true, 1)
            has_stone = (counted - true) / frames > _STONE
            # A stone that is there all day is an error of the check, not of a bar.
            stones = holds[has_stone].tolist() if has_stone.mean() < _RARE else []
            first = bool(holds[bars // 2])
            found[size, density, bars].append(
                Held(float(holds.mean()), float(np.median(widths)), stones, first)
            )


def _table(found: dict[Place, list[Held]], size: int, checks: int) -> Table:
    rows: list[list[Cell]] = []
    for density in DENSITIES:
        for bars in BARS:
            held = found.get((size, density, bars), [])
            if len(held) < 30:
                continue
            stones = [hit for one in held for hit in one.stones]
            rows.append(
                [
                    f"{density:g}",
                    bars,
                    round(100 * len(held) / checks, 1),
                    round(100 * float(np.mean([one.share for one in held])), 1),
                    round(100 * median(one.width for one in held)),
                    round(100 * float(np.mean(stones)), 1) if stones else None,
                ]
            )
    return Table(
        title=f"{size:,} frames answered",
        columns=[
            "objects a frame",
            "bars a day",
            "interval shown, % of checks",
            "bars that hold the truth, %",
            "half-width, %",
            "of bars with a false box of two hours, %",
        ],
        rows=rows,
        note="Intervals are those of a fixed size. Half-widths are medians, in parts of the truth. The last "
        f"column is of bars with more than {_STONE} boxes a frame too many, but for days full of them.",
    )


def _blind_table(found: dict[Place, list[Held]], size: int) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{density:g}",
            bars,
            round(100 * float(np.mean([one.share for one in held])), 1),
            round(100 * median(one.width for one in held)),
            round(100 * float(np.mean([one.first for one in held])), 1),
        ]
        for (of_size, density, bars), held in sorted(
            found.items(), key=lambda item: (-item[0][1], item[0][2])
        )
        if of_size == size and len(held) >= 30 and bars > 1
    ]
    return Table(
        title=f"{size:,} frames answered, a model that goes blind at noon",
        columns=[
            "objects a frame",
            "bars a day",
            "bars that hold the truth, %",
            "half-width, %",
            "of first bars behind the change, %",
        ],
        rows=rows,
        note="The model loses 95 % of its boxes in the second half of each day.",
    )


def _seconds() -> tuple[float, float]:
    """Return the CPU time for the intervals of many bars, the first time and again."""
    check = _check()
    counts = [CheckedCount(bar * 8, bar * 8 + 8, None, ("dog",), 8, 8 + bar % 5) for bar in range(MANY)]
    question = CountQuestion("detections", "m", 1, ["gate"], None, counts)
    covered, places = Covered(0, MANY * 8, frozenset({"dog"})), range(MANY)
    times = []
    for _ in range(2):
        begin_s = time.process_time()
        intervals = check.intervals(question, covered, places)
        times.append(time.process_time() - begin_s)
        if len(intervals) != MANY:
            raise RuntimeError(f"{len(intervals)} of {MANY} bars have an interval")
    return times[0], times[1]


def _busy_seconds() -> float:
    """Return the CPU time for a chart of another label after each new answer, among many checks."""
    charted = _check()
    units, answers = charted.rows
    times = []
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder)).resolved()
        with closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book:
            for number in range(CHECKS):
                name = f"check-{number}"
                check = book.add(msgspec.structs.replace(charted.check, id=name, name=name), units)
                for answer in answers[:_ANSWERED]:
                    book.answer(check, answer.unit, person="", counts=answer.counts)
            question = CountQuestion(
                "detections", "m", 1, ["gate"], None, [CheckedCount(0, 8, None, ("car",), 8, 8)]
            )
            charts, no_index = ChartedChecks(), cast(CountIndex, None)
            for answer in answers[_ANSWERED : _ANSWERED + 9]:
                book.answer(check, answer.unit, person="", counts=answer.counts)
                time.sleep(0.2)
                begin_s = time.process_time()
                charts.answer(settings, no_index, question)
                times.append(time.process_time() - begin_s)
    return median(times)


def _check() -> ChartedCheck:
    random = np.random.default_rng(4)
    model = random.poisson(1.2, MANY * 8)
    truth = random.binomial(model, 0.9) + random.poisson(0.2, MANY * 8)
    weights = np.ones(MANY * 8)
    draws = draw(weights, zones_of(weights), random.random(MANY * 8)).first(40)
    units, answers = [], []
    for number, (row, zone) in enumerate(zip(*np.nonzero(draws.is_drawn), strict=True)):
        at = int(draws.units[row, zone])
        box = CheckedBox("dog", (0.0, 0.0, 1.0, 1.0), 0.9)
        units.append(
            CheckUnit(
                number=number,
                round=int(row),
                zone=int(zone),
                weight=1.0,
                rest=float(draws.rest[row, zone]),
                source="gate",
                captured_at_ms=at,
                image_path=str(at),
                width_px=640,
                height_px=480,
                boxes=(box,) * int(model[at]),
            )
        )
        answers.append(
            CheckAnswer(unit=number, turn=0, person="", answered_at_ms=1, counts={"dog": int(truth[at])})
        )
    check = AccuracyCheck(
        id="c",
        name="c",
        model="m",
        sources=("gate",),
        labels=("dog",),
        from_ms=0,
        to_ms=MANY * 8,
        seed="1",
        wanted_width=0.1,
        params=(),
        units=MANY * 8,
        totals={"dog": int(model.sum())},
        population_sha256="",
        zones=(),
        zone_units=tuple(int(size) for size in draws.sizes),
    )
    return ChartedCheck(check, lambda: (units, answers), KnownCoverage())


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


if __name__ == "__main__":
    main()
