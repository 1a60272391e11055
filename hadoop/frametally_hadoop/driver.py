"""`frametally aggregate`: counts the days that new segments affect, and publishes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import msgspec

from frametally import keys
from frametally.books.runs import DayKey
from frametally.errors import Poison, Retryable
from frametally.files.replacing import replace_file
from frametally.history_records import with_zones
from frametally.media.manifests import ManifestReader, forgotten_by, media_of
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.collection import rare_collection
from frametally.process.meters import METERS
from frametally.process.reports import Progress, Skipped, log_step, plural
from frametally.records import Run
from frametally.rules.counted_boxes import label_groups, label_list
from frametally.rules.known import TRACK_GAP_MS
from frametally.rules.times import DAY_MS
from frametally.segments.contents import CutShort, read_segment
from frametally.settings.loading import Settings
from frametally.telemetry.lineage import LineageRun, dataset, lineage_run
from frametally.telemetry.traces import TRACES
from frametally_hadoop.job.params import CountParams, TrackParams, label_thresholds
from frametally_hadoop.job.reading import LinkEnded
from frametally_hadoop.planning.hours import LedgerReplaced, SegmentBook
from frametally_hadoop.planning.plan import (
    ALL_DAYS,
    CountingPlan,
    DaySelection,
    DayWindows,
    StepReport,
    counting_steps,
    make_plan,
)
from frametally_hadoop.publication.publish import DayOutcome, publish_counted
from frametally_hadoop.publication.quality_checks import (
    Surroundings,
    label_warnings,
    look_around,
    renew_report,
)
from frametally_hadoop.running.engine import cluster_of, workspace
from frametally_hadoop.running.outcome import NotKept, count_plan

_ATTEMPTS = 8
PACES = "aggregations.jsonl"
MOST_PACES = 1000
_MOST_PACES_BYTES = 200_000
"""The most lines that `PACES` keeps; counting every 5 s would otherwise add 1.2 MB a day."""
_MOST_TRACED_SEGMENTS = 100
"""The most segments that are read again to trace their frames."""


class Aggregated(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregation that counted something, in `seconds` to the last pointer, planning included.

    A line of `PACES`, a file in the `data_dir`, to estimate the next one by, and no part of a run.
    """

    runner: str
    days: int
    segments: int
    bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class AggregateReport:
    """The result of an aggregation.

    Attributes:
        part_runs: The published parts of days counted within zones, as runs of the series of zones.
        days_up_to_date: Days that needed no counting.
        frames: Distinct frames in the published runs.
        skipped: Segments and lines that were set aside, and days that were not published.
        failed_checks: The number of runs by the name of the quality check that failed.
        steps: The results of plug-ins' steps, for days as they are now.
        hours_kept: Hours of a source reused from the previous run because nothing in them changed.
        hours_counted: Hours of a source counted from segments.
    """

    runs: list[Run]
    days_up_to_date: int
    segments_read: int
    frames: int
    duplicates_dropped: int
    skipped: list[Skipped]
    failed_checks: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    part_runs: list[Run] = field(default_factory=list)
    steps: list[StepReport] = field(default_factory=list)
    hours_kept: int = 0
    hours_counted: int = 0

    @property
    def all_skipped(self) -> list[Skipped]:
        """What the counting and its steps set aside."""
        return self.skipped + [item for step in self.steps for item in step.skipped]


@rare_collection()
def aggregate(
    *,
    settings: Settings,
    store: ObjectStore,
    progress: Progress,
    runner: str | None = None,
    selection: DaySelection = ALL_DAYS,
) -> AggregateReport:
    """Count every day whose segments or counting settings differ from those of its current run.

    The same segments and settings give the same part files, byte for byte, on every runner and machine,
    whether in one aggregation or many, even if some are killed and run again.

    The runner defaults to the setting; temporary files go to the settings' `data_dir`.

    Raises `Retryable` if the store or the runner fails, other aggregations keep publishing first, or there is
    no room left; `Misconfigured` if mrjob, the runner or a place for temporary files is missing.
    """
    failpoints.arm()
    TRACES.begin(settings.traces_url)
    token = settings.lineage_token.get_secret_value()
    with (
        lineage_run("aggregate", settings.lineage_url, token) as lineage,
        closing(SegmentBook(settings.ledger_url, settings.ledger_access)) as book,
    ):
        runner = runner or settings.runner
        return _Aggregation(settings, store, progress, runner, selection, lineage, book).run()


@dataclass
class _Aggregation:
    """Attempts to bring every day up to date, and their results."""

    settings: Settings
    store: ObjectStore
    progress: Progress
    runner: str
    selection: DaySelection
    lineage: LineageRun
    book: SegmentBook

    def __post_init__(self) -> None:
        self._params = settings_params(self.settings)
        self._cluster = cluster_of(self.settings)
        self._windows = DayWindows(self.selection)
        self._published: dict[DayKey, Run] = {}
        self._up_to_date: set[DayKey] = set()
        if self.selection.recount:
            self.book.list_all()
        self._manifests = ManifestReader(self.store, self.settings.data_dir)
        self._segments_read: dict[str, int] = {}
        self._whole: set[DayKey] = set()
        self._warnings: list[str] = []
        self._hours_kept = self._hours_counted = 0
        self._skipped: dict[str, Skipped] = {}
        self._failed_checks: dict[str, int] = {}
        self._labels_seen: set[str] = set()
        self._plan: CountingPlan
        self._look_around: Callable[[ObjectStore], Surroundings]
        self._surroundings: Callable[[], Surroundings]

    def run(self) -> AggregateReport:
        started_s, began_ns = time.monotonic(), time.time_ns()
        for _ in self._windows.attempts(_ATTEMPTS):
            try:
                if not self._attempt():
                    continue
                for day in self._plan.up_to_date:
                    renew_report(self.store, day, self._surroundings)
            except LedgerReplaced:
                continue
            if self._windows.advance():
                continue
            self._note_pace(started_s)
            report = replace(self._report(), steps=self._run_steps())
            if report.runs:
                METERS.took("count", time.monotonic() - started_s, frames=report.frames)
                self._trace_counted(began_ns)
            return report
        raise Retryable(
            f"other aggregations published first {_ATTEMPTS} times in a row; run `frametally aggregate` again"
        )

    def _attempt(self) -> bool:
        """Plan, count and publish; return False if changes in the meantime require a new plan."""
        plan = make_plan(
            store=self.store,
            params=self._params,
            book=self.book,
            manifests=self._manifests,
            progress=self.progress,
            selection=self._windows.now,
            whole=self._whole,
        )
        self._plan = plan
        self._warnings += [line for line in plan.warnings if line not in self._warnings]
        self._look_around = partial(
            look_around,
            manifests=plan.manifests,
            forgotten=forgotten_by(plan.tombstones),
            unusable=self.book.unusable | {item.name for item in plan.skipped},
            with_dead_letters=plan.with_dead_letters,
            chain_breaks=plan.chain_breaks,
        )
        self._surroundings = cache(partial(self._look_around, self.store))
        self._up_to_date |= {day.key for day in plan.up_to_date}
        self._skip(plan.skipped)
        if not plan.stale:
            return True
        failpoints.passing("aggregate.planned")
        models = {day.key.model for day in plan.stale}
        self.lineage.reads(dataset(self.store.url, f"{keys.METADATA}/model={model}") for model in models)
        note = f"counting {plural(len(plan.reads), 'segment')} ({self.runner})"
        self.progress.update(0, len(plan.stale), note)
        with workspace(self.settings.data_dir) as temporary:
            try:
                counted = self._count(plan, temporary)
            except NotKept as error:
                for day, reason in error.days.items():
                    self._count_whole(day, reason)
                return False
            except LinkEnded:
                if not self._windows.halve(day.key.day for day in plan.stale):
                    raise
                return False
            except (Retryable, Poison):
                # Retry a download that was interrupted, but skip a segment that is damaged in the store: it
                # would otherwise block all others forever.
                damaged, some_are_gone = self._damaged_segments(plan)
                if not damaged and not some_are_gone:
                    raise
                self.book.list_all()
                self._skip(damaged)
                self.book.unusable |= {skipped.name for skipped in damaged}
                return False
            failpoints.passing("aggregate.counted")
            self._segments_read |= {key: plan.size_of[key] for key in plan.reads}
            return self._note_published(plan, counted)

    def _count(self, plan: CountingPlan, temporary: Path) -> Iterable[DayOutcome]:
        """Count and publish the stale days, on Spark in parallel tasks, otherwise one by one."""
        publish = partial(
            publish_counted,
            forgotten=plan.tombstones,
            recount=self._windows.now.recount,
            may_lose=self.selection.may_lose,
            segments_end=bool(self.settings.store_metadata_days),
        )
        if self.runner == "spark":
            from frametally_hadoop.publication.days_on_spark import count_on_spark

            return count_on_spark(self.settings, self.store, plan, publish, self._look_around)
        outcome = count_plan(
            store=self.store, plan=plan, runner=self.runner, cluster=self._cluster, temporary=temporary
        )
        return (publish(self.store, day, outcome, self._surroundings) for day in plan.stale)

    def _run_steps(self) -> list[StepReport]:
        """Run the plug-ins' counting steps over the current tracks."""
        return [
            step.count(
                settings=self.settings,
                store=self.store,
                progress=self.progress,
                runner=self.runner,
                selection=self.selection,
                manifests=self._manifests,
            )
            for step in counting_steps()
        ]

    def _trace_counted(self, began_ns: int) -> None:
        """Trace counted frames, in the newest of the segments that were read."""
        days = {day.day for day in self._published}
        for key in sorted(self._segments_read)[-_MOST_TRACED_SEGMENTS:] if TRACES.is_on else ():
            for frame in read_segment(self.store, key).frames():
                if keys.utc_day(frame.captured_at_ms) in days:
                    TRACES.tell(frame.image_path, "count", began_ns)
        TRACES.flush()

    def _report(self) -> AggregateReport:
        """Summarise the results of all attempts."""
        runs = [self._published[day] for day in sorted(self._published)]
        return AggregateReport(
            runs=runs,
            days_up_to_date=len(self._up_to_date - self._published.keys()),
            segments_read=len(self._segments_read),
            frames=sum(run.frames for run in runs),
            duplicates_dropped=sum(run.duplicates_dropped for run in runs),
            skipped=[self._skipped[name] for name in sorted(self._skipped)],
            failed_checks=dict(sorted(self._failed_checks.items())),
            warnings=self.book.warnings + self._warnings + self._label_warnings(),
            hours_kept=self._hours_kept,
            hours_counted=self._hours_counted,
            part_runs=with_zones(runs)[len(runs) :],
        )

    def _note_pace(self, started_s: float) -> None:
        """Record the duration, for estimates."""
        if not self._segments_read:
            return
        done = Aggregated(
            runner=self.runner,
            days=len(self._published),
            segments=len(self._segments_read),
            bytes=sum(self._segments_read.values()),
            seconds=round(time.monotonic() - started_s, 3),
        )
        note_pace(self.settings.data_dir, done)

    def _note_published(self, plan: CountingPlan, counted: Iterable[DayOutcome]) -> bool:
        """Record the result of each day; return False if some have to be planned again."""
        settled_all = True
        for done, day in enumerate(counted):
            self.progress.update(done, len(plan.stale), f"publishing {day.key.day}")
            settled_all &= day.is_settled
            self._skip([*day.corrupt, *([day.refusal] if day.refusal else [])])
            if day.not_kept:
                self._count_whole(day.key, day.not_kept)
            if day.is_up_to_date:
                self._up_to_date.add(day.key)
            if day.run is None:
                continue
            self._published[day.key] = day.run
            log_step("counted", run=day.run.run_id, day=day.run.day, media=self._media_of(day.run))
            self._hours_kept += day.hours_kept
            self._hours_counted += day.hours_counted
            self.lineage.makes([dataset(self.store.url, day.run.prefix)])
            self._labels_seen |= day.labels
            self._warnings += day.warnings
            for name in day.failed_checks:
                self._failed_checks[name] = self._failed_checks.get(name, 0) + 1
        # If another aggregation was faster, it has recounted these days.
        self._windows.now = self._windows.now._replace(recount=False)
        self.progress.update(len(plan.stale), len(plan.stale), "published")
        return settled_all

    def _media_of(self, run: Run) -> Iterator[str]:
        """Yield the media with footage on a run's day."""
        start_ms = keys.day_start_ms(run.day)
        for medium in self._plan.manifests or ():
            first_ms, last_ms = medium.first_captured_at_ms, medium.last_captured_at_ms
            if first_ms is None or last_ms is None:
                continue
            if first_ms < start_ms + DAY_MS and last_ms >= start_ms:
                yield media_of(medium)

    def _count_whole(self, day: DayKey, reason: str) -> None:
        self._whole.add(day)
        self._warnings.append(f"{reason}; {day.day} is counted whole")

    def _label_warnings(self) -> list[str]:
        unseen = set(self._params.labels) - self._labels_seen
        if not self._published or not unseen:
            return []
        return label_warnings(self.store, wanted=unseen, segments=sorted(self._segments_read))

    def _damaged_segments(self, plan: CountingPlan) -> tuple[list[Skipped], bool]:
        """Find the plan's segments that cannot be read, and whether some are gone since it was made."""
        damaged = []
        some_are_gone = False
        for key in plan.reads:
            try:
                read_segment(self.store, key)
            except ObjectMissing:
                some_are_gone = True  # the next plan omits it
            except (CutShort, Poison) as error:
                damaged.append(Skipped(key, f"{error}; none of it is counted"))
        return damaged, some_are_gone

    def _skip(self, skipped: list[Skipped]) -> None:
        self._skipped.update({item.name: item for item in skipped})


def note_pace(data_dir: Path, done: Aggregated) -> None:
    """Add an aggregation; ignore write errors, as the file only helps to estimate."""
    path = data_dir / PACES
    with suppress(OSError):
        with path.open("ab") as file:
            file.write(msgspec.json.encode(done) + b"\n")
            is_long = file.tell() > _MOST_PACES_BYTES
        if is_long:
            replace_file(path, b"".join(path.read_bytes().splitlines(keepends=True)[-MOST_PACES:]))


def settings_params(settings: Settings) -> CountParams:
    """Return the settings that affect counts."""
    return CountParams(
        settings.interval_s,
        **settings.counted_boxes()._asdict(),
        tracking=_tracking(settings),
        overlaps=settings.count_overlaps,
    )


def _tracking(settings: Settings) -> TrackParams | None:
    if not settings.count_objects:
        return None
    by_label = label_thresholds(settings.track_label_confidence)
    strong = by_label.pop("*", TrackParams().strong)
    return TrackParams(
        min_fps=round(settings.min_tracking_fps * 100),
        strong=strong,
        gap_ms=TRACK_GAP_MS,
        strong_by_label=tuple(sorted(by_label.items())),
        fixed_labels=label_list(settings.track_fixed_labels),
        groups=label_groups(settings.track_groups),
    )
