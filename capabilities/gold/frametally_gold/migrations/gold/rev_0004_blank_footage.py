"""Adds columns for blank footage, null for days that an earlier version loaded."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the columns; days that are loaded from now on fill them."""
    for table in ("gold_coverage", "gold_place_coverage"):
        op.add_column(table, sa.Column("blank_frames", sa.BigInteger))
        op.add_column(table, sa.Column("blank_s", sa.Float))
        op.add_column(table, sa.Column("blank_reasons", sa.Text))
