"""Adds the objects that were there when the footage began, null for days that an earlier version loaded."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the column, and reload all days: their checksums are of rows without it."""
    op.add_column("gold_counts", sa.Column("objects_from_start", sa.BigInteger))
    op.execute(sa.text("UPDATE gold_loads SET run_id = ''"))
