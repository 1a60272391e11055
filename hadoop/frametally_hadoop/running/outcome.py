"""Runs the job over a plan, and splits its output by day."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Self

import msgspec

from frametally import keys
from frametally.books.runs import DayKey, read_parts
from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Skipped
from frametally.records import Run
from frametally.rules.blank_stretches import BlankPart
from frametally.rules.hour_file import length_ms
from frametally.rules.places import base_model, source_of, within_zones
from frametally.rules.times import DAY_S
from frametally.rules.tombstones import Range
from frametally_hadoop.job.reading import ENTRY_SEPARATOR, entry_text
from frametally_hadoop.planning.hours import SourceHour
from frametally_hadoop.planning.plan import CountingPlan, DayPlan
from frametally_hadoop.running.engine import DaySpool, HadoopCluster, run_job


def plan_splits(sizes: Iterable[tuple[str, int]], *, split_bytes: int) -> list[list[str]]:
    """Split segments, given as keys with their bytes, so that no split exceeds a size; keep their order.

    Neighbours stay together: they share intervals, which a task then passes on as one. A larger segment is a
    separate split.
    """
    splits: list[list[str]] = []
    held_bytes = 0
    for key, size_bytes in sizes:
        if not splits or held_bytes + size_bytes > split_bytes:
            splits.append([])
            held_bytes = 0
        splits[-1].append(key)
        held_bytes += size_bytes
    return splits


LINK_S = DAY_S
"""The lifetime of the links with which a job's tasks read from the S3 store."""
SPLIT_BYTES = 64_000_000
"""The size of the segments that one task reads."""


class _OfModel(msgspec.Struct):
    model: str
    duplicates_dropped: int = 0
    lines: int = 0


_decoder = msgspec.json.Decoder(_OfModel)


class AnalysedFrames(msgspec.Struct, kw_only=True):
    """The frames of a line of coverage."""

    frames: int
    blank: list[BlankPart] = []

    @property
    def analysed(self) -> int:
        """Frames, whatever they show."""
        return self.frames + sum(frames for _, frames, _ in self.blank)


_decode_frames = msgspec.json.Decoder(AnalysedFrames).decode
Interval = tuple[str, int]
"""A source, or a zone of its picture, and the start of an interval in milliseconds."""


def _hour_of(place: str, time_ms: int, interval_s: int) -> SourceHour:
    source = source_of(place)
    return source if place == source else within_zones(source), time_ms - time_ms % length_ms(interval_s)


@dataclass(frozen=True)
class Outcome:
    """The output of the job.

    Attributes:
        hours: All lines of the counted units (see `map_reduce`), each after its unit.
        counts: By day, lines of counts and coverage; those of `hours` once they are published. As in
            `lines_passed_on`, those within zones belong to the day in their series.
        duplicates: By day and by a source's unit, the number of lines that repeated a frame.
        lines_passed_on: By day, the number of frame lines that the map side passed on.
        corrupt_lines: By segment key and line number, why a line was set aside.
        covered_before: For days with kept hours, the frames of each interval of the current run.
    """

    hours: DaySpool
    counts: DaySpool
    duplicates: defaultdict[DayKey, Counter[SourceHour]] = field(default_factory=lambda: defaultdict(Counter))
    lines_passed_on: Counter[DayKey] = field(default_factory=Counter)
    corrupt_lines: defaultdict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    covered_before: defaultdict[DayKey, dict[Interval, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    @classmethod
    def within(cls, folder: Path) -> Self:
        """Start empty; lines that do not fit in memory go to folders in `folder`."""
        return cls(DaySpool(folder / "hours"), DaySpool(folder / "counts"))

    def add(self, line: bytes, interval_s: int) -> None:
        """Take one line of the job's output, with its line end."""
        key_json, _, value = line.partition(b"\t")
        kind, *where = msgspec.json.decode(key_json)
        if kind == "corrupt":
            segment, number = where
            self.corrupt_lines[segment][number] = json.loads(value)
            return
        of_model = _decoder.decode(value)
        day = DayKey(of_model.model, interval_s, keys.utc_day(where[-1]))
        if kind == "lines":
            self.lines_passed_on[day] += of_model.lines
            return
        day = day._replace(model=base_model(day.model))
        source, start_ms = hour = _hour_of(where[0], where[-1], interval_s)
        if kind == "hour":
            self.duplicates[day][hour] += of_model.duplicates_dropped
        self.hours.add(day, b"%s %d\t%s" % (source.encode(), start_ms, line))

    def counted_hours(self, day: DayKey) -> Iterator[tuple[SourceHour, list[bytes]]]:
        """Yield the lines of each hour of the day that was counted, sorted."""
        pairs = (line.partition(b"\t")[::2] for line in self.hours.sorted_lines(day))
        for hour, of_hour in groupby(pairs, key=itemgetter(0)):
            source, _, start_ms = hour.decode().partition(" ")
            yield (source, int(start_ms)), [line for _, line in of_hour]

    def keep(self, store: ObjectStore, day: DayPlan) -> None:
        """Copy the counts of the day's kept hours from its current run. Raises `Poison` if damaged."""
        if not day.unchanged:
            return
        for key, run in ((day.key, day.current), (day.zone_key, day.current_zones)):
            if run is not None:
                self._keep_of(store, day, key, run)
        for hour, file in day.unchanged.items():
            key = day.key if hour[0] == source_of(hour[0]) else day.zone_key
            self.duplicates[day.key][hour] += file.duplicates_dropped
            self.lines_passed_on[key] += file.duplicates_dropped

    def _keep_of(self, store: ObjectStore, day: DayPlan, key: DayKey, run: Run) -> None:
        """Copy the counts over whole pictures or within zones."""
        covered = self.covered_before[day.key]
        place_in = cache(lambda series: msgspec.json.decode(series + b"]")[1])
        for _, data in read_parts(store, run):
            kept = []
            for line in data.splitlines(keepends=True):
                series, _, start = line[: line.index(b"\t")].rpartition(b",")
                place, start_ms = place_in(series), int(start[:-1])
                is_kept = _hour_of(place, start_ms, day.key.interval_s) in day.unchanged
                if is_kept:
                    kept.append(line)
                if series.startswith(b'["coverage"'):
                    covered[place, start_ms] = frames = _decode_frames(line.partition(b"\t")[2]).analysed
                    self.lines_passed_on[key] += frames if is_kept else 0
            self.counts.add(key, *kept)

    def skipped(self) -> list[Skipped]:
        """List the corrupt lines for the report."""
        return [
            Skipped(f"{segment}, line {number}", f"{reason}; the rest is counted; restore the segment")
            for segment, lines in sorted(self.corrupt_lines.items())
            for number, reason in sorted(lines.items())
        ]


class NotKept(Poison):
    """The runs of hours to keep cannot be read: count the days from their segments.

    Attributes:
        days: The days, with the reason for each.
    """

    def __init__(self, days: dict[DayKey, str]) -> None:
        super().__init__("; ".join(days.values()))
        self.days = days


def count_plan(
    *,
    store: ObjectStore,
    plan: CountingPlan,
    runner: str,
    cluster: HadoopCluster,
    temporary: Path,
) -> Outcome:
    """Count the stale days of `plan`; the outcome's lines are stored in `temporary`, an empty folder.

    Raises `NotKept`; and `Retryable`, `Poison` or `Misconfigured` as `engine.run_job` does.
    """
    job_folder = temporary / "job"
    job_folder.mkdir()
    outcome = Outcome.within(temporary)
    damaged = {}
    for of_day in plan.stale:
        try:
            outcome.keep(store, of_day)
        except Poison as error:
            damaged[of_day.key] = str(error)
    if damaged:
        raise NotKept(damaged)
    if not plan.reads:
        return outcome
    link = partial(store.address, ttl_s=LINK_S)
    for line in run_job(
        manifest=[ENTRY_SEPARATOR.join(split) for split in manifest_splits(plan, link)],
        params=plan.params,
        runner=runner,
        temporary=job_folder,
        cluster=cluster,
    ):
        outcome.add(line, plan.params.interval_s)
    return outcome


def manifest_splits(plan: CountingPlan, address: Callable[[str], str]) -> list[list[str]]:
    """Return a manifest's entries of the segments to count, split by split; see `job.reading`.

    `address` converts a segment's key to the address that a task reads it from.
    """
    not_counted = plan.not_counted()
    sizes = [(key, plan.size_of[key]) for key in plan.reads]
    return [
        [_entry(plan, key, not_counted, address(key)) for key in split]
        for split in plan_splits(sizes, split_bytes=SPLIT_BYTES)
    ]


def _entry(plan: CountingPlan, key: str, not_counted: dict[str, dict[str, list[Range]]], address: str) -> str:
    """Return a segment's entry in the manifest; see `job.reading`."""
    read = plan.reads[key]
    fields = {
        "hours": read.hours,
        "without": not_counted.get(key),
        "zones": read.zones or None,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return entry_text(address, name=key, days=read.days, **given)
