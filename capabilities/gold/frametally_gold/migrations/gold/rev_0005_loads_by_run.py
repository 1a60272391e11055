"""Drops the mark of what a day was loaded from: its run says it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Drop the mark, and load all days again: only the mark said which version has loaded them."""
    op.drop_column("gold_loads", "made_of")
    op.execute(sa.text("UPDATE gold_loads SET run_id = ''"))
