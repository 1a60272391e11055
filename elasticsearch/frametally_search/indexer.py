"""`frametally index`: loads part files from the object store into the count index, run by run."""

from __future__ import annotations

from dataclasses import dataclass

from frametally.books.index_check import check_index, day_of, not_in_store
from frametally.books.runs import RunReplaced, current_days, newest_last
from frametally.errors import Poison
from frametally.ports.count_index import REPAIR, CountIndex, PartsReplaced
from frametally.ports.object_store import ObjectStore
from frametally.process.meters import METERS
from frametally.process.reports import Progress, Skipped
from frametally.records import Run
from frametally.telemetry.lineage import LineageRun, dataset
from frametally_search.new_records import read_new_records


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """The result of a round of indexing.

    Attributes:
        published: Runs that the index has now and did not have before.
        documents: Counts and coverage records of the published runs that were new to the index.
        skipped: Runs that cannot be read, and runs that only the index has; the index keeps its data.
    """

    published: list[Run]
    unchanged: int
    documents: int
    skipped: list[Skipped]


def index_runs(
    *, store: ObjectStore, index: CountIndex, progress: Progress, lineage: LineageRun | None = None
) -> IndexReport:
    """Publish every current run that the index lacks; a second call changes nothing.

    A run is published whole or not at all: the files that the index lacks are read and checked first.
    `lineage` gets the published runs, if any.

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
            # If the index has it, an older run was published after it and would seem to be the newest.
            records = _publish(store, index, run, is_again=is_known)
            moved.add((key.model, key.day))
        except RunReplaced:
            continue  # the next round has the newer run
        except Poison as error:
            skipped.append(Skipped(run.prefix, str(error)))
            continue
        if records is not None:
            published.append(run)
            if lineage is not None:
                lineage.makes([dataset(index.url, run.model)])
            documents += records
        else:
            unchanged += 1
    progress.update(len(days), len(days), "indexed")
    return IndexReport(published=published, unchanged=unchanged, documents=documents, skipped=skipped)


def _publish(store: ObjectStore, index: CountIndex, run: Run, *, is_again: bool) -> int | None:
    """Publish a run; return the number of new records, or None if the index has this run or a later one.

    `is_again`: the run is already the index's current run of its day.
    """
    names_there = () if is_again else index.part_names(run)
    while True:
        new = read_new_records(store, run, names_there)
        if is_again:
            index.remove(run)
        try:
            with METERS.timed("index"):
                is_published = index.publish(
                    run, new.counts, new.coverage, name_of=new.name_of, kept_names=new.kept_names
                )
        except PartsReplaced:  # another indexer was faster, or the index is damaged
            if not new.kept_names:
                raise
            names_there = ()
            continue
        return len(new.counts) + len(new.coverage) if is_published else None


def repair_index(*, store: ObjectStore, index: CountIndex, progress: Progress) -> list[str]:
    """Remove entries from the index that are damaged, differ from the store, or are not in the store.

    `index_runs` then writes the store's data again. A day stays if its run in the store cannot be read.

    Returns a line for each removed entry. Raises `Retryable`.
    """
    removed = index.remove_damaged()
    for difference in check_index(store, index, progress).differences:
        index.remove(difference.run)
        removed.append(str(difference))
    return removed
