"""Runs the job over a plan and takes its output apart, day by day."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from frametally import keys
from frametally.books.runs import DayKey
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Skipped
from frametally.rules.tombstones import Range
from frametally.settings.loading import Settings
from frametally_hadoop.job.mapping import ENTRY_SEPARATOR, NO_DAYS
from frametally_hadoop.planning.plan import CountingPlan
from frametally_hadoop.running.cluster import HadoopCluster
from frametally_hadoop.running.engine import run_job
from frametally_hadoop.running.joining import join_lines
from frametally_hadoop.running.splits import plan_splits
from frametally_hadoop.running.spool import DaySpool

_HELD_TRACKS = 20_000  # a track is a kilobyte long
_HELD_PATHS = 200  # a line has those of an hour


@dataclass(frozen=True)
class Outcome:
    """What the job said.

    Attributes:
        lines: Counts and coverage, by day, with what tracking adds to them.
        tracks: Tracks, by day.
        paths: Their paths, by day.
        duplicates: By day, the lines that repeated a frame.
        lines_passed_on: By day, the frame lines that the map side passed on.
        corrupt_lines: By segment key and line number, why a line was set aside.
    """

    lines: DaySpool
    tracks: DaySpool
    paths: DaySpool
    duplicates: Counter[DayKey] = field(default_factory=Counter)
    lines_passed_on: Counter[DayKey] = field(default_factory=Counter)
    corrupt_lines: defaultdict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))

    def day_lines(self, day: DayKey) -> Iterator[bytes]:
        """Yield the lines of the day's part files, sorted."""
        return join_lines(self.lines.sorted_lines(day))

    def day_tracks(self, day: DayKey) -> Iterator[bytes]:
        """Yield the day's tracks as JSON Lines, by source, label and hour."""
        return (line.partition(b"\t")[2] for line in self.tracks.sorted_lines(day))

    def day_paths(self, day: DayKey) -> Iterator[bytes]:
        """Yield the day's lines of paths, by source and hour."""
        return self.paths.sorted_lines(day)

    def skipped(self) -> list[Skipped]:
        """List the corrupt lines for the report."""
        return [
            Skipped(f"{segment}, line {number}", f"{reason}; the rest is counted; restore the segment")
            for segment, lines in sorted(self.corrupt_lines.items())
            for number, reason in sorted(lines.items())
        ]


class _OfModel(msgspec.Struct):
    model: str
    duplicates_dropped: int = 0
    lines: int = 0


def count_plan(
    *,
    store: ObjectStore,
    plan: CountingPlan,
    settings: Settings,
    runner: str,
    cluster: HadoopCluster,
    temporary: Path,
) -> Outcome:
    """Count the stale days of `plan`; the outcome's lines lie in `temporary`, an empty folder.

    Raises:
        Retryable, Poison, Misconfigured: As `engine.run_job`.
    """
    job_folder, lines_folder, tracks_folder, paths_folder = (
        temporary / name for name in ("job", "lines", "tracks", "paths")
    )
    for folder in (job_folder, lines_folder, tracks_folder, paths_folder):
        folder.mkdir()
    outcome = Outcome(
        DaySpool(lines_folder),
        DaySpool(tracks_folder, held_lines=_HELD_TRACKS),
        DaySpool(paths_folder, held_lines=_HELD_PATHS),
    )
    not_counted = plan.not_counted()
    sizes = [(key, plan.size_of[key]) for key in plan.days_of_segment]
    manifest = [
        ENTRY_SEPARATOR.join(_entry(store, plan, key, not_counted, settings.manifest_ttl_s) for key in split)
        for split in plan_splits(sizes, split_bytes=settings.split_mb * 1_000_000)
    ]
    decoder = msgspec.json.Decoder(_OfModel)
    for line in run_job(
        manifest=manifest,
        params=plan.params,
        runner=runner,
        temporary=job_folder,
        spark_master=settings.spark_master,
        cluster=cluster,
    ):
        key_json, _, value = line.partition(b"\t")
        kind, *where = json.loads(key_json)
        if kind == "corrupt":
            segment, number = where
            outcome.corrupt_lines[segment][number] = json.loads(value)
            continue
        of_model = decoder.decode(value)
        day = DayKey(of_model.model, plan.params.interval_s, keys.utc_day(where[-1]))
        if kind == "duplicates":
            outcome.duplicates[day] += of_model.duplicates_dropped
        elif kind == "lines":
            outcome.lines_passed_on[day] += of_model.lines
        elif kind == "track":
            outcome.tracks.add(day, line)
        elif kind == "paths":
            outcome.paths.add(day, line)
        else:
            outcome.lines.add(day, line)
    return outcome


def _entry(
    store: ObjectStore,
    plan: CountingPlan,
    key: str,
    not_counted: dict[str, dict[str, list[Range]]],
    link_ttl_s: int,
) -> str:
    """Return what a manifest says of one segment; see `mapping`."""
    days = ",".join(str(day) for day in plan.days_of_segment[key]) or NO_DAYS
    stones = json.dumps(not_counted[key], sort_keys=True) if key in not_counted else ""
    parts = plan.parts_of_segment.get(key, "")
    return "\t".join([store.address(key, ttl_s=link_ttl_s), days, key, stones, parts]).rstrip("\t")
