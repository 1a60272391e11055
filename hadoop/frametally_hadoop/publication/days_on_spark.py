"""The counting job on Spark: tasks read the store, count and publish, and return only outcomes.

One task per split of segments groups their lines, one per source and UTC day counts them, and one per day
publishes it. The job carries no links: each task opens the store with its own environment's settings.
"""

from __future__ import annotations

import json
import pickle
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from frametally import keys
from frametally.books.runs import DayKey
from frametally.errors import Poison
from frametally.files.temporary import temporary_folder
from frametally.ports.object_store import ObjectStore
from frametally.rules.places import base_model, source_of
from frametally.settings.loading import Settings
from frametally_hadoop.job.map_reduce import FrameGroups, reduce_group
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.reading import ENTRY_SEPARATOR
from frametally_hadoop.planning.plan import CountingPlan, DayPlan
from frametally_hadoop.publication.publish import DayOutcome
from frametally_hadoop.publication.quality_checks import Surroundings
from frametally_hadoop.running.outcome import Outcome, manifest_splits
from frametally_hadoop.running.spark import Row, collect, fetch_from, places, spark_job

Publish = Callable[[ObjectStore, DayPlan, Outcome, Callable[[], Surroundings]], DayOutcome]

_PLAN, _LINES = b"", b"lines"
"""The keys of the rows for a publishing task; plans come first."""
_LINES_BYTES = 2**20
"""The size of the lines that travel as one row."""


def count_on_spark(
    settings: Settings,
    store: ObjectStore,
    plan: CountingPlan,
    publish: Publish,
    look_around: Callable[[ObjectStore], Surroundings],
) -> list[DayOutcome]:
    """Count the stale days of `plan`, and publish each in a task with `publish`; return the outcomes.

    Raises a task's error (`Retryable`, `Poison`, `Misconfigured`) with its own line; `Misconfigured` if Spark
    cannot be started.
    """
    params = plan.params
    splits = [ENTRY_SEPARATOR.join(split).encode() for split in manifest_splits(plan, str)]
    parts = sorted({(key, source) for key, source in _source_days(plan.stale)})
    part_places = dict(zip(parts, places(len(parts)), strict=True))
    days = [day.key for day in plan.stale]
    day_places = dict(zip(days, places(len(days)), strict=True))
    with spark_job(settings, store.url) as job:
        groups = job.run(partial(_map_splits, params, part_places), job.spread(splits), len(splits))
        lines = job.run(partial(_count_groups, params, day_places), groups, len(parts))
        plans = job.frame((day_places[day.key], _PLAN, pickle.dumps(_plain(day))) for day in plan.stale)
        publishing = partial(_publish_days, params, publish, look_around)
        outcomes = job.run(publishing, lines.union(plans), len(days))
        return [pickle.loads(outcome) for *_, outcome in collect(outcomes)]  # noqa: S301 - of our own tasks


def _plain(day: DayPlan) -> DayPlan:
    """Return the same plan in picklable types."""
    return day._replace(zones=dict(day.zones), unchanged=dict(day.unchanged))


def _source_days(days: Iterable[DayPlan]) -> Iterator[tuple[DayKey, str]]:
    for day in days:
        for hour in day.hours.segments_by_hour():
            if hour not in day.unchanged:
                yield day.key, source_of(hour[0])


def _map_splits(
    params: CountParams,
    part_places: Mapping[tuple[DayKey, str], int],
    store: ObjectStore,
    splits: Iterator[Row],
) -> Iterator[Row]:
    """Yield the groups of splits, each with the place that counts it, or the first if it has no source."""
    first_place = min(part_places.values(), default=0)

    def pairs() -> Iterator[tuple[bytes, bytes]]:
        groups = FrameGroups(params, _ignore, fetch=fetch_from(store))
        for _, _, manifest_line in splits:
            yield from groups.add(manifest_line.decode())
        yield from groups.drain()

    for key, value in pairs():
        kind, *where = json.loads(key)
        place = first_place
        if kind not in ("corrupt", "lines"):
            model, source, start_ms = where[:3]
            day = DayKey(model, params.interval_s, keys.utc_day(start_ms))
            place = part_places.get((day, source), first_place)
        yield place, key, value


def _count_groups(
    params: CountParams, day_places: Mapping[DayKey, int], store: ObjectStore, groups: Iterator[Row]
) -> Iterator[Row]:
    """Yield the lines of the job's output, many in a row, each with the place that publishes its day."""
    del store
    held: defaultdict[int, list[bytes]] = defaultdict(list)
    held_bytes = 0
    for group_key, group in groupby(groups, key=itemgetter(1)):
        kind, model, *_ = json.loads(group_key)
        for key, value in reduce_group(group_key, (value for *_, value in group), params, _ignore):
            line = key + b"\t" + value + b"\n"
            if kind == "corrupt":  # any of the days may use that segment
                to_places = set(day_places.values())
            else:
                day = DayKey(base_model(model), params.interval_s, keys.utc_day(json.loads(key)[-1]))
                to_places = {day_places[day]} if day in day_places else set()
            for place in to_places:
                held[place].append(line)
                held_bytes += len(line)
            if held_bytes >= _LINES_BYTES:
                yield from _joined(held)
                held.clear()
                held_bytes = 0
    yield from _joined(held)


def _joined(lines: Mapping[int, list[bytes]]) -> Iterator[Row]:
    return ((place, _LINES, b"".join(of_place)) for place, of_place in lines.items())


def _publish_days(
    params: CountParams,
    publish: Publish,
    look_around: Callable[[ObjectStore], Surroundings],
    store: ObjectStore,
    rows: Iterator[Row],
) -> Iterator[Row]:
    """Publish the days of a place from their lines, after their plans; yield the outcomes."""
    with temporary_folder() as folder:
        outcome = Outcome.within(Path(folder))
        plans: list[DayPlan] = []
        place = 0
        for place, key, value in rows:  # noqa: B007 - the rows of a task may be of several days
            if key == _PLAN:
                plans.append(pickle.loads(value))  # noqa: S301 - of our own driver
            else:
                for line in value.splitlines(keepends=True):
                    outcome.add(line, params.interval_s)
        for day in plans:
            try:
                outcome.keep(store, day)
            except Poison as error:
                done = DayOutcome(day.key, not_kept=str(error))
            else:
                done = publish(store, day, outcome, partial(look_around, store))
            yield place, day.key.day.encode(), pickle.dumps(done)


def _ignore(*_: object) -> None:
    """Ignore counters: the report has the sums."""
