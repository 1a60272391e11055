"""The video catalogue's tables as the first release made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "frametally_catalogue",
        sa.Column("schema_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("schema_version"),
    )
    op.create_table(
        "frametally_videos",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("first_captured_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_captured_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("books", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.Column("searched", sa.Text(), nullable=False),
        sa.Column("uploaded_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("filmed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("name_order", sa.LargeBinary(), nullable=False),
        sa.Column("length_ms", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("sha256", "source", "state"):
        op.create_index(op.f(f"ix_frametally_videos_{column}"), "frametally_videos", [column], unique=False)
    for name, column in (
        ("uploaded", "uploaded_at_ms"),
        ("filmed", "filmed_at_ms"),
        ("name", "name_order"),
        ("length", "length_ms"),
        ("size", "size_bytes"),
    ):
        op.create_index(f"frametally_videos_{name}", "frametally_videos", [column, "id"], unique=False)
    op.create_table(
        "frametally_video_previews",
        sa.Column("video_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("video_id", "kind"),
    )
    op.create_table(
        "frametally_uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("video_id", sa.Text(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("length_bytes", sa.BigInteger(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_frametally_uploads_expires_at_ms"), "frametally_uploads", ["expires_at_ms"], unique=False
    )
    op.create_table(
        "frametally_video_jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index(
        op.f("ix_frametally_video_jobs_video_id"), "frametally_video_jobs", ["video_id"], unique=False
    )
    op.create_index(
        "frametally_video_jobs_due", "frametally_video_jobs", ["state", "due_at_ms"], unique=False
    )
    not_ended = sa.text("state IN ('queued', 'running')")
    op.create_index(
        "frametally_video_jobs_one",
        "frametally_video_jobs",
        ["video_id", "kind"],
        unique=True,
        sqlite_where=not_ended,
        postgresql_where=not_ended,
    )
