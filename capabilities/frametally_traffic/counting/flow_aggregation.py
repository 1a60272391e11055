"""Counts at lines and zones, day by day, from the tracks of the published runs."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from frametally import keys
from frametally.books.runs import DayKey, hour_files, read_run, read_source_files
from frametally.errors import Poison, Retryable
from frametally.media.manifests import ManifestReader
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped, plural
from frametally.records import FlowFile, Run, encode
from frametally.rules.places import FLOWS, Zones, series_model
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_hadoop.job.reading import LinkEnded
from frametally_hadoop.planning.plan import DaySelection, DayToCount, DayWindows, DrawnZones, StepReport
from frametally_hadoop.publication.publish import LINES_PER_PART, put_parts
from frametally_hadoop.running.engine import DaySpool, cluster_of, run_job, workspace
from frametally_hadoop.running.outcome import LINK_S
from frametally_traffic.counting.flow_plan import FlowDay, FlowPlan, plan_flows
from frametally_traffic.drawings.drawn_shapes import shapes_of
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing
from frametally_traffic.flows.day_columns import decode_flows
from frametally_traffic.flows.shapes import FLOWS_VERSION
from frametally_traffic.tasks.flow_tasks import count_entry, entry_of

if TYPE_CHECKING:
    from frametally_traffic.counting.place_records import PlaceRecords

__all__ = ["count", "days_to_count", "read_zones"]

_JOB = "frametally_traffic.counting.flows_job:CountFlows"


class CountedFlows(NamedTuple):
    """Output of the job: its lines of flows by day, and its failures by day and source."""

    lines: DaySpool
    failed: dict[tuple[DayKey, str], str]

    def of_day(self, day: DayKey) -> dict[str, bytes]:
        """Return the newly counted files of a day by source."""
        files = {}
        for line in self.lines.sorted_lines(day):
            key, _, value = line.partition(b"\t")
            files[json.loads(key)[2]] = base64.b64decode(json.loads(value))
        return files


def publish_flows(store: ObjectStore, day: FlowDay, new_files: Mapping[str, bytes]) -> Run | None:
    """Publish a day's flows.

    `new_files`: newly counted files of flows by source; the previous run has the others.

    Returns:
        The run, or None if another aggregation published one with that sequence first; then plan again.

    Raises:
        Poison: An input of the day, or a file kept from the previous run, is missing or damaged.
    """
    from frametally_traffic.counting.place_records import PlaceRecords, by_source  # with numpy

    model, interval_s, day_name = day.key
    inputs_sha256 = day.inputs_sha256()
    run_id = f"{day.sequence:06d}-{inputs_sha256[:16]}"
    prefix = keys.run_folder(model, day.base.params, interval_s, day_name, run_id)
    base_counts, base_coverage = read_run(store, day.base)
    counts, filmed = by_source(base_counts), by_source(base_coverage)
    files: list[FlowFile] = []
    places: dict[str, PlaceRecords] = {}
    for flow_input in day.inputs:
        if flow_input.source not in filmed:
            continue
        data = new_files.get(flow_input.source)
        if data is None and day.current:
            [(_, data)] = read_source_files(store, day.current, {flow_input.source})
        assert data is not None  # noqa: S101 - for the type checker: what is not kept was counted
        store.put(f"{keys.tracks_folder(prefix)}/{flow_input.name}", data)
        files.append(FlowFile(source=flow_input.source, name=flow_input.name, crc32=zlib.crc32(data)))
        flows = decode_flows(data)
        places[flow_input.source] = PlaceRecords(
            model,
            interval_s,
            flows,
            flow_input.shapes,
            filmed[flow_input.source],
            counts.get(flow_input.source, ()),
        )
    frames = 0

    def coverage_lines() -> Iterator[bytes]:
        nonlocal frames
        for source in ordered:
            for line, of_line in places[source].coverage_lines():
                frames += of_line
                yield line

    # In bytewise order of keys, a place follows its source and a slash.
    ordered = sorted(places, key=lambda source: f"{source}/")
    count_lines = (line for source in ordered for line in places[source].count_lines())
    parts = []
    for part in put_parts(store, prefix, chain(count_lines, coverage_lines()), LINES_PER_PART):
        parts.append(part)
        failpoints.passing("flows.part")
    failpoints.passing("flows.whole")
    run = Run(
        run_id=run_id,
        sequence=day.sequence,
        model=model,
        params=day.base.params,
        interval_s=interval_s,
        day=day_name,
        prefix=prefix,
        parts=[name for name, _ in parts],
        inputs_sha256=inputs_sha256,
        frames=frames,
        duplicates_dropped=0,
        parts_crc32=[crc32 for _, crc32 in parts],
        footage_sha256=day.footage_sha256(),
        tombstones_crc32=day.base.tombstones_crc32,
        settings=day.base.settings | {"flows_version": FLOWS_VERSION},
        paths=files,
        hours={},
    )
    return run if store.put(run.key, encode(run), if_absent=True) else None


_ATTEMPTS = 8


@dataclass
class _Flows:
    """Repeated attempts to bring every day up to date, and their results."""

    settings: Settings
    store: ObjectStore
    progress: Progress
    runner: str
    windows: DayWindows
    manifests: ManifestReader
    unusable: set[DayKey] = field(default_factory=set)
    published: dict[DayKey, Run] = field(default_factory=dict)
    up_to_date: set[DayKey] = field(default_factory=set)
    skipped: dict[str, Skipped] = field(default_factory=dict)
    unfit: dict[str, set[str]] = field(default_factory=dict)

    def attempt(self) -> bool:
        """Plan, count and publish; return False if a change in the meantime requires another attempt."""
        plan = plan_flows(
            self.store,
            interval_s=self.settings.interval_s,
            manifests=self.manifests,
            selection=self.windows.now,
            unusable=self.unusable,
        )
        self.up_to_date |= {day.key for day in plan.up_to_date}
        self._skip(plan.skipped)
        if not plan.stale:
            return True
        failpoints.passing("flows.planned")
        self.progress.update(0, len(plan.stale), f"lines and zones ({self.runner})")
        with workspace(self.settings.data_dir) as temporary:
            try:
                counts = self._count(plan.stale, temporary)
            except LinkEnded:
                if not self.windows.halve(day.key.day for day in plan.stale):
                    raise
                return False
            except (Retryable, ObjectMissing):
                if not self._set_aside_missing(plan):
                    raise
                return False
            failpoints.passing("flows.counted")
            return self._publish(plan, counts)

    def report(self) -> StepReport:
        """Sum up the results of all attempts."""
        return StepReport(
            name="lines and zones",
            runs=[self.published[day] for day in sorted(self.published)],
            days_up_to_date=len(self.up_to_date - self.published.keys()),
            skipped=[self.skipped[name] for name in sorted(self.skipped)],
            warnings=_other_shapes(self.unfit),
        )

    def _count(self, days: list[FlowDay], temporary: Path) -> CountedFlows:
        """Count what days need and their previous runs lack, in the empty folder `temporary`."""
        recount = self.windows.now.recount
        on_spark = self.runner == "spark"
        link = cache(str if on_spark else partial(self.store.address, ttl_s=LINK_S))
        job_folder = temporary / "job"
        job_folder.mkdir()
        counts = CountedFlows(DaySpool(temporary / "lines"), {})
        manifest = []
        for day in days:
            inputs = day.inputs if recount else day.missing()
            try:
                by_run = [hour_files(self.store, run) for run in day.runs] if inputs else []
            except Poison as error:
                counts.failed.update({(day.key, flow_input.source): str(error) for flow_input in inputs})
                continue
            for flow_input in inputs:
                files = (file for by_source in by_run for file in by_source.get(flow_input.source, ()))
                manifest.append(entry_of(flow_input, ((link(key), key, crc32) for key, crc32 in files)))
        if not manifest:
            return counts
        output: Iterable[bytes]
        if on_spark:
            from frametally_hadoop.running.spark import map_on_spark

            output = map_on_spark(self.settings, self.store.url, manifest, _count_entries)
        else:
            output = run_job(
                manifest=manifest,
                job=_JOB,
                runner=self.runner,
                temporary=job_folder,
                cluster=cluster_of(self.settings),
            )
        for line in output:
            key, _, value = line.partition(b"\t")
            kind, model, source, day_start_ms = json.loads(key)
            day_key = DayKey(series_model(model, FLOWS), days[0].key.interval_s, keys.utc_day(day_start_ms))
            if kind == "failed":
                counts.failed[day_key, source] = json.loads(value)
            else:
                counts.lines.add(day_key, line)
        return counts

    def _publish(self, plan: FlowPlan, counts: CountedFlows) -> bool:
        won_all = True
        for number, day in enumerate(plan.stale):
            self.progress.update(number, len(plan.stale), f"publishing {day.key.day}")
            reasons = [counts.failed.get((day.key, flow_input.source)) for flow_input in day.inputs]
            failed = [f"{reason}; {_remedy(day.base)}" for reason in reasons if reason]
            new_files = counts.of_day(day.key)
            try:
                run = None if failed else publish_flows(self.store, day, new_files)
            except Poison as error:
                failed = [str(error)]
            if failed:
                self._skip([Skipped(f"lines and zones, {day.base.model}, {day.key.day}", failed[0])])
                continue
            if run is None:
                won_all = False
                continue
            failpoints.passing("flows.published")
            self.published[day.key] = run
            for source, data in new_files.items():
                for kind, name, *_ in decode_flows(data).unfit:
                    self.unfit.setdefault(f"{kind} {name} of {source}", set()).add(day.key.day)
        # A faster command has recounted it as well.
        self.windows.now = self.windows.now._replace(recount=False)
        self.progress.update(len(plan.stale), len(plan.stale), "published")
        return won_all

    def _set_aside_missing(self, plan: FlowPlan) -> bool:
        """Set aside the days whose files of paths are gone; return whether there are any."""
        missing: dict[str, Run] = {}
        for day in plan.stale:
            with suppress(Poison):  # a list is damaged; counting the day reports it
                missing_keys = [key for key in day.files(self.store) if self.store.head(key) is None]
                missing |= dict.fromkeys(missing_keys, day.base)
                self.unusable |= {day.key} if missing_keys else set()
        self._skip([Skipped(key, f"missing; {_remedy(base)}") for key, base in missing.items()])
        return bool(missing)

    def _skip(self, skipped: list[Skipped]) -> None:
        self.skipped.update({item.name: item for item in skipped})


def _count_entries(store: ObjectStore, entries: Iterator[str]) -> Iterator[bytes]:
    """Yield the lines of output that a Spark task makes from its manifest lines."""
    from frametally_hadoop.running.spark import fetch_from

    for entry in entries:
        for key, value in count_entry(entry, fetch=fetch_from(store)):
            yield key + b"\t" + value + b"\n"


def _remedy(run: Run) -> str:
    """Return what to do when the paths of a run's day, or of an adjacent day, cannot be read."""
    start_ms = keys.day_start_ms(run.day)
    first, end = keys.utc_day(start_ms - DAY_MS), keys.utc_day(start_ms + 2 * DAY_MS)
    return (
        "earlier counts at lines and zones are unchanged; restore it, or run `frametally aggregate --all "
        f"--interval {run.interval_s} --from {first} --to {end}` to count these days again"
    )


def _other_shapes(unfit: Mapping[str, set[str]]) -> list[str]:
    return [
        f"{shape} has no counts in some hours of {plural(len(days), 'day')}, such as {min(days)}: pictures "
        "there have another shape than the one under it; draw it over one of these, too"
        for shape, days in sorted(unfit.items())
    ]


def days_to_count(
    *, store: ObjectStore, interval_s: int, manifests: ManifestReader, selection: DaySelection
) -> tuple[list[DayToCount], list[Skipped]]:
    """Return the days whose flows need counting, and the drawings that cannot be used."""
    flows = plan_flows(store, interval_s=interval_s, manifests=manifests, selection=selection)
    days = [
        DayToCount(
            *day.key, segments=0, bytes=0, inputs=day.inputs_sha256()[:16], state=day.state_sha256()[:16]
        )
        for day in flows.stale
    ]
    return days, flows.skipped


def count(
    *,
    settings: Settings,
    store: ObjectStore,
    progress: Progress,
    runner: str,
    selection: DaySelection,
    manifests: ManifestReader,
) -> StepReport:
    """Count every day whose paths or drawings have changed since its run of flows.

    The same paths and drawings give the same files, byte for byte, on every runner.

    Raises:
        Retryable: See `driver.aggregate`.
        Misconfigured: See `driver.aggregate`.
    """
    windows = DayWindows(selection)
    work = _Flows(settings, store, progress, runner, windows, manifests)
    for _ in windows.attempts(_ATTEMPTS):
        if work.attempt() and not windows.advance():
            return work.report()
    raise Retryable(
        f"other aggregations published first {_ATTEMPTS} times in a row: run `frametally aggregate` again"
    )


def read_zones(store: ObjectStore) -> DrawnZones:
    """Return all drawn zones. Raises `Retryable` if the store is unavailable."""
    zones_by_source: dict[str, Zones] = {}
    unreadable: dict[str, Skipped] = {}
    for source in sorted(drawn_sources(store)):
        try:
            drawing = read_drawing(store, source)
            zones = shapes_of(msgspec.structs.replace(drawing, calibrations=())).zones
        except Poison as error:
            unreadable[source] = Skipped(f"zones of {source}", str(error))
            continue
        if zones:
            zones_by_source[source] = zones
    return DrawnZones(zones_by_source, unreadable)
