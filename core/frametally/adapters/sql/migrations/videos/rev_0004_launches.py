"""Streams that are launched from elsewhere: how that stands, and until when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add both; what there is needs no launch."""
    op.add_column("frametally_feeds", sa.Column("launch", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "frametally_feeds",
        sa.Column("launch_due_at_ms", sa.BigInteger(), server_default="0", nullable=False),
    )
