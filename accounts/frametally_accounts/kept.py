"""What backups have of accounts and the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from frametally.adapters.sql.backups.kept_tables import KeptTables
from frametally_accounts import book, tables
from frametally_accounts.audit import book as audit
from frametally_accounts.audit import tables as audit_tables


@contextmanager
def _unlocked(connection: Connection) -> Iterator[None]:
    """Let records of the audit log be removed, which refuses that from everybody else."""
    on_sqlite = connection.dialect.name == "sqlite"
    triggers = f"ALTER TABLE {audit_tables.records.name} %s TRIGGER USER"
    connection.exec_driver_sql(
        "DROP TRIGGER IF EXISTS frametally_audit_no_delete" if on_sqlite else triggers % "DISABLE"
    )
    yield
    connection.exec_driver_sql(audit_tables.APPEND_ONLY["sqlite"][-1] if on_sqlite else triggers % "ENABLE")


TABLES = (
    KeptTables(
        "access",
        book.LAYOUT,
        {"accounts": tables.accounts, "tokens": tables.tokens},
        ("signing_key",),
        # A link that was used would open again, and a log-in that was ended.
        (tables.links, tables.sessions, tables.attempts),
    ),
    KeptTables(
        "audit",
        audit.LAYOUT,
        {"audit records": audit_tables.records},
        ("next_number", "head"),
        unlocked=_unlocked,
    ),
)
