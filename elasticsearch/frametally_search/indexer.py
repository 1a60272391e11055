"""`frametally index`: loads part files from the object store into the count index, run by run."""

from __future__ import annotations

from dataclasses import dataclass

from frametally.books.index_check import check_index, day_of, not_in_store
from frametally.books.runs import RunReplaced, current_days, newest_last, read_run
from frametally.errors import Poison
from frametally.ports.count_index import REPAIR, CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.process.meters import METERS
from frametally.process.reports import Progress, Skipped
from frametally.records import Run
from frametally.telemetry.lineage import LineageRun, dataset


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """The result of an indexing.

    Attributes:
        published: Runs that readers of the index see now and did not before.
        documents: Counts and coverage records in the published runs.
        skipped: Runs that cannot be read, and those that only the index has; it keeps what it had then.
    """

    published: list[Run]
    unchanged: int
    documents: int
    skipped: list[Skipped]


def index_runs(
    *, store: ObjectStore, index: CountIndex, progress: Progress, lineage: LineageRun | None = None
) -> IndexReport:
    """Publish every current run that the index lacks; doing so again changes nothing.

    A run is published whole or not at all: all its part files are read and checked before. `lineage` gets
    what was published, and nothing if nothing was.

    Raises `Retryable`.
    """
    indexed = {day_of(run): run for run in index.current_runs()}
    days = current_days(store)
    published: list[Run] = []
    beyond = {
        day_of(run): run
        for run in not_in_store(indexed.values(), {key: day.run for key, day in days.items()})
    }
    skipped = [
        Skipped(run.prefix, f"the index has it, but the store does not; run `{REPAIR}`")
        for run in beyond.values()
    ]
    moved: set[tuple[str, str]] = set()
    unchanged = documents = 0
    for done, (key, day) in enumerate(sorted(days.items(), key=newest_last)):
        progress.update(done, len(days), key.day)
        run = day.run
        if run is None:
            skipped.append(Skipped(day.pointer, day.problem or "not a run"))
            continue
        if key in beyond:
            continue
        is_known = indexed.get(key) == run
        if is_known and (key.model, key.day) not in moved:
            unchanged += 1
            continue
        if lineage is not None:
            lineage.reads([dataset(store.url, run.prefix)])
        try:
            counts, coverage = read_run(store, run)
            if is_known:  # an older run of the day went in behind it, and would seem to be the newest
                index.remove(run)
            moved.add((key.model, key.day))
            with METERS.timed("index"):
                news = index.publish(run, counts, coverage)
        except RunReplaced:
            continue  # the next round has the newer run
        except Poison as error:
            skipped.append(Skipped(run.prefix, str(error)))
            continue
        if news:
            published.append(run)
            if lineage is not None:
                lineage.makes([dataset(index.url, run.model)])
            documents += len(counts) + len(coverage)
        else:
            unchanged += 1
    progress.update(len(days), len(days), "indexed")
    return IndexReport(published=published, unchanged=unchanged, documents=documents, skipped=skipped)


def repair_index(*, store: ObjectStore, index: CountIndex, progress: Progress) -> list[str]:
    """Remove entries from the index that are damaged, differ from the store, or are not in the store.

    `index_runs` then writes again what the store has. A day whose run cannot be read in the store stays.

    Returns what was taken out, a line each. Raises `Retryable`.
    """
    removed = index.remove_damaged()
    for difference in check_index(store, index, progress).differences:
        index.remove(difference.run)
        removed.append(str(difference))
    return removed
