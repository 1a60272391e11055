"""`frametally index`: loads part files from the object store into the count index, run by run."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import msgspec

from frametally.books.index_check import check_index, day_of, not_in_store
from frametally.books.run_records import check_boxes, decode_records, decode_run, divide
from frametally.books.runs import (
    RunReplaced,
    current_days,
    hour_records,
    newest_last,
    read_hours,
    read_named_hours,
    read_parts,
)
from frametally.errors import Poison
from frametally.history_records import HourList
from frametally.ports.count_index import REPAIR, CountIndex, DayPart, NameOf, PartsReplaced, part_at
from frametally.ports.object_store import ObjectStore
from frametally.process.meters import METERS
from frametally.process.reports import Progress, Skipped, log_step
from frametally.records import NOT_JSON, Coverage, IntervalCount, Run
from frametally.rules.hour_file import changed_names, length_ms
from frametally.rules.places import is_of_places, source_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.telemetry.lineage import LineageRun, dataset

_BYTES_OF_HOURS = 5
"""The size of hour files divided by that of their counts: they also contain tracks and paths."""
_NO_PART = DayPart("", 0)


class NewRecords(NamedTuple):
    """The records of a run that an index lacks.

    Attributes:
        name_of: The name of a part of the run.
        kept_names: The names of the parts that the index has.
    """

    counts: list[IntervalCount]
    coverage: list[Coverage]
    name_of: NameOf
    kept_names: Collection[str]


def read_new_records(store: ObjectStore, run: Run, names_there: Collection[str]) -> NewRecords:
    """Read the records of a run, except the parts that the index has by these names.

    A part has the name of the hour file that it comes from. A run of flows does not
    have a list of hour files: its part names are hashes of the lines.

    Raises:
        Poison: A file is missing or damaged; the message names it.
    """
    listed = read_hours(store, run)
    part_files: Iterable[tuple[str, bytes]] = read_parts(store, run)
    if listed is None:
        part_files = [*part_files]
        hashes = _hashes(part_files)
        name_of: NameOf = lambda part: hashes.get(part, "")  # noqa: E731
        names = {*hashes.values()}
    else:
        name_of = _names_in(run, listed)
        named = listed.names(of_zones=is_of_places(run.model))
        names = {*named.values()}
    kept_names = names.intersection(names_there)
    records: Iterator[IntervalCount | Coverage]
    if not kept_names:
        return NewRecords(*decode_run(run, part_files), name_of, kept_names)
    if listed is not None and (len(names) - len(kept_names)) * _BYTES_OF_HOURS <= len(names):
        new_files = read_named_hours(store, run, listed, changed_names(named, kept_names))
        records = (record for key, data in new_files for record in hour_records(run, key, data))
    else:
        records = _of_parts(run, part_files, lambda part: name_of(part) not in kept_names)
    counts, coverage = divide(records)
    check_boxes(run, counts, coverage)
    return NewRecords(counts, coverage, name_of, kept_names)


def _names_in(run: Run, listed: HourList) -> NameOf:
    file_ms = length_ms(run.interval_s)
    hours = {source_of(name): listed.hours[name] for name in run.hours}

    def name_of(part: DayPart) -> str:
        start_ms = part.hour * HOUR_MS // file_ms * file_ms
        file = hours.get(source_of(part.source), {}).get(start_ms % DAY_MS // HOUR_MS)
        return "" if file is None else file.identity

    return name_of


def _hashes(part_files: Iterable[tuple[str, bytes]]) -> dict[DayPart, str]:
    hashes = defaultdict[DayPart, "hashlib.blake2b"](lambda: hashlib.blake2b(digest_size=8))
    part_of = _parts_of_lines()
    for _, data in part_files:
        for line in data.splitlines():
            hashes[part_of(line)].update(line + b"\n")
    return {part: hash_of_lines.hexdigest() for part, hash_of_lines in hashes.items()}


def _of_parts(
    run: Run, part_files: Iterable[tuple[str, bytes]], is_new: Callable[[DayPart], bool]
) -> Iterator[IntervalCount | Coverage]:
    part_of = _parts_of_lines()
    for key, data in part_files:
        yield from decode_records(run, key, data, lambda line: is_new(part_of(line)))


def _parts_of_lines() -> Callable[[bytes], DayPart]:
    """Return a function that returns the part of a line by its key, and `_NO_PART` for a damaged line."""
    source_in = cache(lambda series: msgspec.json.decode(series + b"]")[1])

    def part_of(line: bytes) -> DayPart:
        series, _, start = line.partition(b"\t")[0].rpartition(b",")
        try:
            return part_at(source_in(series), int(start[:-1]))
        except (*NOT_JSON, ValueError, LookupError, TypeError):
            return _NO_PART

    return part_of


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
            log_step("published", run=run.run_id, day=run.day)
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
