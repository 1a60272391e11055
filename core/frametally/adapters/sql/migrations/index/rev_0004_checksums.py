"""A checksum in each row, over its other columns; made of the rows as they are."""

from __future__ import annotations

import zlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COLUMNS = {
    "runs": ("model", "interval_s", "day", "params", "sequence", "number", "record"),
    "evidence": ("run", "interval_start_ms", "source", "label", "frames"),
    "rolled_evidence": ("run", "label", "source", "frames"),
    "cells": ("run", "step_s", "packed"),
}


def upgrade() -> None:
    """Add and fill them, run by run."""
    connection = op.get_bind()
    for name in _COLUMNS:
        crc32 = sa.Column("crc32", sa.BigInteger(), nullable=False, server_default="0")
        op.add_column(f"frametally_{name}", crc32)
    numbers = connection.execute(sa.text("SELECT number FROM frametally_runs")).scalars().all()
    for name, columns in _COLUMNS.items():
        table = sa.table(f"frametally_{name}", *map(sa.column, (*columns, "crc32")))
        run = table.c["number" if name == "runs" else "run"]
        key = columns[:-1]
        fill = sa.update(table).where(*(table.c[column] == sa.bindparam(f"of_{column}") for column in key))
        fill = fill.values(crc32=sa.bindparam("made"))
        for number in numbers:
            rows = connection.execute(sa.select(*table.c[columns]).where(run == number)).all()
            made = [
                {"made": _checksum(row)} | {f"of_{column}": row[at] for at, column in enumerate(key)}
                for row in rows
            ]
            if made:
                connection.execute(fill, made)


def _checksum(row: Any) -> int:
    crc32 = 0
    for value in row:
        crc32 = zlib.crc32(str(value).encode() if isinstance(value, str | int) else value, crc32)
        crc32 = zlib.crc32(b"\0", crc32)
    return crc32
