"""What a year of a thousand cameras takes: unit costs of this run, their growth, the bill, what breaks first.

    make services-up SERVICES="kafka s3 postgres elasticsearch"
    python benchmarks/fleet.py [--cameras 1000] [--precision f32] [--scale 1]

1. Each part is measured at three sizes (`fleet_units.py`), and a straight line is fitted. The sizes take
   turns in three rounds, and each one's least cost counts. In a single round, the first 20,000 messages to a
   newly started broker took 85 µs each, the next 40,000 and 80,000 took 50 µs: the line took this warming up
   for a start that each size pays, and the rest for growth with an exponent of 2.2.
2. A year of `--cameras` cameras at 5 frames a second is calculated from these lines (`Year`).
3. Each part has a bound, which is converted to a number of cameras. The part with the smallest breaks first.

A round of counting comes every 15 minutes; pictures are kept for 30 days, the log for a day, everything else
for the year. List prices are AWS's in us-east-1, without taxes, discounts and traffic:

- S3 Standard: 0.005 $ per 1,000 PUT, POST and LIST, 0.0004 $ per 1,000 GET and HEAD, 0.021 $ per GB and month
  above 500 TB (S3's page of prices, 2025).
- A core: half of an `m7g.large` on demand, 0.0816 $ an hour (EC2's page of prices, June 2026). Cores are
  assumed to be as fast as those of the measuring machine.
- Disks of servers: 0.08 $ per GB and month (EBS gp3, EBS's page of prices, 2025).
"""

from __future__ import annotations

import math
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from math import inf
from pathlib import Path

import fleet_units as units
from end_to_end_stages import stage_costs
from results import Cell, Goal, Table, options, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import load_settings
from frametally_consumer import load as backends

PUT_USD, GET_USD = 0.005 / 1000, 0.0004 / 1000
GB_MONTH_USD, DISK_GB_MONTH_USD, CORE_HOUR_USD = 0.021, 0.08, 0.0816 / 2
YEAR_S, DAY_S, HOUR_S = 365 * 86_400, 86_400, 3600
PICTURE_DAYS, LOG_DAYS = 30, 1
ROUND_S, SPARE = 900, 0.8
"""Seconds between rounds of counting; the share of a core that work may use."""
HOUR_RECOUNTED = 2.5
"""How often a frame is counted: of four rounds in its hour, the first counts a quarter, the last all."""
PLANNING_S, CHART_S = 60.0, 0.1
ROUND_PARTS = ("planning", "ledger")
PARTITIONS, BATCH_S, LISTED_AT_ONCE = 32, 5.0, 1000
SOME_CALLS = 0.05
"""Calls per frame from which they count as calls of frames: below, they are of media and segments."""
PRODUCER = {"decode the video", "convert to BGR", "encode JPEG", "put the frame", "announce, in hundreds"}
CAMERAS = (8, 32, 96)
DAYS = (1, 3, 9)
SEGMENTS, OF_DAY = (22_500, 35_000, 60_000), 2_500
"""More than are listed each time (`stretches.MOST_LISTED`): a fleet has them within hours."""
OF_ONE_DAY = (21_000, 28_000, 42_000)
MESSAGES, OBJECTS = (20_000, 40_000, 80_000), (500, 1_000, 2_000)
ROUNDS = 3
SAMPLINGS = ("2", "5", "all")


@dataclass(frozen=True)
class Measured:
    """All measurements of one run.

    Attributes:
        stages: CPU milliseconds of a frame by stage.
        lines: By the name of a cost, how it grows with frames (`job`, `ledger`), rows of an index, segments
            (`all listed`; for `nothing new`, those of the day itself), days (`by days`), messages or objects.
        calls: By stage and kind, how calls to S3 grow with frames.
        again: By index, the cost of republishing a day with one hour of each camera changed, relative to
            publishing a new day.
        last: The largest size of counting.
        log_bytes: Bytes of a message on Kafka's disk.
        requests: The largest number of frames through all stages.
        packs: A minute of a camera whose frames are in packs, to the store and from it.
    """

    stages: dict[str, float]
    lines: dict[str, units.Line]
    calls: dict[str, units.Line]
    again: dict[str, float]
    last: units.Counted
    log_bytes: float
    requests: units.Requests
    packs: units.Requests

    def stage_s(self, *, of_producer: bool) -> float:
        """Return the CPU seconds of a frame, before the log or after it."""
        return sum(ms for stage, ms in self.stages.items() if (stage in PRODUCER) == of_producer) / 1000


class Year:
    """A year of a fleet, calculated from measurements."""

    def __init__(self, measured: Measured, cameras: int) -> None:
        """Calculate for so many cameras."""
        self.measured, self.cameras = measured, cameras
        self.frames = cameras * units.FPS * YEAR_S
        a_second = cameras * units.FPS / PARTITIONS
        self.segments = self.frames / min(units.SEGMENT_FRAMES, a_second * BATCH_S)
        self.rows_a_frame = measured.last.rows / measured.last.frames
        self.rows = self.frames * self.rows_a_frame
        self.rounds = YEAR_S / ROUND_S

    def line(self, name: str) -> units.Line:
        """Return how a cost grows."""
        return self.measured.lines[name]

    # Cores.

    def busy(self) -> list[tuple[str, float, float, float | None]]:
        """Return, by part, milliseconds of a frame, cores that are always busy, and any exponent."""
        measured = self.measured
        per_frame: list[tuple[str, float, float | None]] = [
            ("producer: decode, encode, put, announce", measured.stage_s(of_producer=True), None),
            ("consumer: fetch, decode, detect, write", measured.stage_s(of_producer=False), None),
        ]
        for what, names, times in (
            ("log: publish and poll", ("publish, wall", "poll, wall"), 1.0),
            ("store: put and get", ("put, wall", "get, wall"), 1.0),
            ("job, each hour 2.5 times", ("job",), HOUR_RECOUNTED),
            ("ledger", ("ledger",), 1.0),
        ):
            lines = [self.line(name) for name in names]
            seconds = times * sum(line.per_unit for line in lines)
            per_frame.append((what, seconds, max(line.exponent for line in lines)))
        for index in self.indexes:
            line = self.line(f"publish, {index}, wall")
            seconds = line.per_unit * self.rows_a_frame * self.day_published(index)
            per_frame.append((f"index: {index}", seconds, line.exponent))
        rows: list[tuple[str, float, float, float | None]] = [
            (what, seconds * 1000, seconds * self.frames / YEAR_S, exponent)
            for what, seconds, exponent in per_frame
        ]
        seconds = sum(
            self.round_s(part, days=365 / 2)
            + self.line(f"{part}, all listed").at(self.segments / 2) * ROUND_S / DAY_S
            for part in ROUND_PARTS
        )
        exponent = self.line("planning, nothing new").exponent
        a_frame_ms = seconds * self.rounds / self.frames * 1000
        rows.append(("planning and ledger of all rounds", a_frame_ms, seconds / ROUND_S, exponent))
        return rows

    def round_s(self, part: str, *, days: float) -> float:
        """Return the CPU seconds of a round with nothing new, after so many days, at the end of a day."""
        of_day = self.line(f"{part}, nothing new").per_unit * self.segments / 365
        return self.line(f"{part}, nothing new, by days").at(days) + of_day

    @property
    def indexes(self) -> list[str]:
        """Return the names of the indexes that were measured."""
        return list(self.measured.again)

    def day_published(self, index: str) -> float:
        """Return the most that all rounds of a day can cost, relative to publishing a new day."""
        return self.measured.again[index] * DAY_S / ROUND_S

    # Bytes.

    def gigabytes(self) -> list[tuple[str, float, float, str]]:
        """Return, by kind of stored data, bytes of a frame, GB at the year's end, and where."""
        last, requests = self.measured.last, self.measured.requests
        of = {name: size / last.frames for name, size in last.stored_bytes.items()}
        rows = [
            ("pictures, 30 days", requests.frame_bytes / requests.frames, PICTURE_DAYS / 365, "S3"),
            *((name, of[name], 1.0, "S3") for name in ("detections", "counts", "tracks")),
            ("log, a day", self.measured.log_bytes, LOG_DAYS / 365, "disk"),
            *((f"{name} (SQLite's file)", of[name], 1.0, "disk") for name in ("index", "ledger")),
        ]
        return [(what, size, self.gb(size) * kept, where) for what, size, kept, where in rows]

    def gb(self, bytes_a_frame: float) -> float:
        """Return the GB in a year."""
        return bytes_a_frame * self.frames / 1e9

    # units.Requests.

    def calls(self, *, packs: bool) -> list[tuple[str, float, float]]:
        """Return, by stage and kind, a year's calls and their cost; with `packs`, for cameras in packs."""
        per_frame = {
            name: line.per_unit for name, line in self.measured.calls.items() if line.per_unit >= SOME_CALLS
        }
        if packs:
            minute = self.measured.packs
            per_frame = {name: calls / minute.frames for name, calls in minute.calls.items()}
        # A day's first round lists all segments, once for planning and once for the ledger.
        listings = self.line("LIST, by days").at(365 / 2) * self.rounds
        listings += 365 * len(ROUND_PARTS) * self.segments / 2 / LISTED_AT_ONCE
        rows = [(f"{name}, frames", calls * self.frames) for name, calls in sorted(per_frame.items())]
        rows += [("consume PUT, segments", self.segments), ("aggregate LIST, planning and ledger", listings)]
        return [(what, calls, calls * price_of(what)) for what, calls in rows]

    # What breaks first.

    def limits(self) -> list[tuple[str, str, float, float]]:
        """Return each limit: its name, the bound, the value, and the number of cameras that reaches it."""
        a_year = self.segments / self.cameras
        kept = self.gigabytes()[0][2] * GB_MONTH_USD * 12
        packs = self.measured.packs
        puts_a_frame = {
            "an object per frame": self.measured.calls["produce PUT"].per_unit,
            "packs of a camera": packs.calls["capture PUT"] / packs.frames,
        }
        bills = {what: puts * self.frames * PUT_USD / kept for what, puts in puts_a_frame.items()}
        rows = [
            (f"the bill of {what}, to that of storing what is kept", "1 time", bill, 0.0 if bill > 1 else inf)
            for what, bill in bills.items()
        ]
        for part in ROUND_PARTS:
            new, listed = self.line(f"{part}, nothing new"), self.line(f"{part}, all listed")
            of_days_s = self.line(f"{part}, nothing new, by days").at(365)
            cold = new._replace(at_start=of_days_s)
            rows += [
                (
                    *(f"{part}, each round after a year, CPU s", f"{PLANNING_S:g} s"),
                    *(self.round_s(part, days=365), cold.units_within(PLANNING_S) / (a_year / 365)),
                ),
                (
                    *(f"{part}, a day's first round after a year, CPU s", f"{ROUND_S} s"),
                    *(listed.at(self.segments), listed.units_within(ROUND_S) / a_year),
                ),
            ]
        job, a_second = self.line("job"), 1 / self.line("publish, wall").per_unit
        consumed = PARTITIONS * SPARE / self.measured.stage_s(of_producer=False)
        rows += [
            (
                *("counting the last round of an hour, CPU s of one core", f"{ROUND_S} s"),
                *(job.at(self.cameras * units.FPS * HOUR_S), job.units_within(ROUND_S) / units.FPS / HOUR_S),
            ),
            (
                *("one Kafka broker on one core, announcements a second", f"{a_second:,.0f}"),
                *(float(self.cameras * units.FPS), a_second / units.FPS),
            ),
            (
                *(
                    f"{PARTITIONS} consumers of a core each, one a partition, frames a second",
                    f"{consumed:,.0f}",
                ),
                *(float(self.cameras * units.FPS), consumed / units.FPS),
            ),
        ]
        a_day, of_camera = self.rows / 365, self.rows / self.cameras
        for index in self.indexes:
            publish, again = self.line(f"publish, {index}, wall"), self.measured.again[index]
            for what, name in (("a year of all cameras", "year"), ("a day of one camera", "day")):
                chart = self.line(f"{name}, {index}, wall")
                cameras = chart.units_within(CHART_S) / of_camera
                rows.append(
                    (f"the chart of {what} on {index}, s", f"{CHART_S:g} s", chart.at(self.rows), cameras)
                )
            within = publish.units_within(ROUND_S / again) / (a_day / self.cameras)
            what = f"publishing the last round of a day to {index}, s"
            rows.append((what, f"{ROUND_S} s", publish.at(a_day) * again, within))
        return sorted(rows, key=lambda row: row[3])


def price_of(what: str) -> float:
    """Return the dollars per call, by its stage and kind."""
    return GET_USD if what.split()[1].strip(",") in ("GET", "HEAD") else PUT_USD


def measure(folder: Path, precision: str, scale: float) -> Measured:
    """Measure all parts with a network of that precision; `scale` multiplies the usual sizes."""
    settings = load_settings(
        data_dir=folder / "costs", detector="openvino", precision=precision, sample_fps="all"
    )
    clip = ensure_demo_clip(load_settings().models_dir.expanduser())
    costs = stage_costs(clip, settings, folder / "stages", cores=backends.cores())
    print(costs)
    points: dict[str, dict[int, float]] = {}

    def note(size: int, measured: dict[str, float]) -> None:
        for name, cost in measured.items():
            of_name = points.setdefault(name, {})
            of_name[size] = min(cost, of_name.get(size, cost))
        print(size, {name: round(cost, 4) for name, cost in measured.items()})

    last: units.Counted | None = None
    again: dict[str, float] = {}
    for turn in range(ROUNDS):
        for cameras in CAMERAS:
            for tracking in (False, True):
                name = f"counting-{turn}-{cameras}-{tracking}"
                last = units.measure_counting(
                    folder / name, max(1, round(cameras * scale)), tracking=tracking
                )
                note(last.frames, last.costs if tracking else {"job, without objects": last.costs["job"]})
                shutil.rmtree(folder / name)
        for days in DAYS:
            for name, index in units.measure_index(folder / f"index-{turn}-{days}", days).items():
                again[name] = index.again / (index.publish / days)
                costs_of_index = {"publish": index.publish, "year": index.year, "day": index.day}
                note(index.rows, {f"{what}, {name}, wall": cost for what, cost in costs_of_index.items()})
        for messages in MESSAGES:
            note(messages, by_log := units.measure_log(messages))
        for objects in OBJECTS:
            note(objects, units.measure_store(objects))
    for segments, history in units.measure_history(folder / "history", SEGMENTS, OF_DAY).items():
        note(segments // OF_DAY, {f"{name}, by days": cost for name, cost in history.items()})
        note(segments, {name: cost for name, cost in history.items() if "all listed" in name})
    for segments, history in units.measure_history(folder / "day", OF_ONE_DAY, OF_ONE_DAY[-1]).items():
        note(segments, {name: cost for name, cost in history.items() if "nothing new" in name})
    requests = [units.count_requests(folder / f"requests-{fps}", fps) for fps in SAMPLINGS]
    print(requests)
    assert last is not None  # noqa: S101 - for the type checker
    return Measured(
        {cost.stage: cost.own_ms for cost in costs},
        {
            name: units.line_of([units.Point(*one) for one in sorted(each.items())])
            for name, each in points.items()
        },
        {
            name: units.line_of([units.Point(each.frames, each.calls[name]) for each in requests])
            for name in requests[-1].calls
        },
        again,
        last,
        by_log["bytes"] / MESSAGES[-1],
        requests[-1],
        units.count_camera_calls(folder / "camera"),
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
        *(
            Table(
                f"Requests to S3{of}",
                ["what", "a year", "$ a year"],
                [[what, round(number), round(usd)] for what, number, usd in calls],
            )
            for of, calls in (("", single), (", cameras in packs of two seconds", packs))
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
    rows: list[list[Cell]] = [
        [name, line.largest.units, line.largest.cost, line.at_start, line.per_unit * 1e6, line.exponent]
        for name, line in measured.lines.items()
        if name != "bytes"
    ]
    return Table(
        "Unit costs of this run",
        ["what", "largest size", "s", "s at the start", "µs a unit", "exponent"],
        rows,
        "Units: frames for job and ledger, rows for indexes, segments for rounds with nothing new (all "
        "in the day of the round) and for those that list all, days for `by days`, messages for publish and "
        "poll, objects of 60 kB for put and get. Seconds of CPU, or where it says so, of the wall: the least "
        f"of {ROUNDS} rounds. Exponents of times below a second are mostly noise.",
    )


def main() -> None:
    """Measure, calculate, and write benchmarks/results/fleet.json."""
    asked = options(__doc__, cameras=1000, precision="f32", scale=1.0)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), asked.precision, asked.scale)
    tables, total = tables_of(Year(measured, asked.cameras))
    exponents = [measured.lines[name].exponent for name in ("job", "ledger", "publish, wall", "put, wall")]
    save(
        name="fleet",
        title="A year of a thousand cameras, calculated",
        about=f"{asked.cameras:,} cameras at {units.FPS} frames a second for a year, from unit costs of one "
        f"run at three sizes ({units.MINUTES} minutes of {', '.join(map(str, CAMERAS))} cameras through job, "
        "ledger and index). Formulas and prices are in `benchmarks/fleet.py`; nobody ran such a fleet.",
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
