"""`frametally aggregate --dry-run`: shows what an aggregation would do."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from frametally.media.manifests import ManifestReader
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import NOT_JSON
from frametally.settings.loading import Settings
from frametally_hadoop.driver import MOST_PACES, PACES, Aggregated, settings_params
from frametally_hadoop.planning.hours import LedgerReplaced, SegmentBook
from frametally_hadoop.planning.plan import (
    ALL_DAYS,
    DaySelection,
    DayToCount,
    counting_steps,
    make_plan,
)


class DryRun(NamedTuple):
    """The planned work.

    Attributes:
        days: Days that would be counted now, sorted, those of plug-ins' steps last; a segment may belong to
            several days.
        estimated_s: Estimated seconds; None if there is no earlier aggregation to estimate from.
        estimated_from: Number of earlier aggregations that the estimate uses.
    """

    days: list[DayToCount]
    segments: int
    bytes: int
    days_up_to_date: int
    estimated_s: float | None
    estimated_from: int
    skipped: list[Skipped]
    warnings: list[str]


def dry_run(
    *, settings: Settings, store: ObjectStore, progress: Progress, selection: DaySelection = ALL_DAYS
) -> DryRun:
    """Plan without counting anything. Raises `Retryable`."""
    manifests = ManifestReader(store, settings.data_dir)
    with closing(SegmentBook(settings.ledger_url, settings.ledger_access)) as book:
        plan = None
        while plan is None:
            with suppress(LedgerReplaced):
                plan = make_plan(
                    store=store,
                    params=settings_params(settings),
                    book=book,
                    manifests=manifests,
                    progress=progress,
                    selection=selection,
                )
        segments = {day.key: day.segments.sizes() for day in plan.stale}
    steps = [
        step.days_to_count(
            store=store, interval_s=plan.params.interval_s, manifests=manifests, selection=selection
        )
        for step in counting_steps()
    ]
    size_bytes = sum(plan.size_of[key] for key in plan.reads)
    earlier = read_pace(settings.data_dir, settings.runner)
    return DryRun(
        days=[
            DayToCount(
                *day.key,
                segments=len(segments[day.key]),
                bytes=sum(segments[day.key].values()),
                inputs=day.inputs_sha256()[:16],
                state=day.state_sha256()[:16],
            )
            for day in plan.stale
        ]
        + [day for days, _ in steps for day in days],
        segments=len(plan.reads),
        bytes=size_bytes,
        days_up_to_date=len(plan.up_to_date),
        estimated_s=estimate_s(earlier, size_bytes) if plan.stale else 0.0,
        estimated_from=len(earlier),
        skipped=plan.skipped + [item for _, skipped in steps for item in skipped],
        warnings=book.warnings,
    )


_LOOK_BACK = 5


def read_pace(data_dir: Path, runner: str) -> list[Aggregated]:
    """Return the last few aggregations with this runner, the newest last."""
    try:
        lines = (data_dir / PACES).read_bytes().splitlines()[-MOST_PACES:]
    except OSError:
        return []
    aggregated = []
    for line in lines:
        try:
            done = msgspec.json.decode(line, type=Aggregated)
        except NOT_JSON:
            continue  # an incomplete line left by a process that was killed
        if done.runner == runner and done.bytes > 0:
            aggregated.append(done)
    return aggregated[-_LOOK_BACK:]


def estimate_s(earlier: Sequence[Aggregated], size_bytes: int) -> float | None:
    """Estimate the seconds of counting `size_bytes`; None if there are no earlier aggregations.

    Uses the median rate of earlier aggregations of at least a tenth of the size, or else of the largest one:
    start-up costs make the rate of small aggregations too low.
    """
    if not earlier:
        return None
    largest = max(earlier, key=lambda run: run.bytes)
    like = [run for run in earlier if run.bytes * 10 >= size_bytes] or [largest]
    least_s = min(run.seconds for run in earlier)
    return max(least_s, size_bytes * statistics.median(run.seconds / run.bytes for run in like))
