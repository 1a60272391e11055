"""The ledger's tables as the first release made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "frametally_ledger",
        sa.Column("schema_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("schema_version"),
    )
    op.create_table(
        "frametally_ledger_dead_letters",
        sa.Column("segment", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.BigInteger(), nullable=True),
        sa.Column("media", sa.BigInteger(), nullable=True),
        sa.Column("captured_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("frame", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "at_offset"),
    )
    op.create_index(
        op.f("ix_frametally_ledger_dead_letters_model"),
        "frametally_ledger_dead_letters",
        ["model"],
        unique=False,
    )
    op.create_table(
        "frametally_ledger_frames",
        sa.Column("model", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("media", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("captured_at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frame", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dead", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "source", "media", "captured_at_ms", "frame"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "frametally_ledger_names",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("number"),
    )
    op.create_table(
        "frametally_ledger_objects",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("put_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("frametally_ledger_objects_kind", "frametally_ledger_objects", ["kind"], unique=False)
    op.create_table(
        "frametally_ledger_parts",
        sa.Column("model", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segment", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_byte", sa.BigInteger(), nullable=False),
        sa.Column("next_byte", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "source", "last_ms", "segment"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_frametally_ledger_parts_segment"), "frametally_ledger_parts", ["segment"], unique=False
    )
    op.create_table(
        "frametally_ledger_run_frames",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "source"),
    )
    op.create_table(
        "frametally_ledger_segments",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("dead_letters", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(
        op.f("ix_frametally_ledger_segments_model"), "frametally_ledger_segments", ["model"], unique=False
    )
    op.create_table(
        "frametally_ledger_tallies",
        sa.Column("model", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("media", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("detected", sa.BigInteger(), nullable=False),
        sa.Column("dead_lettered", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "source", "media"),
    )
