"""The audit book's tables as they were first made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them, and have the records refuse to be changed or removed."""
    op.create_table(
        "frametally_audit",
        sa.Column("schema_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("schema_version"),
    )
    op.create_table(
        "frametally_audit_records",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_frametally_audit_records_ends", "frametally_audit_records", ["ends"])
    if op.get_bind().dialect.name == "sqlite":
        for kind in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER frametally_audit_no_{kind} BEFORE {kind} ON frametally_audit_records "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION frametally_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER frametally_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON frametally_audit_records FOR EACH STATEMENT EXECUTE FUNCTION frametally_audit_refuse()"
        )
