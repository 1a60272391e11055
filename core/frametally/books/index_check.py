"""Compares the count index with the store that it was built from, and lists the days that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from frametally.books.runs import DayKey, RunReplaced, current_days, read_run
from frametally.errors import Poison
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import Run
from frametally.rules.current_run import is_newer
from frametally.rules.places import ZONES, series_model


class DifferingDay(NamedTuple):
    """A day of the index that differs from the store: `run` is the index's run, `difference` the reason."""

    run: Run
    difference: str

    def __str__(self) -> str:
        return f"index, {self.run.day} ({self.run.model}, {self.run.interval_s} s): {self.difference}"


class IndexCheck(NamedTuple):
    """The result of a comparison.

    Attributes:
        days: Days that were compared bar by bar.
        differences: Days that differ, and days that the store does not have.
        skipped: Runs that cannot be read in the store.
    """

    days: int
    differences: list[DifferingDay]
    skipped: list[Skipped]


def check_index(store: ObjectStore, index: CountIndex, progress: Progress) -> IndexCheck:
    """Compare each day of the index with the part files of its run in the store.

    A day that has yet to be indexed does not differ.

    Raises:
        IndexDamaged: The entry of a run cannot be read.
        Retryable: The store or the index is unavailable.
    """
    indexed = index.current_runs()  # first, so that runs published meanwhile are in the store
    stored_runs = {key: day.run for key, day in current_days(store).items()}
    differences = [
        DifferingDay(run, "the store does not have this run") for run in not_in_store(indexed, stored_runs)
    ]
    skipped: list[Skipped] = []
    days = 0
    runs = [run for run in indexed if stored_runs.get(day_of(run)) == run]
    for number, run in enumerate(runs):
        progress.update(number, len(runs), run.day)
        try:
            sources = index.differing_sources(run, *read_run(store, run))
        except RunReplaced:
            continue
        except Poison as error:
            skipped.append(Skipped(run.prefix, str(error)))
            continue
        days += 1
        if sources:
            differences.append(DifferingDay(run, f"{', '.join(sources)}: differs from the part files"))
    progress.update(len(runs), len(runs), "compared")
    return IndexCheck(days, differences, skipped)


def not_in_store(indexed: Iterable[Run], stored_runs: Mapping[DayKey, Run | None]) -> list[Run]:
    """Return runs of an index that the store lacks, for example after a change of store or an older backup.

    An index's run may be older than the store's. Days whose pointer does not parse (None) are skipped, as are
    their zones. Read `indexed` before `stored_runs`.
    """
    unread_days = {day for day, stored_run in stored_runs.items() if stored_run is None}
    unread_days |= {day._replace(model=series_model(day.model, ZONES)) for day in unread_days}
    return [
        run
        for run in indexed
        if (day := day_of(run)) not in unread_days
        and ((current := stored_runs.get(day)) is None or (current != run and not is_newer(current, run)))
    ]


def day_of(run: Run) -> DayKey:
    """Return the day, model and interval of the run."""
    return DayKey(run.model, run.interval_s, run.day)
