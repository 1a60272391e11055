"""The database's own clock, by which leases are compared, and the numbers that it gives out."""

from __future__ import annotations

from sqlalchemy import Connection, select, text, update

from frametally_videos import tables

_NOW_MS = {
    "sqlite": text("SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"),
    # Not now(): that is when the transaction began, before it waited for its turn.
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"),
}


def now_ms(connection: Connection) -> int:
    """Return the time by the database's clock."""
    return int(connection.execute(_NOW_MS[connection.dialect.name]).scalar_one())


def next_number(connection: Connection) -> int:
    """Give out the next number, in the writer's transaction."""
    about = tables.about.c
    query = update(tables.about).values(next_number=about.next_number + 1).returning(about.next_number)
    return int(connection.execute(query).scalar_one()) - 1


def note_change(connection: Connection) -> None:
    """Note, in the writer's transaction, that something has changed that a page shows.

    By the clock where that is ahead: so the version of a catalogue that was made anew is no earlier one's.
    """
    about = tables.about.c
    changed = connection.execute(select(about.changed)).scalar_one()
    connection.execute(update(tables.about).values(changed=max(changed + 1, now_ms(connection))))
