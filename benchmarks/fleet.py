"""What a year of a thousand cameras takes: unit costs of this run, their growth, the bill, what breaks first.

    make services-up SERVICES="kafka s3 postgres elasticsearch"
    python benchmarks/fleet.py [--cameras 1000] [--precision f32] [--scale 1]

1. Each part is measured at three sizes (`fleet_units.py`), and a straight line is fitted. The sizes take
   turns in three rounds, and each one's least cost counts. In a single round, the first 20,000 messages to a
   newly started broker took 85 µs each, the next 40,000 and 80,000 took 50 µs: the line took this warming up
   for a start that each size pays, and the rest for growth with an exponent of 2.2.
2. A year of `--cameras` cameras at 5 frames a second is calculated from these lines (`fleet_year.py`, with
   formulas and list prices).
3. Each part has a bound, which is converted to a number of cameras. The part with the smallest breaks first.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from end_to_end_stages import stage_costs
from fleet_servers import count_camera_calls, count_requests, measure_history, measure_log, measure_store
from fleet_units import FPS, MINUTES, Counted, Point, line_of, measure_counting, measure_index
from fleet_year import CORE_HOUR_USD, DISK_GB_MONTH_USD, GB_MONTH_USD, PICTURE_DAYS, SPARE, Measured, Year
from results import Cell, Goal, Table, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import load_settings
from frametally_consumer import load as backends

CAMERAS = (8, 32, 96)
DAYS = (1, 3, 9)
SEGMENTS, OF_DAY = (22_500, 35_000, 60_000), 2_500
"""More than are listed each time (`stretches.MOST_LISTED`): a fleet has them within hours."""
OF_ONE_DAY = (21_000, 28_000, 42_000)
MESSAGES, OBJECTS = (20_000, 40_000, 80_000), (500, 1_000, 2_000)
ROUNDS = 3
SAMPLINGS = ("2", "5", "all")


def measure(folder: Path, precision: str, scale: float) -> Measured:
    """Measure all parts with a network of that precision; `scale` multiplies the usual sizes."""
    settings = load_settings(
        data_dir=folder / "costs", detector="openvino", precision=precision, sample_fps="all"
    )
    clip = ensure_demo_clip(load_settings().models_dir.expanduser())
    costs = stage_costs(clip, settings, folder / "stages", cores=backends.cores(), rounds=1)
    print(costs)
    points: dict[str, dict[int, float]] = {}

    def note(units: int, measured: dict[str, float]) -> None:
        for name, cost in measured.items():
            of_name = points.setdefault(name, {})
            of_name[units] = min(cost, of_name.get(units, cost))
        print(units, {name: round(cost, 4) for name, cost in measured.items()})

    last: Counted | None = None
    again: dict[str, float] = {}
    for turn in range(ROUNDS):
        for cameras in CAMERAS:
            for tracking in (False, True):
                name = f"counting-{turn}-{cameras}-{tracking}"
                last = measure_counting(folder / name, max(1, round(cameras * scale)), tracking=tracking)
                note(last.frames, last.costs if tracking else {"job, without objects": last.costs["job"]})
                shutil.rmtree(folder / name)
        for days in DAYS:
            for name, index in measure_index(folder / f"index-{turn}-{days}", days).items():
                again[name] = index.again / (index.publish / days)
                costs_of_index = {"publish": index.publish, "year": index.year, "day": index.day}
                note(index.rows, {f"{what}, {name}, wall": cost for what, cost in costs_of_index.items()})
        for messages in MESSAGES:
            note(messages, by_log := measure_log(messages))
        for objects in OBJECTS:
            note(objects, measure_store(objects))
    for segments, history in measure_history(folder / "history", SEGMENTS, OF_DAY).items():
        note(segments // OF_DAY, {f"{name}, by days": cost for name, cost in history.items()})
        note(segments, {name: cost for name, cost in history.items() if "all listed" in name})
    for segments, history in measure_history(folder / "day", OF_ONE_DAY, OF_ONE_DAY[-1]).items():
        note(segments, {name: cost for name, cost in history.items() if "nothing new" in name})
    requests = [count_requests(folder / f"requests-{fps}", fps) for fps in SAMPLINGS]
    print(requests)
    assert last is not None  # noqa: S101 - for the type checker
    return Measured(
        {cost.stage: cost.own_ms for cost in costs},
        {name: line_of([Point(*one) for one in sorted(each.items())]) for name, each in points.items()},
        {
            name: line_of([Point(each.frames, each.calls[name]) for each in requests])
            for name in requests[-1].calls
        },
        again,
        last,
        by_log["bytes"] / MESSAGES[-1],
        requests[-1],
        count_camera_calls(folder / "camera"),
    )


def tables_of(year: Year) -> tuple[list[Table], float]:
    """Return the tables of a year, and its cost in dollars."""
    busy = year.busy()
    cores = [[what, ms, exponent, cores, math.ceil(cores / SPARE)] for what, ms, cores, exponent in busy]
    sizes = year.gigabytes()
    single, packs = year.calls(packs=False), year.calls(packs=True)
    index = "PostgreSQL" if "PostgreSQL" in year.indexes else "SQLite"
    chosen = [row for row in busy if not row[0].startswith("index: ") or row[0] == f"index: {index}"]
    used = sum(row[2] for row in chosen) / SPARE
    same: list[tuple[str, float]] = [
        (f"{used:,.0f} cores", used * CORE_HOUR_USD * 8760),
        ("S3: GB", sum(row[2] for row in sizes if row[3] == "S3") * GB_MONTH_USD * 12),
        ("disks: GB", sum(row[2] for row in sizes if row[3] == "disk") * DISK_GB_MONTH_USD * 12),
    ]
    bill = [(what, usd, usd) for what, usd in same]
    bill.append(("S3: requests", sum(row[2] for row in single), sum(row[2] for row in packs)))
    total, total_of_packs = sum(row[1] for row in bill), sum(row[2] for row in bill)
    million = year.frames / 1e6
    for what, share in (("all", 1.0), ("per camera", year.cameras), ("per million frames", million)):
        bill.append((what, total / share, total_of_packs / share))
    return [
        Table(
            "Cores",
            ["part", "ms a frame", "exponent", "cores always busy", "cores of which a fifth is spare"],
            cores,
            "Log, store and index: seconds of the wall, with client and server on two cores.",
        ),
        Table(
            "Bytes",
            ["what", "bytes a frame", "GB at the end of the year", "where"],
            [[what, round(each), round(gb), where] for what, each, gb, where in sizes],
            "What has not reached its days yet counts as if it had, and all from the first day on.",
        ),
        Table(
            "Requests to S3",
            ["what", "a year", "$ a year"],
            [[what, round(number), round(usd)] for what, number, usd in single],
        ),
        Table(
            "Requests to S3, cameras in packs of two seconds",
            ["what", "a year", "$ a year"],
            [[what, round(number), round(usd)] for what, number, usd in packs],
        ),
        Table(
            "What breaks first",
            ["what", "bound", f"at {year.cameras:,} cameras", "the bound is reached at cameras"],
            [
                [what, bound, value, "no growth measured" if math.isinf(cameras) else round(cameras, 1)]
                for what, bound, value, cameras in year.limits()
            ],
            "On two cores like these, after a year. 0: at any number of cameras. A camera's year is as "
            "much as a day of 365 cameras.",
        ),
        Table(
            "List prices",
            ["what", "$ a year", "$ a year, in packs"],
            [[what, round(usd, 2), round(usd_of_packs, 2)] for what, usd, usd_of_packs in bill],
            f"Index on {index}; pictures for {PICTURE_DAYS} days.",
        ),
    ], total


def points_table(measured: Measured) -> Table:
    """Return the fitted measurements."""
    rows: list[Sequence[Cell]] = [
        [name, line.largest.units, line.largest.cost, line.at_start, line.per_unit * 1e6, line.exponent]
        for name, line in measured.lines.items()
        if name != "bytes"
    ]
    return Table(
        "Unit costs of this run",
        ["what", "largest size", "s", "s at the start", "µs a unit", "exponent"],
        [list(row) for row in rows],
        "Units: frames for job and ledger, rows for indexes, segments for rounds with nothing new (all "
        "in the day of the round) and for those that list all, days for `by days`, messages for publish and "
        "poll, objects of 60 kB for put and get. Seconds of CPU, or where it says so, of the wall: the least "
        f"of {ROUNDS} rounds. Exponents of times below a second are mostly noise.",
    )


def main() -> None:
    """Measure, calculate, and write benchmarks/results/fleet.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cameras", type=int, default=1000)
    parser.add_argument("--precision", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual sizes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), options.precision, options.scale)
    tables, total = tables_of(Year(measured, options.cameras))
    exponents = [measured.lines[name].exponent for name in ("job", "ledger", "publish, wall", "put, wall")]
    save(
        name="fleet",
        title="A year of a thousand cameras, calculated",
        about=f"{options.cameras:,} cameras at {FPS} frames a second for a year, from unit costs of one run "
        f"at three sizes ({MINUTES} minutes of {', '.join(map(str, CAMERAS))} cameras through job, ledger "
        "and index). Formulas and prices are in `benchmarks/fleet_year.py`. Nobody has run such a fleet.",
        packages=["elasticsearch", "kafka-python", "mrjob", "obstore", "openvino", "psycopg", "sqlalchemy"],
        tables=[*tables, points_table(measured)],
        goals=[
            Goal(
                "exponent of growth, the median of job, ledger, log and store",
                round(statistics.median(exponents), 2),
                at_most=1.1,
            )
        ],
    )
    print(f"{total:,.0f} $ a year")


if __name__ == "__main__":
    main()
