"""`frametally aggregate`: counts the event days that new segments touch, and publishes them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from frametally.errors import Misconfigured, Poison, Retryable
from frametally.object_store import ObjectMissing, ObjectStore
from frametally.records import Run
from frametally.reports import Progress, Skipped
from frametally.runs import DayKey
from frametally.segments import CutShort, read_segment
from frametally.settings import Settings
from frametally_hadoop.outcome import Outcome, count_plan
from frametally_hadoop.params import count_params
from frametally_hadoop.plan import Plan, make_plan
from frametally_hadoop.publish import publish_day

_ATTEMPTS = 8


@dataclass(frozen=True, kw_only=True)
class AggregateReport:
    """What an aggregation did.

    Attributes:
        runs: Published runs, one per day that was counted.
        days_up_to_date: Days that needed nothing.
        segments_read: Segments whose lines were counted.
        frames: Distinct frames in the published runs.
        duplicates_dropped: Lines in them that repeated a frame.
        skipped: Segments and lines that were set aside.
    """

    runs: list[Run]
    days_up_to_date: int
    segments_read: int
    frames: int
    duplicates_dropped: int
    skipped: list[Skipped]


def aggregate(
    *, settings: Settings, store: ObjectStore, progress: Progress, runner: str | None = None
) -> AggregateReport:
    """Count every day whose segments, or whose counting settings, are not those of its current run.

    The same segments and settings give the same part files, byte for byte, on every runner and machine, in
    one aggregation or many, killed anywhere and run again.

    Args:
        settings: `interval_s`, the `count_*` settings, `runner` and `data_dir` (for temporary files).
        store: Where segments are read and runs are published.
        progress: Told how far it is.
        runner: mrjob runner; default: the setting's.

    Raises:
        Retryable: The store or the runner failed, or other aggregations kept publishing first.
        Misconfigured: No mrjob, no such runner, or no place for temporary files.
    """
    work = _Aggregation(settings, store, progress, runner or settings.runner)
    for _ in range(_ATTEMPTS):
        if work.attempt():
            return work.report()
    raise Retryable(
        f"other aggregations published first {_ATTEMPTS} times in a row; run `frametally aggregate` again"
    )


class _Aggregation:
    """Attempts until every day is up to date, and what came of them."""

    def __init__(self, settings: Settings, store: ObjectStore, progress: Progress, runner: str) -> None:
        self._params = count_params(
            interval_s=settings.interval_s,
            min_confidence=settings.count_min_confidence,
            min_side_px=settings.count_min_side_px,
            labels=settings.count_labels,
        )
        self._data_dir = settings.data_dir
        self._store = store
        self._progress = progress
        self._runner = runner
        self._published: dict[DayKey, Run] = {}
        self._up_to_date: set[DayKey] = set()
        self._segments_read: set[str] = set()
        self._unusable: set[str] = set()
        self._skipped: dict[str, Skipped] = {}

    def attempt(self) -> bool:
        """Plan, count and publish; False if something has changed meanwhile, so that it has to plan again."""
        plan = make_plan(
            store=self._store, params=self._params, unusable=self._unusable, progress=self._progress
        )
        self._up_to_date |= plan.up_to_date
        self._skip(plan.skipped)
        if not plan.stale:
            return True
        note = f"counting {len(plan.days_of_segment)} segments ({self._runner})"
        self._progress.update(0, len(plan.stale), note)
        with _temporary_folder(self._data_dir) as temporary:
            try:
                outcome = count_plan(
                    store=self._store, plan=plan, runner=self._runner, temporary=Path(temporary)
                )
            except (Retryable, Poison):
                # A body cut short on its way is tried again; a segment that is damaged in the store would
                # hold up all others for ever.
                damaged = self._damaged_segments(plan)
                if not damaged:
                    raise
                self._skip(damaged)
                self._unusable |= {skipped.name for skipped in damaged}
                return False
            self._segments_read |= plan.days_of_segment.keys()
            self._skip(outcome.skipped())
            return self._publish(plan, outcome)

    def report(self) -> AggregateReport:
        """What came of all attempts."""
        runs = [self._published[day] for day in sorted(self._published)]
        return AggregateReport(
            runs=runs,
            days_up_to_date=len(self._up_to_date - self._published.keys()),
            segments_read=len(self._segments_read),
            frames=sum(run.frames for run in runs),
            duplicates_dropped=sum(run.duplicates_dropped for run in runs),
            skipped=[self._skipped[name] for name in sorted(self._skipped)],
        )

    def _publish(self, plan: Plan, outcome: Outcome) -> bool:
        won_all = True
        for done, day in enumerate(plan.stale):
            self._progress.update(done, len(plan.stale), f"publishing {day.key.day}")
            inputs_sha256 = day.inputs_sha256(outcome.corrupt_lines)
            if inputs_sha256 == day.current_sha256:  # its segments are damaged as they were
                self._up_to_date.add(day.key)
                continue
            run = publish_day(
                store=self._store,
                plan=day,
                inputs_sha256=inputs_sha256,
                lines=outcome.lines.sorted_lines(day.key),
                duplicates_dropped=outcome.duplicates[day.key],
            )
            if run is None:
                won_all = False
            else:
                self._published[day.key] = run
        self._progress.update(len(plan.stale), len(plan.stale), "published")
        return won_all

    def _damaged_segments(self, plan: Plan) -> list[Skipped]:
        damaged = []
        for key in plan.days_of_segment:
            try:
                read_segment(self._store, key)
            except (CutShort, Poison, ObjectMissing) as error:
                damaged.append(Skipped(key, f"{error}; none of it is counted"))
        return damaged

    def _skip(self, skipped: list[Skipped]) -> None:
        self._skipped.update({item.name: item for item in skipped})


def _temporary_folder(data_dir: Path) -> tempfile.TemporaryDirectory[str]:
    folder = data_dir / "tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="count-", dir=folder)
    except OSError as error:
        raise Misconfigured(
            f"{folder}: no temporary files can be made there ({error.strerror}); "
            "set FRAMETALLY_DATA_DIR to a folder that this user may write"
        ) from error
