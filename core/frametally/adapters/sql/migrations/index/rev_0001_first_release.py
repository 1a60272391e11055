"""The count index's tables as the first release made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "frametally_counts",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("interval_start_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("detections", sa.BigInteger(), nullable=False),
        sa.Column("peak", sa.BigInteger(), nullable=False),
        sa.Column("peak_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("run", "interval_start_ms", "source", "label"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "frametally_coverage",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("interval_start_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run", "interval_start_ms", "source"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "frametally_evidence",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("interval_start_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("frames", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "interval_start_ms", "source", "label"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "frametally_index",
        sa.Column("schema_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("schema_version"),
    )
    op.create_table(
        "frametally_runs",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("interval_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "interval_s", "day"),
        sa.UniqueConstraint("number"),
    )
