"""Adds counts of frames by day, stretches of segments, and indexes for status; a refresh fills them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = None


def upgrade() -> None:
    """Create the tables and the indexes."""
    op.create_table(
        "frametally_ledger_stretches",
        sa.Column("first_key", sa.Text, primary_key=True),
        sa.Column("model", sa.BigInteger, nullable=False, index=True),
        sa.Column("last_key", sa.Text, nullable=False),
        sa.Column("first_offset", sa.BigInteger, nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("dead_letters", sa.BigInteger, nullable=False),
    )
    op.drop_table("frametally_ledger_tallies")
    op.create_table(
        "frametally_ledger_tallies",
        *(
            sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)
            for name in ("model", "day", "source", "media")
        ),
        sa.Column("detected", sa.BigInteger, nullable=False),
        sa.Column("dead_lettered", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO frametally_ledger_tallies (model, day, source, media, detected, dead_lettered) "
        "SELECT model, day, source, media, sum(1 - dead), sum(dead) FROM (SELECT model, source, media, dead, "
        "(captured_at_ms - (captured_at_ms % 86400000 + 86400000) % 86400000) / 86400000 AS day "
        "FROM frametally_ledger_frames) AS dated GROUP BY model, day, source, media"
    )
    op.create_table(
        "frametally_ledger_listing",
        sa.Column("listed_at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    op.drop_index("frametally_ledger_objects_kind", "frametally_ledger_objects")
    op.create_index(
        "frametally_ledger_objects_kind", "frametally_ledger_objects", ["kind", "model", "put_at_ms"]
    )
    has_problem = sa.text("problem IS NOT NULL")
    op.create_index(
        "frametally_ledger_objects_problem",
        "frametally_ledger_objects",
        ["key"],
        sqlite_where=has_problem,
        postgresql_where=has_problem,
    )
