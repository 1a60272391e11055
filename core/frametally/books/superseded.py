"""Removes the files of superseded runs, which accumulate as each round of counting publishes its days again.

A run is removed only when nothing can need it any more:

- the next run is an hour old, so readers of this one have finished; or there are ten newer superseded runs,
  and a reader of this one gets an error that says to try again;
- the count index has another run: the proof of objects reads the tracks of the index's run;
- it is not the run before the current one, which is the fallback if the current pointer is damaged.

Hour files that no run lists any more are removed too if they are an hour old: a running round may be about to
list newer ones. They are removed first and pointers last, so the next removal finishes an interrupted one.

Of erased days, only current runs stay, and what they list.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from frametally import keys
from frametally.books.runs import DayKey, current_days, find_hours
from frametally.errors import Poison
from frametally.history_records import hours_key
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.records import Run
from frametally.rules.times import HOUR_MS

KEPT_MS = HOUR_MS
"""How long a run stays after the next one was published, by the store's clock."""
MOST_KEPT = 10
"""Most superseded runs of a day to keep within that time: counting every 5 s makes hundreds an hour."""


class Removed(NamedTuple):
    """How many runs were removed, and the bytes of their objects."""

    runs: int
    size_bytes: int


def remove_superseded(
    store: ObjectStore,
    indexed: Iterable[Run],
    now_ms: int | None = None,
    *,
    erased_days: Container[str] = (),
) -> Removed:
    """Remove superseded runs: part files, hour files, quality reports and pointers.

    Files of publications that never got a pointer are removed with them. `indexed` are the current runs of
    the count index. Objects dated after `now_ms`, by default this machine's time, do not make a run older.
    Of `erased_days` (UTC), all runs but the current ones are removed at once; nobody may count meanwhile.

    Raises:
        Misconfigured: This user has no permission to remove them.
        Retryable: The store is unavailable.
    """
    kept_prefixes, kept_pointers = set[str](), set[str]()
    for run in indexed:
        kept_prefixes.add(run.prefix)
        kept_pointers.add(run.key)
    current = current_days(store) if erased_days else {}
    damaged_days = {day.day for day, of_day in current.items() if of_day.run is None}
    kept_prefixes |= {day.run.prefix for day in current.values() if day.run is not None}
    kept_pointers |= {day.pointer for day in current.values()}

    def is_erased(day: str) -> bool:
        return day in erased_days and day not in damaged_days

    listed = list(store.list(keys.OUTPUT))
    now_ms = round(time.time() * 1000) if now_ms is None else now_ms
    now_ms = min(now_ms, max((info.modified_at_ms for info in listed), default=0))
    first_kept = _first_kept(listed, now_ms)
    old_objects: defaultdict[str, list[ObjectInfo]] = defaultdict(list)
    old_pointers = []
    for info in listed:
        if (run_object := keys.parse_run_object_key(info.key)) is not None:
            day = DayKey(run_object.model, run_object.interval_s, run_object.day)
            is_old = run_object.sequence < first_kept.get(day, 0) or is_erased(day.day)
            if is_old and run_object.prefix not in kept_prefixes:
                old_objects[run_object.prefix].append(info)
        elif (pointer := keys.parse_run_pointer_key(info.key)) is not None:
            day = DayKey(pointer.model, pointer.interval_s, pointer.day)
            is_old = pointer.sequence < first_kept.get(day, 0) or is_erased(day.day)
            if is_old and info.key not in kept_pointers:
                old_pointers.append(info)
    size_bytes = 0
    for info in _unlisted(store, listed, old_objects.keys(), now_ms - KEPT_MS, is_erased):
        store.delete(info.key, durable=False)
        size_bytes += info.size_bytes
    for prefix in sorted(old_objects):
        for info in [*store.list(keys.tracks_folder(prefix)), *old_objects[prefix]]:
            store.delete(info.key, durable=False)
            size_bytes += info.size_bytes
    for info in old_pointers:
        store.delete(info.key, durable=False)
    store.sync()
    return Removed(len(old_objects), size_bytes)


def _unlisted(
    store: ObjectStore,
    listed: Iterable[ObjectInfo],
    old_prefixes: Container[str],
    before_ms: int,
    is_erased: Callable[[str], bool],
) -> Iterator[ObjectInfo]:
    """Yield hour files of days with old runs that no other run lists and that were put before a time.

    Of erased days, yield them whenever they were put.

    If a list cannot be read, keep all hour files of its day.
    """
    old_days: set[tuple[str, str]] = set()
    lists: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for info in listed:
        if (run_object := keys.parse_run_object_key(info.key)) is None:
            continue
        day = run_object.model, run_object.day
        if is_erased(run_object.day):
            old_days.add(day)
        if run_object.prefix in old_prefixes:
            old_days.add(day)
        elif info.key == hours_key(run_object.prefix):
            lists[day].append(info.key)
    for day in sorted(old_days):
        files = [
            info
            for info in store.list(keys.hours_folder(*day))
            if info.modified_at_ms < before_ms or is_erased(day[1])
        ]
        try:
            listed_keys = (
                {key for list_key in lists[day] for key in _files_of(store, list_key)} if files else set()
            )
        except Poison:
            continue
        yield from (info for info in files if info.key not in listed_keys)


def _files_of(store: ObjectStore, list_key: str) -> Iterator[str]:
    hours = find_hours(store, list_key)
    if hours is not None:
        yield from (hours.file_key(source, hour) for source in hours.hours for hour in hours.files(source))


def _first_kept(listed: Iterable[ObjectInfo], now_ms: int) -> dict[DayKey, int]:
    """Return the sequence of the first run to keep, for each day with runs to remove."""
    pointers: defaultdict[DayKey, list[tuple[int, str, int]]] = defaultdict(list)
    for info in listed:
        if (pointer := keys.parse_run_pointer_key(info.key)) is not None:
            day = DayKey(pointer.model, pointer.interval_s, pointer.day)
            pointers[day].append((pointer.sequence, pointer.params, info.modified_at_ms))
    first_kept = {}
    for day, of_day in pointers.items():
        *earlier, _ = sorted(of_day)
        for _, (sequence, _, put_at_ms) in pairwise(earlier):
            if 0 < put_at_ms <= now_ms - KEPT_MS:
                first_kept[day] = sequence
        if len(earlier) > MOST_KEPT:
            first_kept[day] = max(first_kept.get(day, 0), earlier[-MOST_KEPT][0])
    return first_kept
