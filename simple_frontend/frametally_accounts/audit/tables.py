"""The audit book's tables, in the video catalogue's database, for both SQLite and PostgreSQL.

`ends` has one row, the number of the next record and the last digest; `records` cannot be changed or removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, event

from frametally.adapters.sql.catalogue import TABLES

ends = Table(
    "frametally_audit_ends",
    TABLES,
    Column("next_number", BigInteger, primary_key=True, autoincrement=False),
    Column("head", Text, nullable=False),  # digest of the last record
    info={"kept": ""},
)

APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER frametally_audit_no_{kind} BEFORE {kind} ON frametally_audit_records "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for kind in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION frametally_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
        "CREATE TRIGGER frametally_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON frametally_audit_records FOR EACH STATEMENT EXECUTE FUNCTION frametally_audit_refuse()",
    ],
}
"""Statements that make the records append-only, by dialect."""


@contextmanager
def _unlocked(connection: Connection) -> Iterator[None]:
    """Allow removing records, which the triggers refuse otherwise."""
    on_sqlite = connection.dialect.name == "sqlite"
    triggers = f"ALTER TABLE {records.name} %s TRIGGER USER"
    connection.exec_driver_sql(
        "DROP TRIGGER IF EXISTS frametally_audit_no_delete" if on_sqlite else triggers % "DISABLE"
    )
    yield
    connection.exec_driver_sql(APPEND_ONLY["sqlite"][-1] if on_sqlite else triggers % "ENABLE")


records = Table(
    "frametally_audit_records",
    TABLES,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("ends", BigInteger, nullable=False, index=True),
    Column("status", Integer),
    Column("digest", Text, nullable=False),
    info={"kept": "audit records", "unlocked": _unlocked},
)


@event.listens_for(records, "after_create")
def _refuse_changes(_: Any, connection: Connection, **__: Any) -> None:
    for statement in APPEND_ONLY[connection.dialect.name]:
        connection.exec_driver_sql(statement)
