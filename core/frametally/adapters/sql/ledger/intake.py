"""Writes the contents of small objects into the ledger's tables, each function within one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from frametally.adapters.sql.ledger.database import LedgerConnection, execute_in, insert_rows
from frametally.errors import Poison
from frametally.ports.object_store import ObjectInfo
from frametally.rules.seals import unsealed

if TYPE_CHECKING:
    from frametally.books.intake import TakenObject, TakenRun


class Numbers:
    """Numbers of names within one transaction."""

    def __init__(self, connection: LedgerConnection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}

    def number_of(self, name: str) -> int:
        """Return the name's number, assigning one if it has none."""
        if name not in self._numbers:
            query = "SELECT number FROM frametally_ledger_names WHERE name = ?"
            row = self._connection.execute(query, [name]).fetchone()
            self._numbers[name] = int(row[0]) if row else self.new()
            if row is None:
                insert_rows(self._connection, "names", [(name, self._numbers[name])])
        return self._numbers[name]

    def new(self, count: int = 1) -> int:
        """Return the first of `count` consecutive unused numbers."""
        number: int
        (number,) = self._connection.execute("SELECT next_number FROM frametally_ledger").fetchone()
        self._connection.execute("UPDATE frametally_ledger SET next_number = ?", [number + count])
        return number


def known_objects(connection: LedgerConnection, kind: str) -> dict[str, tuple[int, str, bool]]:
    """Return size, version and whether to read it again, by key, of everything of that kind.

    Objects with a problem, and those whose stored record is damaged, are read again.
    """
    query = "SELECT key, size_bytes, version, record, problem FROM frametally_ledger_objects WHERE kind = ?"
    return {
        key: (size, version, problem is not None or not _is_whole(record))
        for key, size, version, record, problem in connection.execute(query, [kind])
    }


def _is_whole(record: str | None) -> bool:
    try:
        if record is not None:
            unsealed(record.encode())
    except Poison:
        return False
    return True


def is_changed(info: ObjectInfo, known_objects: Mapping[str, tuple[int, str, bool]]) -> bool:
    """Return whether a known object has changed."""
    return known_objects[info.key][:2] != (info.size_bytes, info.version)


def is_new(info: ObjectInfo, known_objects: Mapping[str, tuple[int, str, bool]]) -> bool:
    """Return whether to read an object: it is unknown, has changed, or could not be read the last time."""
    return info.key not in known_objects or is_changed(info, known_objects) or known_objects[info.key][2]


def remove_objects(connection: LedgerConnection, object_keys: Iterable[str]) -> None:
    """Forget manifests, tombstones, dropped dead letters and runs by their keys."""
    of_keys = list(object_keys)
    execute_in(connection, "DELETE FROM frametally_ledger_run_frames WHERE key IN ", of_keys)
    execute_in(connection, "DELETE FROM frametally_ledger_objects WHERE key IN ", of_keys)


def put_object(connection: LedgerConnection, stored_object: TakenObject, kind: str) -> None:
    """Record a manifest, a tombstone or a dropped dead letter, and replace the earlier one."""
    remove_objects(connection, [stored_object.info.key])
    _insert_object(connection, stored_object.info, kind, None, stored_object.record, stored_object.problem)


def put_run(connection: LedgerConnection, stored_run: TakenRun) -> None:
    """Record a current run, and replace the earlier one."""
    remove_objects(connection, [stored_run.info.key])
    _insert_object(
        connection, stored_run.info, "run", stored_run.model, stored_run.record, stored_run.problem
    )
    insert_rows(connection, "run_frames", [(stored_run.info.key, *frames) for frames in stored_run.frames])


def _insert_object(
    connection: LedgerConnection,
    info: ObjectInfo,
    kind: str,
    model: str | None,
    record: str | None,
    problem: str | None,
) -> None:
    listed = info.size_bytes, info.version, info.modified_at_ms
    insert_rows(connection, "objects", [(info.key, kind, model, *listed, record, problem)])
