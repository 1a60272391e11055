"""Leases on the rows of a table: one worker holds a row until the database's own clock ends its lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, and_, update

from frametally.adapters.sql.clock import after_ms
from frametally.adapters.sql.engine import SqlDatabase

SeenT = TypeVar("SeenT")
ResultT = TypeVar("ResultT")


def look_then_write(
    database: SqlDatabase,
    look: Callable[[Connection], SeenT | None],
    write: Callable[[Connection, SeenT], ResultT],
) -> ResultT | None:
    """Return the result of `write` for what `look` finds, or None if it finds nothing.

    Workers look often and seldom find something, so a look alone must not block writers.
    """
    with database.reading() as connection:
        if not look(connection):
            return None
    with database.writing() as connection:
        due = look(connection)
        return write(connection, due) if due else None


class Leases:
    """The leases of a table's rows, in the transactions of its book.

    `due_at_ms` is the end of a lease, or the earliest time to claim a waiting row; see `clock.is_due`. Each
    claim raises the generation: a worker whose row another has claimed writes nothing more.
    """

    def __init__(
        self, table: Table, is_open: ColumnElement[bool], *, key: str = "id", generation: str = "generation"
    ) -> None:
        """Describe the table.

        Args:
            table: Has `due_at_ms` and the two columns below.
            is_open: Whether a row may be held.
            key: Column with the `id` of what is claimed; rows that are claimed together share it.
            generation: Column that each claim raises.
        """
        self._table = table
        self._is_open = is_open
        self._key = key
        self._generation = generation

    def is_held(self, claimed: Any) -> ColumnElement[bool]:
        """Return whether the worker that got `claimed` still holds a row."""
        columns = self._table.c
        return and_(
            columns[self._key] == claimed.id,
            self._is_open,
            columns[self._generation] == getattr(claimed, self._generation),
        )

    def claim(
        self, connection: Connection, condition: ColumnElement[bool], lease_s: float, **values: Any
    ) -> None:
        """Lease the rows that meet `condition` for `lease_s`, and set `values` in them."""
        values[self._generation] = self._table.c[self._generation] + 1
        self._write(connection, condition, lease_s, values)

    def renew(self, connection: Connection, claimed: Any, lease_s: float, **values: Any) -> bool:
        """Keep what was claimed for `lease_s` from now on; False if another worker has it or it has ended."""
        return self._write(connection, self.is_held(claimed), lease_s, values)

    def end(self, connection: Connection, claimed: Any, *, again_after_s: float = 0.0, **values: Any) -> bool:
        """End a lease, so that it may be claimed again after a pause; False as in `renew`."""
        return self._write(connection, self.is_held(claimed), again_after_s, values)

    def _write(
        self, connection: Connection, condition: ColumnElement[bool], due_s: float, values: dict[str, Any]
    ) -> bool:
        change = update(self._table).where(condition)
        return bool(
            connection.execute(change.values(**values, due_at_ms=after_ms(connection, due_s))).rowcount
        )
