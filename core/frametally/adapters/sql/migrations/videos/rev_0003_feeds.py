"""Cameras and streams of videos: which are to run, who runs them, how they stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "frametally_feeds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("video_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("speed", sa.Float(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("seek_s", sa.Float(), nullable=True),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index("frametally_feeds_due", "frametally_feeds", ["ended_at_ms", "due_at_ms"], unique=False)
    of_camera = sa.text("kind = 'camera'")
    op.create_index(
        "frametally_feeds_camera",
        "frametally_feeds",
        ["source"],
        unique=True,
        sqlite_where=of_camera,
        postgresql_where=of_camera,
    )
    open_video = sa.text("kind = 'video' AND ended_at_ms IS NULL")
    op.create_index(
        "frametally_feeds_video",
        "frametally_feeds",
        ["video_id"],
        unique=True,
        sqlite_where=open_video,
        postgresql_where=open_video,
    )
