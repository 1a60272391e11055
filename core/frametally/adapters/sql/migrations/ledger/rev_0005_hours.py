"""Stores the hours of segments, and headers before lines; a refresh reads all segments again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Replace the tables, and forget what was read of segments."""
    op.execute("DELETE FROM frametally_ledger_objects WHERE kind = 'segment'")
    for number in range(2):
        column = sa.Column(f"digest_{number}", sa.BigInteger, nullable=False, server_default="0")
        op.add_column("frametally_ledger", column)
    op.drop_table("frametally_ledger_stretches")
    op.create_table(
        "frametally_ledger_stretches",
        sa.Column("first_key", sa.Text, primary_key=True),
        sa.Column("model", sa.BigInteger, nullable=False, index=True),
        sa.Column("last_key", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("first_offset", "next_offset", "frames", "dead_letters", "crc32")
        ),
    )
    for name in ("listing", "frames", "tallies", "dead_letters"):
        op.execute(sa.delete(sa.table(f"frametally_ledger_{name}")))
    op.drop_table("frametally_ledger_parts")
    op.drop_table("frametally_ledger_segments")
    op.create_table(
        "frametally_ledger_segments",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("model", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("put_at_ms", sa.BigInteger, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("log_id", sa.Text),
        sa.Column("topic", sa.Text),
        sa.Column("partition", sa.Integer),
        *(
            sa.Column(name, sa.BigInteger)
            for name in ("first_offset", "next_offset", "frames", "dead_letters")
        ),
        sa.Column("is_read", sa.SmallInteger, nullable=False),
    )
    op.create_index("frametally_ledger_segments_put", "frametally_ledger_segments", ["model", "put_at_ms"])
    for name, condition in (
        ("problem", "problem IS NOT NULL"),
        ("dead", "dead_letters > 0"),
        ("unread", "is_read = 0"),
    ):
        op.create_index(
            f"frametally_ledger_segments_{name}",
            "frametally_ledger_segments",
            ["number"],
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
    op.create_table(
        "frametally_ledger_hours",
        *(
            sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)
            for name in ("model", "source", "hour")
        ),
        sa.Column("segment", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
        sa.Column("is_own", sa.SmallInteger, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("first_ms", "last_ms", "first_byte", "next_byte")
        ),
        sa.Column("crc32", sa.BigInteger),
        sa.Column("pictures_crc32", sa.BigInteger),
        *(sa.Column(f"digest_{number}", sa.BigInteger, nullable=False) for number in range(2)),
        sqlite_with_rowid=False,
    )
