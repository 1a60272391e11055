"""Drops the mark of a day's sources, since its run identifies them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Drop the mark, and reload all days, since only the mark showed which version loaded them."""
    op.drop_column("gold_loads", "made_of")
    op.execute(sa.text("UPDATE gold_loads SET run_id = ''"))
