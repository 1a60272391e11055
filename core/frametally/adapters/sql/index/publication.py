"""Publishes a run in the SQL count index.

The order of effects that makes it atomic, all in one transaction:

1. the writer's lock is taken, and the day's current run read: this one or a later one there, nothing is done;
2. the run's evidence and cells are inserted under a number of its own, counted, and packed by each step;
3. the day's row in the small table of current runs is replaced;
4. the rows of the run before are deleted.

Readers see the database as it was before or after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Table, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from frametally import keys
from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.cells import CellPacker, CountedTwice
from frametally.books.runs import check_record
from frametally.errors import Poison, Retryable
from frametally.records import Coverage, Evidence, IntervalCount, Run, encode
from frametally.rules.current_run import is_newer
from frametally.rules.evidence import busiest

_ROWS_PER_INSERT = 2_000

_RecordT = TypeVar("_RecordT", IntervalCount, Coverage)


def publish(
    connection: Connection, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
) -> bool:
    """Make `run` the current one in the transaction of `connection`; see `CountIndex.publish`.

    Raises:
        Poison: A record of another model, interval or day, or one that comes twice.
        Retryable: Not all rows that were inserted are there.
    """
    table = tables.runs.c
    this_day = and_(table.model == run.model, table.interval_s == run.interval_s, table.day == run.day)
    before = connection.execute(
        select(table.sequence, table.params, table.number).where(this_day)
    ).one_or_none()
    if not is_newer(run, before):
        return False
    number: int = connection.execute(select(tables.about.c.next_number)).scalar_one()
    connection.execute(update(tables.about).values(next_number=number + 1))
    try:
        _insert(connection, run, number, counts, coverage)
    except (IntegrityError, CountedTwice) as error:
        raise Poison(f"run {run.prefix} counts something twice; it is not indexed") from error
    connection.execute(delete(tables.runs).where(this_day))
    entry = {name: getattr(run, name) for name in ("model", "interval_s", "day", "params", "sequence")}
    _insert_rows(connection, tables.runs, [{**entry, "number": number, "record": encode(run).decode()}])
    if before is not None:
        for documents in tables.DOCUMENTS:
            connection.execute(delete(documents).where(documents.c.run == before.number))
    return True


def _insert(
    connection: Connection,
    run: Run,
    number: int,
    counts: Iterable[IntervalCount],
    coverage: Iterable[Coverage],
) -> None:
    packer = CellPacker(keys.day_start_ms(run.day), run.interval_s)
    of_day: dict[tuple[str, str], list[Evidence]] = {}
    inserted = 0
    for batch in _batches(run, counts):
        rows = []
        for count in batch:
            shown = msgspec.json.encode(count.evidence).decode()
            key = {"run": number, "source": count.source, "label": count.label}
            rows.append({**key, "interval_start_ms": count.interval_start_ms, "frames": shown})
            place = (count.source, count.label)
            of_day[place] = busiest([*of_day.get(place, ()), *count.evidence])
        _insert_rows(connection, tables.evidence, rows)
        packer.add_counts(batch)
        inserted += len(rows)
    _check_inserted(connection, tables.evidence, number, inserted)
    days = [
        {"run": number, "source": source, "label": label, "frames": msgspec.json.encode(frames).decode()}
        for (source, label), frames in of_day.items()
    ]
    _insert_rows(connection, tables.rolled_evidence, days)
    for some in _batches(run, coverage):
        packer.add_coverage(some)
    cells = [{"run": number, "step_s": step_s, "packed": packed} for step_s, packed in packer.pack()]
    _insert_rows(connection, tables.cells, cells)
    _check_inserted(connection, tables.cells, number, len(cells))


def _insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, each with its checksum."""
    if rows:
        made = [{**row, "crc32": tables.checksum(table, row)} for row in rows]
        connection.execute(insert(table), made)


def _batches(run: Run, records: Iterable[_RecordT]) -> Iterator[list[_RecordT]]:
    iterator = iter(records)
    while batch := list(islice(iterator, _ROWS_PER_INSERT)):
        for record in batch:
            check_record(record, run)
        yield batch


def _check_inserted(connection: Connection, table: Table, number: int, inserted: int) -> None:
    query = select(func.count()).select_from(table).where(table.c.run == number)
    found = connection.execute(query).scalar_one()
    if found != inserted:
        raise Retryable(f"{inserted} rows went into {table.name} but {found} are there; index again")
