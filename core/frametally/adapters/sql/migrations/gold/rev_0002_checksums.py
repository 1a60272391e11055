"""Checksums of the rows that were loaded, and objects that were followed beside those that were measured."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; the next load fills them, as rows are made otherwise since."""
    for table in ("gold_loads", "gold_videos"):
        op.add_column(table, sa.Column("checksums", sa.Text(), nullable=True))
    for table in ("gold_counts", "gold_place_counts", "gold_video_counts"):
        op.add_column(table, sa.Column("followed_objects", sa.BigInteger(), nullable=True))
