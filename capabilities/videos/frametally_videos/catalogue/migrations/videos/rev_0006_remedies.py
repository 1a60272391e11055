"""Adds the remedy of a refused upload."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("frametally_uploads", sa.Column("remedy", sa.Text))
