"""Loads the store's part files of each indexed run into the gold tables."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from frametally import keys
from frametally.books.counted_days import outdated_numbers
from frametally.books.run_records import check_boxes, divide
from frametally.books.runs import (
    CurrentDay,
    DayKey,
    current_days,
    find_hours,
    hour_records,
    hour_tracks,
    newest_last,
    read_hours,
    read_named_hours,
    read_run,
    read_tracks,
)
from frametally.errors import Poison
from frametally.history_records import hours_key
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import Run
from frametally.rules.hour_file import changed_names, length_ms
from frametally.rules.places import FLOWS, base_model, is_of_places, series_of, source_of
from frametally.rules.times import DAY_MS, HOUR_MS, is_day_in_range
from frametally_gold.gold_records import GoldDay, GoldLoad, HourRows, PublishedDay
from frametally_traffic.counting.published_days import read_flows

if TYPE_CHECKING:
    from frametally_gold.book import Gold


class GoldReport(NamedTuple):
    """The results of a load.

    Attributes:
        loaded: Days whose rows are new.
        unchanged: Number of days that were up to date.
        removed: Days that the store lacks, or that no query of the index reads.
        rows: Number of rows in the loaded days.
        skipped: Unreadable runs; the tables keep the old rows of their days.
    """

    loaded: list[GoldDay]
    unchanged: int
    removed: list[GoldDay]
    rows: int
    skipped: list[Skipped]


def load_gold(
    *,
    store: ObjectStore,
    gold: Gold,
    progress: Progress,
    from_ms: int | None = None,
    to_ms: int | None = None,
    verify: bool = False,
) -> GoldReport:
    """Update the days of `[from_ms, to_ms)` from the store; a second run changes nothing.

    With `verify`, read all rows, reload days whose rows were changed, and remove rows of days that were never
    loaded.

    A day is loaded completely or not at all: its files are read and checked first. Two loads may run at once.

    Raises:
        Retryable: The store or the database is not available.
        Misconfigured: This user may not write there.
    """
    loads = gold.loads()  # first: later runs are in the store by then
    days = {
        key: day
        for key, day in current_days(store).items()
        if is_day_in_range(keys.day_start_ms(key.day), from_ms, to_ms)
    }
    skipped = [Skipped(day.pointer, day.problem or "not a run") for day in days.values() if day.run is None]
    runs_by_day = read_by_queries(days)
    stray_days = [
        day
        for day, load in loads.items()
        if is_day_in_range(keys.day_start_ms(day.day), from_ms, to_ms)
        and day not in runs_by_day
        and (DayKey(*day) not in days or days[DayKey(*day)].run is not None)
        and gold.remove(day, instead_of=load.run_id)
    ]
    loaded: list[GoldDay] = []
    unchanged = rows = 0
    for number, (day, run) in enumerate(runs_by_day.items()):
        progress.update(number, len(runs_by_day), day.day)
        load = loads.get(day)
        before = load.run_id if load else None
        is_changed = load is not None and verify and bool(gold.changed_tables(day))
        if before == run.run_id and not is_changed:
            unchanged += 1
            continue
        try:
            new_hours = None if load is None or is_changed else _read_new_hours(store, run, load)
            news = gold.publish(new_hours or read_day(store, run), instead_of=before)
        except Poison as error:
            skipped.append(Skipped(run.prefix, str(error)))
            continue
        if news is None:  # another load was faster
            unchanged += 1
        else:
            loaded.append(day)
            rows += news
    if verify:
        gold.remove_strays()
    progress.update(len(runs_by_day), len(runs_by_day), "loaded")
    return GoldReport(loaded, unchanged, stray_days, rows, skipped)


def read_by_queries(days: Mapping[DayKey, CurrentDay]) -> dict[GoldDay, Run]:
    """Return the runs that queries of the index read, by day, without runs on outdated footage."""
    runs = [day.run for _, day in sorted(days.items(), key=newest_last) if day.run is not None]
    unread = outdated_numbers(enumerate(runs))
    runs_of_days = {gold_day(run): run for number, run in enumerate(runs) if number not in unread}
    by_day = attrgetter("day", "model", "interval_s")
    return {day: runs_of_days[day] for day in sorted(runs_of_days, key=by_day)}


def gold_day(run: Run) -> GoldDay:
    """Return the gold day of a run."""
    return GoldDay(run.model, run.interval_s, run.day)


def _read_new_hours(store: ObjectStore, run: Run, load: GoldLoad) -> PublishedDay | None:
    """Read the hours of a run whose names differ from those of the loaded run.

    Return None if one of the runs has no list of its hours, or if most differ. Raises the errors of
    `read_day`.
    """
    listed, loaded, file_ms = read_hours(store, run), None, length_ms(run.interval_s)
    former = keys.run_folder(base_model(run.model), load.params, run.interval_s, run.day, load.run_id)
    with suppress(Poison):
        loaded = find_hours(store, hours_key(former))
    if listed is None or loaded is None or DAY_MS % file_ms:
        return None
    of_zones = is_of_places(run.model)
    names, names_before = listed.names(of_zones=of_zones), loaded.names(of_zones=of_zones)
    new = changed_names(names, names_before.values())
    ended = changed_names(names_before, names.values())
    if 2 * len(new) > len(names):
        return None
    files = [*read_named_hours(store, run, listed, new)]
    counts, coverage = divide(record for file in files for record in hour_records(run, *file))
    check_boxes(run, counts, coverage)
    starts = {
        (source_of(name), keys.day_start_ms(run.day) + hour * HOUR_MS) for name, hour in new.keys() | ended
    }
    return PublishedDay(
        run,
        counts,
        coverage,
        tracks=() if of_zones else [track for file in files for track in hour_tracks(run, *file)],
        replaced=[HourRows(source, start_ms, start_ms + file_ms) for source, start_ms in sorted(starts)],
    )


def read_day(store: ObjectStore, run: Run) -> PublishedDay:
    """Read all records of a run.

    Raises:
        Poison: A file of the run is missing or damaged; the message names it.
    """
    counts, coverage = read_run(store, run)
    if is_of_places(run.model):
        flows = [*read_flows(store, run)] if series_of(run.model) == FLOWS else []
        return PublishedDay(run, counts, coverage, flows=flows)
    return PublishedDay(run, counts, coverage, tracks=[*read_tracks(store, run)])
