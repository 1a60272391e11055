"""How often log-ins were tried: counted before anything is compared, also many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally_accounts import tables

MOST_WAIT_S = 60
"""The longest that the next log-in has to wait: so nobody is kept out for good by others' guesses."""
_FORGET_AFTER_MS = 15 * 60_000
_attempts = tables.attempts.c


class TriedBy(NamedTuple):
    """What log-ins are counted by.

    Attributes:
        key: Such as `account:<hash>` or `address:10.0.0.1`.
        free: How many may fail before the next has to wait: a second, then twice as long each time.
    """

    key: str
    free: int


class SqlAttempts:
    """Tried log-ins in a database."""

    _database: SqlDatabase

    def try_login(self, tried: Sequence[TriedBy]) -> float:
        """Count a log-in by each of its keys as one that fails, before anything is compared.

        Returns:
            0.0, or the seconds that it has to wait: then it is not counted, and must not be tried.
        """
        with self._database.reading() as connection:  # whoever goes on while they wait keeps nobody else up
            wait_ms = _wait_ms(_of_late(connection, tried, now := now_ms(connection)), now)
        if wait_ms > 0:
            return wait_ms / 1000
        with self._database.writing() as connection:
            now = now_ms(connection)
            connection.execute(delete(tables.attempts).where(_is_old(now)))
            there = _of_late(connection, tried, now)
            if (wait_ms := _wait_ms(there, now)) > 0:
                return wait_ms / 1000
            for one in tried:
                failed = (there[one.key].failed if one.key in there else 0) + 1
                beyond = failed - one.free
                wait_s = min(MOST_WAIT_S, 2 ** min(beyond, 10)) if beyond >= 0 else 0
                values = {"failed": failed, "tried_at_ms": now, "due_at_ms": now + wait_s * 1000}
                if one.key in there:
                    connection.execute(update(tables.attempts).where(_attempts.key == one.key).values(values))
                else:
                    connection.execute(insert(tables.attempts).values(key=one.key, **values))
        return 0.0

    def forgive(self, tried: Sequence[TriedBy]) -> None:
        """Take back what `try_login` has counted last: it did not fail."""
        keys = [one.key for one in tried]
        with self._database.writing() as connection:
            one_less = update(tables.attempts).where(_attempts.key.in_(keys), _attempts.failed > 0)
            connection.execute(one_less.values(failed=_attempts.failed - 1, due_at_ms=0))


def _is_old(now: int) -> ColumnElement[bool]:
    # What was tried after now was so before the clock was set back.
    return (_attempts.tried_at_ms < now - _FORGET_AFTER_MS) | (_attempts.tried_at_ms > now)


def _of_late(connection: Connection, tried: Sequence[TriedBy], now: int) -> dict[str, Row[Any]]:
    is_theirs = _attempts.key.in_([one.key for one in tried])
    rows = connection.execute(select(tables.attempts).where(is_theirs, ~_is_old(now)))
    return {row.key: row for row in rows}


def _wait_ms(there: dict[str, Row[Any]], now: int) -> float:
    return max((float(row.due_at_ms - now) for row in there.values()), default=0.0)
