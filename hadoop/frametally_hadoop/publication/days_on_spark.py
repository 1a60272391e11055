"""The counting job on Spark: tasks read the store, count and publish, and return only outcomes.

One task per split of segments groups their lines, one per source and UTC day counts them, and one per day
publishes it. No link travels in the job: each task opens the store by the settings of its own environment.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from frametally import keys
from frametally.books.runs import DayKey
from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_hadoop.job.map_reduce import FrameGroups, reduce_group
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.plan import CountingPlan, DayPlan
from frametally_hadoop.planning.surroundings import Surroundings
from frametally_hadoop.publication.publish import DayOutcome
from frametally_hadoop.running.outcome import Outcome, manifest_splits
from frametally_hadoop.running.spark import collect, fetch_from, run_task, spark_context

Publish = Callable[[ObjectStore, DayPlan, Outcome, Callable[[], Surroundings]], DayOutcome]


def count_on_spark(
    settings: Settings,
    store: ObjectStore,
    plan: CountingPlan,
    publish: Publish,
    look_around: Callable[[ObjectStore], Surroundings],
) -> list[DayOutcome]:
    """Count the stale days of `plan`, and publish each in a task by `publish`; return the outcomes.

    Raises what a task raised (`Retryable`, `Poison`, `Misconfigured`) with its own line; `Misconfigured` if
    Spark cannot be started.
    """
    params, url = plan.params, store.url
    day_numbers = {day.key: number for number, day in enumerate(plan.stale)}
    parts = sorted({(key, source) for key, source in _source_days(plan.stale)})
    part_numbers = {part: number for number, part in enumerate(parts)}
    splits = manifest_splits(plan, str)
    with spark_context(settings) as context:
        counted = (
            context.parallelize(splits, max(len(splits), 1))
            .mapPartitions(partial(run_task, url, partial(_map_splits, params)))
            .repartitionAndSortWithinPartitions(
                max(len(parts), 1), partial(_part_of, part_numbers, params.interval_s)
            )
            .mapPartitions(partial(run_task, url, partial(_count_part, params, day_numbers)))
        )
        days = context.parallelize([(number, _plain(day)) for number, day in enumerate(plan.stale)])
        return collect(
            counted.union(days)
            .partitionBy(len(plan.stale), int)
            .mapPartitions(partial(run_task, url, partial(_publish_days, params, publish, look_around)))
        )


def _plain(day: DayPlan) -> DayPlan:
    """Return the same plan of what pickle takes."""
    return day._replace(notes=list(day.notes), zones=dict(day.zones), unchanged=dict(day.unchanged))


def _source_days(days: Iterable[DayPlan]) -> Iterator[tuple[DayKey, str]]:
    for day in days:
        for hour in day.hours.spans_by_hour():
            if hour not in day.unchanged:
                yield day.key, hour[0]


def _map_splits(
    params: CountParams, store: ObjectStore, splits: Iterator[list[str]]
) -> Iterator[tuple[bytes, bytes]]:
    groups = FrameGroups(params, _ignore, fetch=fetch_from(store))
    for split in splits:
        for entry in split:
            yield from groups.add(entry)
    yield from groups.drain()


def _part_of(parts: dict[tuple[DayKey, str], int], interval_s: int, key: bytes) -> int:
    """Return the number of the task that counts a group; what is of no source goes to the first."""
    kind, *where = json.loads(key)
    if kind in ("corrupt", "lines"):
        return 0
    model, source, start_ms = where[:3]
    return parts.get((DayKey(model, interval_s, keys.utc_day(start_ms)), source), 0)


def _count_part(
    params: CountParams,
    day_numbers: dict[DayKey, int],
    store: ObjectStore,
    pairs: Iterator[tuple[bytes, bytes]],
) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of the job's output, each with the number of its day."""
    del store
    for group_key, group in groupby(pairs, key=itemgetter(0)):
        kind, model, *_ = json.loads(group_key)
        for key, value in reduce_group(group_key, (value for _, value in group), params, _ignore):
            line = key + b"\t" + value + b"\n"
            if kind == "corrupt":  # of a segment that any of the days may be counted from
                yield from ((number, line) for number in day_numbers.values())
                continue
            day = DayKey(model, params.interval_s, keys.utc_day(json.loads(key)[-1]))
            if day in day_numbers:
                yield day_numbers[day], line


def _publish_days(
    params: CountParams,
    publish: Publish,
    look_around: Callable[[ObjectStore], Surroundings],
    store: ObjectStore,
    pairs: Iterator[tuple[int, bytes | DayPlan]],
) -> Iterator[DayOutcome]:
    """Publish the one day of a partition from its lines, among which its plan comes, too."""
    with tempfile.TemporaryDirectory(prefix="frametally-count-") as folder:
        outcome = Outcome.within(Path(folder))
        plans: list[DayPlan] = []
        for _, item in pairs:
            if isinstance(item, bytes):
                outcome.add(item, params.interval_s)
            else:
                plans.append(item)
        for day in plans:
            try:
                outcome.keep(store, day)
            except Poison as error:
                yield DayOutcome(day.key, not_kept=str(error))
            else:
                yield publish(store, day, outcome, partial(look_around, store))


def _ignore(*_: object) -> None:
    """Count for nobody: the report has the sums."""
