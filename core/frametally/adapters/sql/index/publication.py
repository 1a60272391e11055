"""Publishes a run in the SQL count index.

The order of effects that makes it atomic, all in one transaction:

1. the writer's lock is taken, and the day's current run read: this one or a later one there, nothing is done;
2. the run's rows are inserted under a number of its own, counted, and rolled up to longer steps;
3. the day's row in the small table of current runs is replaced;
4. the rows of the run before are deleted.

Readers see the database as it was before or after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Table, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from frametally.adapters.sql.index import rolling as sql_rolling
from frametally.adapters.sql.index import tables
from frametally.books.runs import belongs
from frametally.errors import Poison, Retryable
from frametally.records import Coverage, IntervalCount, Run, encode
from frametally.rules.current_run import is_newer

_ROWS_PER_INSERT = 2_000

_RecordT = TypeVar("_RecordT", IntervalCount, Coverage)


def publish(
    connection: Connection, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
) -> bool:
    """Make `run` the current one of its model, interval and day, in the transaction of `connection`.

    Returns:
        False, with nothing changed, if this run or a later one of the day is already current.

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
        _insert_counts(connection, run, number, counts)
        _insert_coverage(connection, run, number, coverage)
        sql_rolling.roll_up(connection, number, base_interval_s=run.interval_s)
        sql_rolling.pack_hours(connection, number)
    except IntegrityError as error:
        raise Poison(f"run {run.prefix} counts something twice ({error.orig}); it is not indexed") from error
    connection.execute(delete(tables.runs).where(this_day))
    connection.execute(
        insert(tables.runs).values(
            model=run.model,
            interval_s=run.interval_s,
            day=run.day,
            params=run.params,
            sequence=run.sequence,
            number=number,
            record=encode(run).decode(),
        )
    )
    if before is not None:
        for documents in tables.DOCUMENTS:
            connection.execute(delete(documents).where(documents.c.run == before.number))
    return True


def _insert_counts(connection: Connection, run: Run, number: int, counts: Iterable[IntervalCount]) -> None:
    inserted = 0
    of_day = sql_rolling.DayEvidence()
    for batch in _batches(run, counts):
        rows = [
            {
                **_place(number, count),
                "label": count.label,
                "detections": count.detections,
                "peak": count.peak,
                "peak_at_ms": count.evidence[0].captured_at_ms if count.evidence else count.interval_start_ms,
                "objects": count.objects,
            }
            for count in batch
        ]
        shown = [
            {
                **_place(number, count),
                "label": count.label,
                "frames": msgspec.json.encode(count.evidence).decode(),
            }
            for count in batch
        ]
        connection.execute(insert(tables.counts), rows)
        connection.execute(insert(tables.evidence), shown)
        inserted += len(batch)
        of_day.add(batch)
    _check_inserted(connection, tables.counts, number, inserted)
    _check_inserted(connection, tables.evidence, number, inserted)
    of_day.insert(connection, number)


def _insert_coverage(connection: Connection, run: Run, number: int, coverage: Iterable[Coverage]) -> None:
    inserted = 0
    for batch in _batches(run, coverage):
        rows = [
            {**_place(number, record), "frames": record.frames, "slowest_fps": record.analysed_fps}
            for record in batch
        ]
        connection.execute(insert(tables.coverage), rows)
        inserted += len(batch)
    _check_inserted(connection, tables.coverage, number, inserted)


def _place(number: int, record: IntervalCount | Coverage) -> dict[str, Any]:
    return {"run": number, "interval_start_ms": record.interval_start_ms, "source": record.source}


def _batches(run: Run, records: Iterable[_RecordT]) -> Iterator[list[_RecordT]]:
    iterator = iter(records)
    while batch := list(islice(iterator, _ROWS_PER_INSERT)):
        for record in batch:
            _check_belongs(run, record)
        yield batch


def _check_belongs(run: Run, record: IntervalCount | Coverage) -> None:
    if not belongs(record, run):
        raise Poison(f"run {run.prefix} holds a record of another model, interval or day: {record!r:.200}")


def _check_inserted(connection: Connection, table: Table, number: int, inserted: int) -> None:
    query = select(func.count()).select_from(table).where(table.c.run == number)
    found = connection.execute(query).scalar_one()
    if found != inserted:
        raise Retryable(f"{inserted} rows went into {table.name} but {found} are there; index again")
