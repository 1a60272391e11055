"""How much time each part of a segment spans: a moment's parts are found without a look at all later ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add and fill it."""
    op.add_column("frametally_ledger_parts", sa.Column("span_ms", sa.BigInteger(), nullable=True))
    op.execute("UPDATE frametally_ledger_parts SET span_ms = last_ms - first_ms")
    op.create_index(
        "frametally_ledger_parts_span",
        "frametally_ledger_parts",
        ["model", "source", "span_ms"],
        unique=False,
    )
