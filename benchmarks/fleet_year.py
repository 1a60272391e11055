"""Calculates a fleet's year from unit costs: cores, bytes, requests, list prices, and what breaks first.

A round of counting comes every 15 minutes; pictures are kept for 30 days, the log for a day, everything else
for the year. List prices are AWS's in us-east-1, without taxes, discounts and traffic:

- S3 Standard: 0.005 $ per 1,000 PUT, POST and LIST, 0.0004 $ per 1,000 GET and HEAD, 0.021 $ per GB and month
  above 500 TB (S3's page of prices, 2025).
- A core: half of an `m7g.large` on demand, 0.0816 $ an hour (EC2's page of prices, June 2026). Cores are
  assumed to be as fast as those of the measuring machine.
- Disks of servers: 0.08 $ per GB and month (EBS gp3, EBS's page of prices, 2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from fleet_servers import Requests
from fleet_units import FPS, SEGMENT_FRAMES, Counted, Line

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
    lines: dict[str, Line]
    calls: dict[str, Line]
    again: dict[str, float]
    last: Counted
    log_bytes: float
    requests: Requests
    packs: Requests

    def stage_s(self, *, of_producer: bool) -> float:
        """Return the CPU seconds of a frame, before the log or after it."""
        return sum(ms for stage, ms in self.stages.items() if (stage in PRODUCER) == of_producer) / 1000


class Year:
    """A year of a fleet, calculated from measurements."""

    def __init__(self, measured: Measured, cameras: int) -> None:
        """Calculate for so many cameras."""
        self.measured, self.cameras = measured, cameras
        self.frames = cameras * FPS * YEAR_S
        a_second = cameras * FPS / PARTITIONS
        self.segments = self.frames / min(SEGMENT_FRAMES, a_second * BATCH_S)
        self.rows_a_frame = measured.last.rows / measured.last.frames
        self.rows = self.frames * self.rows_a_frame
        self.rounds = YEAR_S / ROUND_S

    def line(self, name: str) -> Line:
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
        for what, name, times in (
            ("log: publish and poll", ("publish, wall", "poll, wall"), 1.0),
            ("store: put and get", ("put, wall", "get, wall"), 1.0),
            ("job, each hour 2.5 times", ("job",), HOUR_RECOUNTED),
            ("ledger", ("ledger",), 1.0),
        ):
            lines = [self.line(one) for one in name]
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
        rows.append(
            (
                "planning and ledger of all rounds",
                seconds * self.rounds / self.frames * 1000,
                seconds / ROUND_S,
                self.line("planning, nothing new").exponent,
            )
        )
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
        per_frame = {name: size / last.frames for name, size in last.stored_bytes.items()}
        picture = requests.frame_bytes / requests.frames
        return [
            ("pictures, 30 days", picture, self.gb(picture) * PICTURE_DAYS / 365, "S3"),
            ("detections", per_frame["detections"], self.gb(per_frame["detections"]), "S3"),
            ("counts", per_frame["counts"], self.gb(per_frame["counts"]), "S3"),
            ("tracks", per_frame["tracks"], self.gb(per_frame["tracks"]), "S3"),
            (
                "log, a day",
                self.measured.log_bytes,
                self.gb(self.measured.log_bytes) * LOG_DAYS / 365,
                "disk",
            ),
            ("index (SQLite's file)", per_frame["index"], self.gb(per_frame["index"]), "disk"),
            ("ledger (SQLite's file)", per_frame["ledger"], self.gb(per_frame["ledger"]), "disk"),
        ]

    def gb(self, bytes_a_frame: float) -> float:
        """Return the GB in a year."""
        return bytes_a_frame * self.frames / 1e9

    # Requests.

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
            rows += [
                (
                    f"{part}, each round after a year, CPU s",
                    f"{PLANNING_S:g} s",
                    self.round_s(part, days=365),
                    new._replace(at_start=of_days_s).units_within(PLANNING_S) / (a_year / 365),
                ),
                (
                    f"{part}, a day's first round after a year, CPU s",
                    f"{ROUND_S} s",
                    listed.at(self.segments),
                    listed.units_within(ROUND_S) / a_year,
                ),
            ]
        rows += [
            (
                "counting the last round of an hour, CPU s of one core",
                f"{ROUND_S} s",
                self.line("job").at(self.cameras * FPS * HOUR_S),
                self.line("job").units_within(ROUND_S) / FPS / HOUR_S,
            ),
            (
                "one Kafka broker on one core, announcements a second",
                f"{1 / self.line('publish, wall').per_unit:,.0f}",
                float(self.cameras * FPS),
                1 / self.line("publish, wall").per_unit / FPS,
            ),
            (
                f"{PARTITIONS} consumers of a core each, one a partition, frames a second",
                f"{PARTITIONS * SPARE / self.measured.stage_s(of_producer=False):,.0f}",
                float(self.cameras * FPS),
                PARTITIONS * SPARE / self.measured.stage_s(of_producer=False) / FPS,
            ),
        ]
        a_day = self.rows / 365
        for index in self.indexes:
            year, day = self.line(f"year, {index}, wall"), self.line(f"day, {index}, wall")
            publish, again = self.line(f"publish, {index}, wall"), self.measured.again[index]
            rows += [
                (
                    f"the chart of a year of all cameras on {index}, s",
                    f"{CHART_S:g} s",
                    year.at(self.rows),
                    year.units_within(CHART_S) / (self.rows / self.cameras),
                ),
                (
                    f"the chart of a day of one camera on {index}, s",
                    f"{CHART_S:g} s",
                    day.at(self.rows),
                    day.units_within(CHART_S) / (self.rows / self.cameras),
                ),
                (
                    f"publishing the last round of a day to {index}, s",
                    f"{ROUND_S} s",
                    publish.at(a_day) * again,
                    publish.units_within(ROUND_S / again) / (a_day / self.cameras),
                ),
            ]
        return sorted(rows, key=lambda row: row[3])


def price_of(what: str) -> float:
    """Return the dollars per call, by its stage and kind."""
    return GET_USD if what.split()[1].strip(",") in ("GET", "HEAD") else PUT_USD
