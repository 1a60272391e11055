"""How many workers each job has lost: they count by themselves, not as attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the number; losses so far were counted as attempts."""
    op.add_column(
        "frametally_video_jobs", sa.Column("losses", sa.Integer(), server_default="0", nullable=False)
    )
