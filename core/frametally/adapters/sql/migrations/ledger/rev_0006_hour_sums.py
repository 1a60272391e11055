"""Sums up the segments of each hour, so that planning need not read all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table, with the sums of the segments that are there."""
    op.create_table(
        "frametally_ledger_hour_sums",
        *(
            sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)
            for name in ("model", "source", "hour")
        ),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("segments", "own", "with_crc32", "digest_0", "digest_1")
        ),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO frametally_ledger_hour_sums "
        "SELECT model, source, hour, count(*), sum(is_own), count(crc32), sum(digest_0), sum(digest_1) "
        "FROM frametally_ledger_hours GROUP BY model, source, hour"
    )
