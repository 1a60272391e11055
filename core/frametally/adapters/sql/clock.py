"""The database's own clock, which decides about leases."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, or_, text

from frametally.rules.times import HOUR_MS

_NOW_MS = {
    "sqlite": text("SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"),
    # Not now(), which is when the transaction began, before it waited for its turn.
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"),
}


def now_ms(connection: Connection) -> int:
    """Return the time by the database's clock."""
    return int(connection.execute(_NOW_MS[connection.dialect.name]).scalar_one())


def after_ms(connection: Connection, seconds: float) -> int:
    """Return the time by the database's clock `seconds` from now."""
    return now_ms(connection) + round(seconds * 1000)


LONGEST_WAIT_MS = 2 * HOUR_MS
"""Longer than any lease, and than any pause before a retry."""


def is_due(due_at_ms: ColumnElement[int], time_ms: int) -> ColumnElement[bool]:
    """Return whether a lease or a pause that lasts until `due_at_ms` is over.

    One that would last longer than `LONGEST_WAIT_MS` dates from before the clock was set back, and is over.
    """
    return or_(due_at_ms <= time_ms, due_at_ms > time_ms + LONGEST_WAIT_MS)
