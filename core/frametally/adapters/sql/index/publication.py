"""Publishes a run in the SQL count index.

The order of effects that makes it atomic, all in one transaction:

1. take the writer's lock and read the day's current run; if it is this one or a later one, do nothing;
2. insert the run's cells, and the evidence of the parts that it does not keep from the previous run, under a
   new number, and count the rows;
3. replace the day's row in the small table of current runs;
4. delete the other rows of the previous run: the parts that are kept stay under their numbers.

Readers see the database as it was before or after.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from frametally import keys
from frametally.adapters.day_cells import parts as day_parts
from frametally.adapters.day_cells.parts import (
    NOTHING_KEPT,
    KeptParts,
    WrittenDay,
    names_in,
    writer_at,
    written_parts,
)
from frametally.adapters.day_cells.storage import CurrentRun, EvidenceBar, Packed, decode_packed
from frametally.adapters.sql.index import tables
from frametally.books.run_records import check_record
from frametally.errors import Poison, Retryable
from frametally.ports.count_index import DayPart, NameOf, no_name
from frametally.records import Coverage, Evidence, IntervalCount, Run, encode
from frametally.rules.current_run import is_newer
from frametally.rules.evidence import busiest
from frametally.rules.times import HOUR_MS

_ROWS_PER_INSERT = 2_000

_RecordT = TypeVar("_RecordT", IntervalCount, Coverage)


def publish(
    connection: Connection,
    run: Run,
    counts: Iterable[IntervalCount],
    coverage: Iterable[Coverage],
    name_of: NameOf,
    kept_names: Collection[str],
) -> bool:
    """Make `run` the current one in the transaction of `connection`; see `CountIndex.publish`.

    Raises:
        PartsReplaced: The parts of `kept_names` are not there.
        Poison: A record is of another model, interval or day, or is a duplicate.
        Retryable: Not all inserted rows are there.
    """
    this_day = _of_day(run)
    entry = tables.runs.c
    before = connection.execute(
        select(entry.sequence, entry.params, entry.number).where(this_day)
    ).one_or_none()
    if not is_newer(run, before):
        return False
    number = _next_number(connection)
    packed = None if before is None else _packed_of(connection, run, before.number)
    kept_parts = _kept_of(connection, run, before and before.number, packed, kept_names)
    counts, coverage = [*counts], [*coverage]
    try:
        _insert(connection, run, number, counts, coverage, name_of, kept_parts)
    except IntegrityError as error:
        raise _counted_twice(run) from error
    connection.execute(delete(tables.runs).where(this_day))
    _insert_rows(connection, tables.runs, [entry_of(run, number)])
    if before is not None:
        _delete_documents(connection, before.number, packed, kept_parts.parts)
    return True


def part_names(connection: Connection, run: Run) -> frozenset[str]:
    """Return the names of the parts of the run's day; see `CountIndex.part_names`."""
    number = connection.execute(select(tables.runs.c.number).where(_of_day(run))).scalar_one_or_none()
    return names_in(None if number is None else _packed_of(connection, run, number))


def _kept_of(
    connection: Connection, run: Run, number: int | None, packed: Packed | None, names: Collection[str]
) -> KeptParts:
    if not names:
        return NOTHING_KEPT
    from frametally.adapters.day_cells.keeping import keep  # slow: imports numpy

    before = None
    if packed is not None and number is not None:
        before = WrittenDay(CurrentRun(number, 0, keys.day_start_ms(run.day)), packed)
    return keep(before, names, run.interval_s, partial(read_frames, connection))


def remove(connection: Connection, run: Run) -> None:
    """Remove a day's run in the transaction of `connection`; see `CountIndex.remove`."""
    number = connection.execute(select(tables.runs.c.number).where(_of_day(run))).scalar_one_or_none()
    if number is not None:
        packed = _packed_of(connection, run, number)
        connection.execute(delete(tables.runs).where(_of_day(run)))
        _delete_documents(connection, number, packed)
        _next_number(connection)  # invalidates what was read under the previous version


def remove_damaged(connection: Connection) -> list[str]:
    """Remove damaged entries and rows without an entry; see `CountIndex.remove_damaged`."""
    removed = []
    for row in connection.execute(select(tables.runs)).all():
        if not tables.is_intact(tables.runs, row):
            connection.execute(delete(tables.runs).where(tables.runs.c.number == row.number))
            removed.append(f"the entry for {row.day} ({row.model}, {row.interval_s} s) was damaged")
    _delete_unnamed(connection)
    if removed:
        _next_number(connection)
    return removed


def entry_of(run: Run, number: int) -> dict[str, Any]:
    """Return the run's row in the table of current runs, without its checksum."""
    entry = {name: getattr(run, name) for name in ("model", "interval_s", "day", "params", "sequence")}
    return {**entry, "number": number, "record": encode(run).decode()}


def rows_of(
    run: Run,
    number: int,
    counts: Sequence[IntervalCount],
    coverage: Sequence[Coverage],
    name_of: NameOf,
    kept_parts: KeptParts,
) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    """Yield the rows that a run writes in the other tables, in batches, without their checksums.

    Raises:
        PartsReplaced: With the parts that it keeps, the run would not have its frames.
        Poison: A record is of another model, interval or day, or is a duplicate.
    """
    from frametally.adapters.day_cells.cells import CellPacker, CountedTwice  # slow: imports numpy

    packer = CellPacker(keys.day_start_ms(run.day), run.interval_s)
    of_day = dict(kept_parts.evidence)
    for batch in _batches(run, counts):
        rows = []
        for count in batch:
            evidence = msgspec.json.encode(count.evidence).decode()
            key = {"run": number, "source": count.source, "label": count.label}
            rows.append({**key, "interval_start_ms": count.interval_start_ms, "frames": evidence})
            place = (count.source, count.label)
            of_day[place] = busiest([*of_day.get(place, ()), *count.evidence])
        yield tables.evidence, rows
        packer.add_counts(batch)
    days = [
        {"run": number, "source": source, "label": label, "frames": msgspec.json.encode(frames).decode()}
        for (source, label), frames in of_day.items()
    ]
    if days:
        yield tables.rolled_evidence, days
    for records in _batches(run, coverage):
        packer.add_coverage(records)
    packer.add_kept(kept_parts, run.frames)
    parts = {**kept_parts.parts, **written_parts(counts, coverage, name_of, number)}
    try:
        packed_steps = packer.pack(parts)
        cells = [{"run": number, "step_s": step_s, "packed": packed} for step_s, packed in packed_steps]
    except CountedTwice as error:
        raise _counted_twice(run) from error
    yield tables.cells, cells


def _counted_twice(run: Run) -> Poison:
    return Poison(f"run {run.prefix} counts something twice, so frametally does not index it")


def _insert(
    connection: Connection,
    run: Run,
    number: int,
    counts: Sequence[IntervalCount],
    coverage: Sequence[Coverage],
    name_of: NameOf,
    kept_parts: KeptParts,
) -> None:
    inserted: Counter[Table] = Counter()
    for table, rows in rows_of(run, number, counts, coverage, name_of, kept_parts):
        _insert_rows(connection, table, rows)
        inserted[table] += len(rows)
    for table, rows_in in inserted.items():
        _check_inserted(connection, table, number, rows_in)


def _insert_rows(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows, each with its checksum."""
    connection.execute(insert(table), [{**row, "crc32": tables.checksum(table, row)} for row in rows])


def _packed_of(connection: Connection, run: Run, number: int) -> Packed | None:
    """Read the cells of a run of the same day by the base interval; None if they are not as written."""
    cells = tables.cells
    query = select(cells).where(cells.c.run == number, cells.c.step_s == run.interval_s)
    row = connection.execute(query).one_or_none()
    return decode_packed(row.packed) if row is not None and tables.is_intact(cells, row) else None


def _delete_documents(
    connection: Connection, number: int, packed: Packed | None, kept_parts: Container[DayPart] = ()
) -> None:
    """Delete the rows of an earlier run, except kept parts."""
    if packed is None:
        _delete_unnamed(connection)
        return
    parts = day_parts.parts_in(packed)
    for documents in (tables.rolled_evidence, tables.cells) if parts else tables.DOCUMENTS:
        connection.execute(delete(documents).where(documents.c.run == number))
    replaced = {part: written for part, written in parts.items() if part not in kept_parts}
    row = tables.evidence.c
    for writer, hour_ms, sources in day_parts.sources_by_hour(replaced):
        is_of_hour = row.interval_start_ms.between(hour_ms, hour_ms + HOUR_MS - 1)
        connection.execute(
            delete(tables.evidence).where(row.run == writer, is_of_hour, row.source.in_(sources))
        )


def _delete_unnamed(connection: Connection) -> None:
    """Delete the rows of runs that are not current and have no parts in current ones."""
    runs, cells = tables.runs.c, tables.cells.c
    for documents in (tables.rolled_evidence, tables.cells):
        connection.execute(delete(documents).where(documents.c.run.not_in(select(runs.number))))
    of_bases = select(tables.cells).join(
        tables.runs, and_(runs.number == cells.run, runs.interval_s == cells.step_s)
    )
    writers = set(connection.execute(select(runs.number)).scalars())
    for row in connection.execute(of_bases):
        if tables.is_intact(tables.cells, row):
            writers |= {int(writer) for writer in decode_packed(row.packed).writers}
    written = connection.execute(select(tables.evidence.c.run).distinct()).scalars()
    for number in {*written} - writers:
        connection.execute(delete(tables.evidence).where(tables.evidence.c.run == number))


def _of_day(run: Run) -> ColumnElement[bool]:
    entry = tables.runs.c
    return and_(entry.model == run.model, entry.interval_s == run.interval_s, entry.day == run.day)


def _next_number(connection: Connection) -> int:
    number: int = connection.execute(select(tables.about.c.next_number)).scalar_one()
    connection.execute(update(tables.about).values(next_number=number + 1))
    return number


def _batches(run: Run, records: Iterable[_RecordT]) -> Iterator[list[_RecordT]]:
    iterator = iter(records)
    while batch := list(islice(iterator, _ROWS_PER_INSERT)):
        for record in batch:
            check_record(record, run)
        yield batch


def _check_inserted(connection: Connection, table: Table, number: int, inserted: int) -> None:
    query = select(func.count()).select_from(table).where(table.c.run == number)
    row_count = connection.execute(query).scalar_one()
    if row_count != inserted:
        raise Retryable(
            f"frametally wrote {inserted} rows to {table.name}, but {row_count} are there; index again"
        )


_evidence_decoder = msgspec.json.Decoder(list[Evidence])
_SOURCES_AT_ONCE = 500


def _evidence_of(table: Table) -> Select[Any]:
    return select(table).where(
        table.c.run == bindparam("of_run"),
        table.c.label == bindparam("of_label"),
        table.c.source.in_(bindparam("of_sources", expanding=True)),
    )


_OF_DAY = _evidence_of(tables.rolled_evidence)
_OF_BAR = _evidence_of(tables.evidence).where(tables.evidence.c.interval_start_ms == bindparam("of_start_ms"))


def read_frames(
    now: Connection, bars: Sequence[EvidenceBar], of_day: bool
) -> Iterator[tuple[EvidenceBar, list[Evidence] | None]]:
    """Read the frames of bars, or of whole days; None if they are not as they were written."""
    table, statement = (tables.rolled_evidence, _OF_DAY) if of_day else (tables.evidence, _OF_BAR)
    bars_by_place: defaultdict[tuple[int, int, str], list[EvidenceBar]] = defaultdict(list)
    for bar in bars:
        run_number = bar.run.number if bar.writer is None else int(bar.writer)
        bars_by_place[run_number, bar.start_ms, bar.label].append(bar)
    for (run, start_ms, label), of_place in bars_by_place.items():  # many sources can tie
        key = {"of_run": run, "of_start_ms": start_ms, "of_label": label}
        for first in range(0, len(of_place), _SOURCES_AT_ONCE):
            batch = of_place[first : first + _SOURCES_AT_ONCE]
            answer = now.execute(statement, {**key, "of_sources": [bar.source for bar in batch]})
            rows = {row.source: row for row in answer}
            for bar in batch:
                row = rows.get(bar.source)
                if row is None or not tables.is_intact(table, row):
                    yield bar, None
                else:
                    yield bar, _evidence_decoder.decode(row.frames)


def differing_sources(
    connection: Connection, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
) -> list[str]:
    """Return the sources that are not as `publish` would write them; see `CountIndex.differing_sources`."""
    number = connection.execute(select(tables.runs.c.number).where(_of_day(run))).scalar_one_or_none() or 0
    packed = _packed_of(connection, run, number)
    parts = {} if packed is None else day_parts.parts_in(packed)
    numbers = {number, *(written.writer for written in parts.values())}
    expected_rows: dict[Table, dict[Any, Mapping[str, Any]]] = {table: {} for table in tables.DOCUMENTS}
    for table, rows in rows_of(run, number, [*counts], [*coverage], no_name, NOTHING_KEPT):
        expected_rows[table] |= {_key(table, row): row for row in rows}
    differing: set[str] = set()
    for table, expected in expected_rows.items():
        numbers_of_table = numbers if table is tables.evidence else {number}
        rows_there = connection.execute(select(table).where(table.c.run.in_(numbers_of_table)))
        present = {
            _key(table, row._mapping): row
            for row in rows_there
            if table is not tables.evidence
            or writer_at(parts, row.source, row.interval_start_ms, number) == row.run
        }
        for key in expected.keys() | present.keys():
            if table is tables.cells:
                differing |= _differing_cells(expected.get(key), present.get(key))
            elif not _is_same_evidence(table, expected.get(key), present.get(key)):
                differing.add(key[_names(table).index("source")])
    return sorted(differing)


def _names(table: Table) -> list[str]:
    return [column.name for column in table.primary_key if column.name != "run"]


def _key(table: Table, row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _names(table))


def _is_same_evidence(table: Table, expected: Mapping[str, Any] | None, row: Row[Any] | None) -> bool:
    if expected is None or row is None or not tables.is_intact(table, row):
        return False
    # Earlier layouts encoded the same records differently.
    return _evidence_decoder.decode(expected["frames"]) == _evidence_decoder.decode(row.frames)


def _differing_cells(expected: Mapping[str, Any] | None, row: Row[Any] | None) -> set[str]:
    from frametally.adapters.day_cells.cells import differing_sources as differing_in  # slow: imports numpy

    packed = [] if expected is None else [decode_packed(expected["packed"])]
    if row is not None and tables.is_intact(tables.cells, row):
        packed.append(decode_packed(row.packed))
    return differing_in(packed)
