"""Makes one layout of the six books that had a version table each, any of which may be missing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = None

_BOOKS = ("access", "accuracy", "alerts", "audit", "live")
_STATEMENTS = {
    "access": (
        "CREATE TABLE frametally_signing_keys (signing_key TEXT NOT NULL PRIMARY KEY)",
        "INSERT INTO frametally_signing_keys "
        "SELECT signing_key FROM frametally_access WHERE signing_key <> ''",
    ),
    "audit": (
        "CREATE TABLE frametally_audit_ends (next_number BIGINT NOT NULL PRIMARY KEY, head TEXT NOT NULL)",
        "INSERT INTO frametally_audit_ends SELECT next_number, head FROM frametally_audit",
    ),
    "live": (
        "UPDATE frametally_catalogue SET changed = (SELECT changed FROM frametally_live) "
        "WHERE changed < (SELECT changed FROM frametally_live)",
    ),
    "alerts": (
        "UPDATE frametally_catalogue SET next_number = (SELECT next_number FROM frametally_alerts) "
        "WHERE next_number < (SELECT next_number FROM frametally_alerts)",
    ),
}


def upgrade() -> None:
    """Keep the other values of the version tables, and replace these by views of the one version."""
    present = {*sa.inspect(op.get_bind()).get_table_names()}
    if "frametally_catalogue" not in present:
        op.execute(
            "CREATE TABLE frametally_catalogue (schema_version INTEGER NOT NULL PRIMARY KEY, "
            "next_number BIGINT NOT NULL, changed BIGINT DEFAULT '0' NOT NULL)"
        )
        op.execute("INSERT INTO frametally_catalogue (schema_version, next_number) VALUES (10, 1)")
    for book in _BOOKS:
        name = f"frametally_{book}"
        if name in present:
            for statement in _STATEMENTS.get(book, ()):
                op.execute(statement)
            op.drop_table(name)
        op.execute(f"CREATE VIEW {name} AS SELECT schema_version FROM frametally_catalogue")  # noqa: S608
