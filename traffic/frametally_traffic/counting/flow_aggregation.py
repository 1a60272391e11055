"""Counts at what is drawn over sources, day by day, from the tracks of the runs that stand."""

from __future__ import annotations

from collections.abc import Sequence

from frametally import keys
from frametally.books.runs import DayKey
from frametally.errors import Poison, Retryable
from frametally.media.manifests import ManifestReader
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.records import Run
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_hadoop.job.input.fetching import LinkEnded
from frametally_hadoop.planning.counting_steps import StepReport
from frametally_hadoop.planning.selection import DaySelection
from frametally_hadoop.running.cluster import cluster_of
from frametally_hadoop.running.workspace import workspace
from frametally_traffic.counting.flow_counting import CountedFlows, count_days
from frametally_traffic.counting.flow_plan import FlowPlan, plan_flows
from frametally_traffic.counting.flow_publication import publish_flows

_ATTEMPTS = 8


def aggregate_flows(
    *,
    settings: Settings,
    store: ObjectStore,
    progress: Progress,
    runner: str,
    selection: DaySelection,
    manifests: ManifestReader,
) -> StepReport:
    """Count every day whose paths, or what is drawn over its sources, are not those of its run of flows.

    The same paths and drawings give the same files, byte for byte, on every runner.

    Args:
        settings: Those of the deployment.
        store: Where all lies.
        progress: Told of days.
        runner: As `engine.run_job` takes it.
        selection: Days to look at.
        manifests: Of the store.

    Raises:
        Retryable: As `driver.aggregate`.
        Misconfigured: Likewise.
    """
    work = _Flows(settings, store, progress, runner, selection, manifests)
    for _ in range(_ATTEMPTS):
        if work.attempt():
            return work.report()
    raise Retryable(
        f"other aggregations published first {_ATTEMPTS} times in a row; run `frametally aggregate` again"
    )


class _Flows:
    """Attempts until every day is up to date, and what came of them."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        progress: Progress,
        runner: str,
        selection: DaySelection,
        manifests: ManifestReader,
    ) -> None:
        self._settings = settings
        self._store = store
        self._progress = progress
        self._runner = runner
        self._cluster = cluster_of(settings)
        self._selection = selection
        self._manifests = manifests
        self._links_ended = False
        self._unusable: set[str] = set()
        self._published: dict[DayKey, Run] = {}
        self._up_to_date: set[DayKey] = set()
        self._skipped: dict[str, Skipped] = {}
        self._without_foot_points: list[Run] = []

    def attempt(self) -> bool:
        """Plan, count and publish; False if something has changed meanwhile, so that it has to plan again."""
        plan = plan_flows(
            self._store,
            interval_s=self._settings.interval_s,
            manifests=self._manifests,
            selection=self._selection,
            unusable=self._unusable,
        )
        self._up_to_date |= {day.key for day in plan.up_to_date}
        self._without_foot_points = plan.without_foot_points
        self._skip(plan.skipped)
        if not plan.stale:
            return True
        failpoints.passing("flows.planned")
        self._progress.update(0, len(plan.stale), f"lines and zones ({self._runner})")
        with workspace(self._settings.data_dir) as temporary:
            try:
                counted = count_days(
                    store=self._store,
                    days=plan.stale,
                    recount=self._selection.recount,
                    settings=self._settings,
                    runner=self._runner,
                    cluster=self._cluster,
                    temporary=temporary,
                )
            except LinkEnded:
                if self._links_ended:
                    raise
                self._links_ended = True  # the next plan has new links; if they end, too, their time is short
                return False
            except (Retryable, ObjectMissing):
                if not self._set_aside_missing(plan):
                    raise
                return False
            failpoints.passing("flows.counted")
            return self._publish(plan, counted)

    def report(self) -> StepReport:
        """Sum up what came of all attempts."""
        return StepReport(
            name="lines and zones",
            runs=[self._published[day] for day in sorted(self._published)],
            days_up_to_date=len(self._up_to_date - self._published.keys()),
            skipped=[self._skipped[name] for name in sorted(self._skipped)],
            warnings=_no_foot_points(self._without_foot_points),
        )

    def _publish(self, plan: FlowPlan, counted: CountedFlows) -> bool:
        won_all = True
        for done, day in enumerate(plan.stale):
            self._progress.update(done, len(plan.stale), f"publishing {day.key.day}")
            reasons = [counted.failed.get((day.key, one.source)) for one in day.inputs]
            failed = [f"{reason}; {_remedy(day.base)}" for reason in reasons if reason]
            try:
                run = None if failed else publish_flows(self._store, day, counted.of_day(day.key))
            except Poison as error:
                failed = [str(error)]
            if failed:
                self._skip([Skipped(f"lines and zones, {day.base.model}, {day.key.day}", failed[0])])
                continue
            if run is None:
                won_all = False
                continue
            failpoints.passing("flows.published")
            self._published[day.key] = run
        # Whoever was faster has counted anew, too.
        self._selection = self._selection._replace(recount=False)
        self._progress.update(len(plan.stale), len(plan.stale), "published")
        return won_all

    def _set_aside_missing(self, plan: FlowPlan) -> bool:
        """Set aside the files of paths that are gone; return whether there are some."""
        missing = {
            key: day.base
            for day in plan.stale
            for key in sorted(day.files - self._unusable)
            if self._store.head(key) is None
        }
        self._skip([Skipped(key, f"missing; {_remedy(base)}") for key, base in missing.items()])
        self._unusable |= missing.keys()
        return bool(missing)

    def _skip(self, skipped: list[Skipped]) -> None:
        self._skipped.update({item.name: item for item in skipped})


def _remedy(run: Run) -> str:
    """Return what to do where the paths of a run's day, or of a day beside it, cannot be read."""
    start_ms = keys.day_start_ms(run.day)
    first, end = keys.utc_day(start_ms - DAY_MS), keys.utc_day(start_ms + 2 * DAY_MS)
    return (
        "what was counted at lines and zones before stays; restore it, or run `frametally aggregate --all "
        f"--interval {run.interval_s} --from {first} --to {end}`, which counts these days anew"
    )


def _no_foot_points(runs: Sequence[Run]) -> list[str]:
    if not runs:
        return []
    return [
        f"{len(runs)} days, such as {runs[0].day} ({runs[0].model}), were counted by an earlier release, "
        "whose tracks have no foot points: nothing is counted there at lines and zones"
    ]
