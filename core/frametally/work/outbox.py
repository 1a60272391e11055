"""An outbox: messages in a table, each sent by one sender at a time until it is sent or given up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Table, func, insert, select

from frametally.adapters.sql.catalogue import next_number
from frametally.adapters.sql.clock import now_ms
from frametally.work.leases import Leases
from frametally.work.sending import MessageState


class Outbox(Leases):
    """The messages of a table, numbered in the order in which they were put; `attempts` is the generation."""

    def __init__(self, table: Table, *, key: str = "id") -> None:
        """Describe the table; messages with the same `key` are sent as one."""
        super().__init__(table, table.c.state == "queued", key=key, generation="attempts")

    def put(self, connection: Connection, message_id: str, **values: Any) -> None:
        """Put a message after all others; it can be sent at once."""
        time_ms = now_ms(connection)
        values |= {"id": message_id, "state": "queued", "attempts": 0, "reason": None}
        values |= {"number": next_number(connection)}
        connection.execute(insert(self._table).values(**values, created_at_ms=time_ms, due_at_ms=time_ms))

    def end_message(
        self,
        connection: Connection,
        message: Any,
        state: MessageState,
        *,
        reason: str | None = None,
        again_after_s: float = 0.0,
    ) -> bool:
        """Record the result of a claimed message; False if another sender has claimed it since."""
        values: dict[str, Any] = {"state": state, "reason": reason}
        if "ended_at_ms" in self._table.c:
            values["ended_at_ms"] = None if state == "queued" else now_ms(connection)
        return self.end(connection, message, again_after_s=again_after_s, **values)

    def count_waiting(self, connection: Connection, column: Column[str]) -> dict[str, int]:
        """Return the number of waiting messages for each value of a column with few values."""
        query = select(column, func.count()).where(self._is_open).group_by(column).order_by(column)
        return {row[0]: row[1] for row in connection.execute(query)}
