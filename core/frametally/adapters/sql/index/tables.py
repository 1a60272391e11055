"""The count index's tables, for both SQLite and PostgreSQL.

`runs` has one row per model, interval and day: the current run. `number` links it to its rows in the other
tables, rises with every publication and is never used again. Values that are summed over many bars are in
`cells`, a few arrays per run, by the base interval and by longer steps (`day_cells.storage`); what is shown
for a few bars (evidence) is in rows. Each row has its own checksum: a changed row is reported, not charted.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Row, RowMapping, Table, Text

from frametally.adapters.sql.migration import about_table

SCHEMA_VERSION = 10

ALL = MetaData()


def _crc32() -> Column[int]:
    return Column("crc32", BigInteger, nullable=False, server_default="0")


about = about_table("frametally_index", ALL)

runs = Table(
    "frametally_runs",
    ALL,
    Column("model", Text, primary_key=True),
    Column("interval_s", Integer, primary_key=True, autoincrement=False),
    Column("day", Text, primary_key=True),
    Column("params", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("record", Text, nullable=False),  # the Run, as JSON
    _crc32(),
)

evidence = Table(
    "frametally_evidence",
    ALL,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("frames", Text, nullable=False),  # list of Evidence, as JSON
    _crc32(),
    sqlite_with_rowid=False,
)

cells = Table(  # counts and coverage for each stored step, as arrays: see `day_cells`
    "frametally_cells",
    ALL,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
    _crc32(),
)

rolled_evidence = Table(  # for a whole run, that is, a day
    "frametally_rolled_evidence",
    ALL,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("label", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("frames", Text, nullable=False),  # the first MOST_EVIDENCE of the day, as in `evidence`
    _crc32(),
    sqlite_with_rowid=False,
)

DOCUMENTS = (evidence, rolled_evidence, cells)
"""Tables whose rows belong to a run."""


def is_intact(table: Table, row: Row[Any] | None) -> bool:
    """Return whether a row exists and matches its checksum."""
    return row is not None and checksum(table, row._mapping) == row.crc32


def checksum(table: Table, row: Mapping[str, Any] | RowMapping) -> int:
    """Return the crc32 of a row's other columns, both its key and its values."""
    *key, body = [row[name] for name in _NAMES[table]]
    crc32 = zlib.crc32("".join([f"{value}\0" for value in key]).encode())
    return zlib.crc32(b"\0", zlib.crc32(body.encode() if isinstance(body, str) else body, crc32))


_NAMES = {
    table: [column.name for column in table.columns if column.name != "crc32"] for table in (runs, *DOCUMENTS)
}
