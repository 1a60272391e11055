"""Writes the contents of small objects into the ledger's tables, each function within one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select, update

from frametally.adapters.sql.ledger import tables
from frametally.books.intake import TakenObject, TakenRun
from frametally.errors import Poison
from frametally.ports.object_store import ObjectInfo
from frametally.rules.seals import unsealed

_ValueT = TypeVar("_ValueT")
MOST_IN = 500  # values in one IN (...): SQLite allows 32,766, others fewer


class Numbers:
    """Numbers of names within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}

    def number_of(self, name: str) -> int:
        """Return the name's number, assigning one if it has none."""
        if name not in self._numbers:
            query = select(tables.names.c.number).where(tables.names.c.name == name)
            number = self._connection.execute(query).scalar()
            if number is None:
                number = self.new()
                self._connection.execute(insert(tables.names).values(name=name, number=number))
            self._numbers[name] = int(number)
        return self._numbers[name]

    def new(self, count: int = 1) -> int:
        """Return the first of `count` consecutive unused numbers."""
        number: int = self._connection.execute(select(tables.about.c.next_number)).scalar_one()
        self._connection.execute(update(tables.about).values(next_number=number + count))
        return number


def known_objects(connection: Connection, kind: str) -> dict[str, tuple[int, str, bool]]:
    """Return size, version and whether to read it again, by key, of everything of that kind.

    Objects with a problem, and those whose stored record is damaged, are read again.
    """
    table = tables.objects.c
    query = select(table.key, table.size_bytes, table.version, table.record, table.problem.is_not(None))
    rows = connection.execute(query.where(table.kind == kind))
    return {
        key: (size, version, bool(problem) or not _is_whole(record))
        for key, size, version, record, problem in rows
    }


def _is_whole(record: str | None) -> bool:
    try:
        return record is None or unsealed(record.encode()) is not None
    except Poison:
        return False


def is_changed(info: ObjectInfo, known_objects: Mapping[str, tuple[int, str, bool]]) -> bool:
    """Return whether a known object has changed."""
    return known_objects[info.key][:2] != (info.size_bytes, info.version)


def is_new(info: ObjectInfo, known_objects: Mapping[str, tuple[int, str, bool]]) -> bool:
    """Return whether to read an object: it is unknown, has changed, or could not be read the last time."""
    return info.key not in known_objects or is_changed(info, known_objects) or known_objects[info.key][2]


def remove_objects(connection: Connection, object_keys: Iterable[str]) -> None:
    """Forget manifests, tombstones, dropped dead letters and runs by their keys."""
    for key_batch in by(MOST_IN, list(object_keys)):
        connection.execute(delete(tables.run_frames).where(tables.run_frames.c.key.in_(key_batch)))
        connection.execute(delete(tables.objects).where(tables.objects.c.key.in_(key_batch)))


def put_object(connection: Connection, stored_object: TakenObject, kind: str) -> None:
    """Record a manifest, a tombstone or a dropped dead letter, and replace the earlier one."""
    remove_objects(connection, [stored_object.info.key])
    _insert_object(connection, stored_object.info, kind, None, stored_object.record, stored_object.problem)


def put_run(connection: Connection, stored_run: TakenRun) -> None:
    """Record a current run, and replace the earlier one."""
    remove_objects(connection, [stored_run.info.key])
    _insert_object(
        connection, stored_run.info, "run", stored_run.model, stored_run.record, stored_run.problem
    )
    insert_rows(
        connection, tables.run_frames, [(stored_run.info.key, *frames) for frames in stored_run.frames]
    )


def _insert_object(
    connection: Connection,
    info: ObjectInfo,
    kind: str,
    model: str | None,
    record: str | None,
    problem: str | None,
) -> None:
    listed = info.size_bytes, info.version, info.modified_at_ms
    insert_rows(connection, tables.objects, [(info.key, kind, model, *listed, record, problem)])


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows with all columns in the table's order, through the driver itself.

    That takes half the time, and a million segments have two million rows.
    """
    if rows:
        names = ", ".join(f'"{name}"' for name in table.columns.keys())  # noqa: SIM118 - of a collection
        marks = marks_of(connection, len(table.columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608


def marks_of(connection: Connection, values: int) -> str:
    """Return the placeholders for this number of values in a statement for the driver itself."""
    return ", ".join(["?" if connection.dialect.paramstyle == "qmark" else "%s"] * values)


def by(size: int, values: Sequence[_ValueT]) -> Iterable[Sequence[_ValueT]]:
    """Split values into batches of at most `size`."""
    return (values[start : start + size] for start in range(0, len(values), size))
