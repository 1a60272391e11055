"""Finds where the index differs from the store: days to index, days to count again, unknown runs."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from frametally import keys
from frametally.books.counted_days import outdated
from frametally.books.index_check import day_of, not_in_store
from frametally.books.verdict import broken, work_left
from frametally.checkup.findings import Finding
from frametally.media.manifests import touches
from frametally.ports.count_index import REPAIR, CountIndex
from frametally.ports.ledger import CountedRun
from frametally.ports.picture_places import PicturePlaces, picture_places
from frametally.process.reports import plural
from frametally.records import Run
from frametally.rules.counted_boxes import COUNTING_VERSION
from frametally.rules.current_run import is_newer
from frametally.rules.places import FLOWS, is_of_places, series_of
from frametally.rules.times import DAY_MS
from frametally.undo_records import Tombstone

_MOST_DAYS = 31


def runs_to_index(indexed: Iterable[Run], stored_runs: Iterable[Run]) -> list[Run]:
    """Return the runs of the store that the index lacks."""
    indexed_by_day = {day_of(run): run for run in indexed}
    return [run for run in stored_runs if is_newer(run, indexed_by_day.get(day_of(run)))]


def runs_to_count(
    index: CountIndex, model: str, indexed: Sequence[Run], stored_runs: Iterable[Run]
) -> list[Run]:
    """Return the runs of a model that no query reads because their footage has changed (see `outdated`).

    Runs of days that have been counted again but not indexed yet are not included.
    """
    unread = {(day.base_interval_s, day.day_ms) for day in outdated(index.counted_days(model))}
    indexed_by_day = {day_of(run): run for run in indexed}
    return [
        run
        for run in stored_runs
        if run.model == model
        and (run.interval_s, keys.day_start_ms(run.day)) in unread
        and indexed_by_day.get(day_of(run)) == run
    ]


def mark_of(stone: Tombstone) -> int:
    """Return the value by which a run notes a tombstone; see `Run.tombstones_crc32`."""
    return zlib.crc32(keys.tombstone_key(stone.media, stone.from_ms, stone.to_ms).encode())


def runs_before_undo(runs: Iterable[CountedRun], stones: Iterable[Tombstone]) -> list[Run]:
    """Return the runs of days whose frames were forgotten or moved after they were counted.

    A medium moved within the same day does not change the number of frames, so only tombstones show it.
    """
    of_source: defaultdict[str, list[Tombstone]] = defaultdict(list)
    for stone in stones:
        of_source[stone.source].append(stone)
    outdated = []
    for run, frames in runs:
        tombstones_crc32, start_ms = run.tombstones_crc32, keys.day_start_ms(run.day)
        if tombstones_crc32 is not None and any(
            touches(stone, source=source, from_ms=start_ms, to_ms=start_ms + DAY_MS)
            and mark_of(stone) not in tombstones_crc32
            for source in frames.keys() & of_source.keys()
            for stone in of_source[source]
        ):
            outdated.append(run)
    return outdated


def to_count_again(runs: Iterable[Run]) -> list[Finding]:
    """Return each interval that has runs to count again, with the commands."""
    days: defaultdict[int, list[str]] = defaultdict(list)
    for run in runs:
        days[run.interval_s].append(run.day)
    return [
        work_left(
            f"{interval_s} s",
            f"{plural(len(utc_days), 'day')}, such as {utc_days[0]}, "
            f"{'was' if len(utc_days) == 1 else 'were'} counted before the footage changed",
            f"run `frametally aggregate --interval {interval_s} --from {min(utc_days)} --to "
            f"{keys.utc_day(keys.day_start_ms(max(utc_days)) + DAY_MS)}`, then `frametally index`",
        )
        for interval_s, utc_days in sorted(days.items())
    ]


def of_earlier_version(runs: Iterable[Run]) -> list[Run]:
    """Return the runs of an earlier version, which a new count may change."""
    return [run for run in runs if _is_of_earlier_version(run)]


def _is_of_earlier_version(run: Run) -> bool:
    """Return whether the rules have changed since the run."""
    places = places_counted(run)
    if places is not None:
        return places.is_outdated(run)
    return not is_of_places(run.model) and int(run.settings.get("counting_version", 0)) < COUNTING_VERSION


def of_earlier_rules(runs: Iterable[Run]) -> list[Finding]:
    """Return each interval with days that an earlier version counted."""
    days: defaultdict[int, set[str]] = defaultdict(set)
    for run in of_earlier_version(runs):
        days[run.interval_s].add(run.day)
    return [
        work_left(
            "",
            f"{plural(len(utc_days), 'day was', 'days were')} counted with an earlier version's rules",
            f"`frametally aggregate --interval {interval_s}` counts them again, and their numbers may "
            "change: "
            + ", ".join(sorted(utc_days)[:_MOST_DAYS])
            + f" and {len(utc_days) - _MOST_DAYS} more" * (len(utc_days) > _MOST_DAYS),
        )
        for interval_s, utc_days in sorted(days.items())
    ]


def beyond_store(indexed: Iterable[Run], stored_runs: Iterable[Run]) -> list[Finding]:
    """Return the runs that only the index has, for example after an older backup was restored."""
    beyond = not_in_store(indexed, {day_of(run): run for run in stored_runs})
    if not beyond:
        return []
    first = beyond[0]
    return [
        broken(
            "",
            f"the index has {plural(len(beyond), 'run')} that the store does not have, such as the run of "
            f"{first.day} ({first.model}, {first.interval_s} s)",
            f"run `{REPAIR}`",
        )
    ]


def places_counted(run: Run) -> PicturePlaces | None:
    """Return the places of a run of crossings and visits; None for any other run."""
    return picture_places() if series_of(run.model) == FLOWS else None
