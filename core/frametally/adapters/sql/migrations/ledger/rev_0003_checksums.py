"""The checksum of each part of a segment: whoever reads those bytes knows whether they are as stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add it; segments that were taken in before have none."""
    op.add_column("frametally_ledger_parts", sa.Column("crc32", sa.BigInteger(), nullable=True))
