"""Adds what charts of zones show in addition to counts: filmed intervals, and boxes in tracks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = None


def upgrade() -> None:
    """Create the table and the column; the next load fills both."""
    op.create_table(
        "gold_place_coverage",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("series", sa.Text, primary_key=True),
        sa.Column("interval_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("interval_start", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("objects_measured", sa.Boolean, nullable=False),
        sa.Column("analysed_fps", sa.Float),
        sa.Column("covered_s", sa.Float),
        sa.Column("run_id", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("gold_place_counts", sa.Column("tracked_detections", sa.BigInteger))
