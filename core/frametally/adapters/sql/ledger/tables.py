"""The ledger's tables, for both SQLite and PostgreSQL.

`objects` has a row for each small object in the store that the ledger has read, and `segments` for each
segment, as it was listed: a different listing means that it is new, changed or gone. The other tables have
their contents. Texts that are in every row (models, sources, media) are numbered in `names`. `hours` says
from which segments a source's hour is counted, and where its lines are in them; `hour_sums` has the sums of
their digests, so that planning reads a row for each hour. `frames` has a row per distinct frame, in the order
of event time, so that new rows are adjacent. `tallies` counts these rows by day, and so also shows where a
day's rows are: the time to forget old ones depends only on them. `stretches` has the chains of `segments` in
a few rows, and `listing` the time when all of them, not only new ones, were listed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, SmallInteger, Table, Text, text

from frametally.adapters.sql.migration import about_table

ALL = MetaData()

about = about_table(
    "frametally_ledger",
    ALL,
    # The sums of all digests in `hours`, modulo `DIGESTS`, which expose a lost row.
    *(Column(f"digest_{number}", BigInteger, nullable=False, server_default="0") for number in range(2)),
)

names = Table(
    "frametally_ledger_names",
    ALL,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
)

objects = Table(
    "frametally_ledger_objects",
    ALL,
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # manifest, tombstone, dropped, run
    Column("model", Text),
    Column("size_bytes", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("put_at_ms", BigInteger, nullable=False),
    Column("record", Text),  # as JSON, without fields that can be long
    Column("problem", Text),
    Index("frametally_ledger_objects_kind", "kind", "model", "put_at_ms"),
    Index("frametally_ledger_objects_problem", "key", sqlite_where=text("problem IS NOT NULL")),
)

segments = Table(
    "frametally_ledger_segments",
    ALL,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, unique=True),
    Column("model", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("put_at_ms", BigInteger, nullable=False),
    Column("problem", Text),
    Column("log_id", Text),  # null, like the next columns, if its header could not be read
    Column("topic", Text),
    Column("partition", Integer),
    Column("first_offset", BigInteger),
    Column("next_offset", BigInteger),
    Column("frames", BigInteger),
    Column("dead_letters", BigInteger),
    Column("is_read", SmallInteger, nullable=False),  # 0 if only its header was
    Index("frametally_ledger_segments_put", "model", "put_at_ms"),
    Index("frametally_ledger_segments_problem", "number", sqlite_where=text("problem IS NOT NULL")),
    Index("frametally_ledger_segments_dead", "number", sqlite_where=text("dead_letters > 0")),
    Index("frametally_ledger_segments_unread", "number", sqlite_where=text("is_read = 0")),
)

hours = Table(
    "frametally_ledger_hours",
    ALL,
    Column("model", BigInteger, primary_key=True, autoincrement=False),
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # UTC, as whole hours since 1970
    Column("segment", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("is_own", SmallInteger, nullable=False),  # 0 if its frames are only near the hour
    Column("first_ms", BigInteger, nullable=False),  # up to next_byte: of all its lines in the segment
    Column("last_ms", BigInteger, nullable=False),
    Column("first_byte", BigInteger, nullable=False),
    Column("next_byte", BigInteger, nullable=False),
    Column("crc32", BigInteger, nullable=False),  # of those bytes
    Column("pictures_crc32", BigInteger),  # of the digests of their pictures, which the lines do not have
    *(Column(f"digest_{number}", BigInteger, nullable=False) for number in range(2)),  # 42 bits each
    sqlite_with_rowid=False,
)

hour_sums = Table(
    "frametally_ledger_hour_sums",
    ALL,
    Column("model", BigInteger, primary_key=True, autoincrement=False),
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("segments", BigInteger, nullable=False),
    Column("own", BigInteger, nullable=False),  # of these, the ones with frames within the hour
    *(Column(f"digest_{number}", BigInteger, nullable=False) for number in range(2)),
    sqlite_with_rowid=False,
)

stretches = Table(
    "frametally_ledger_stretches",
    ALL,
    Column("first_key", Text, primary_key=True),
    Column("model", BigInteger, nullable=False, index=True),
    Column("last_key", Text, nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("dead_letters", BigInteger, nullable=False),
    Column("crc32", BigInteger, nullable=False),  # of the other columns except `model`
)

listing = Table(
    "frametally_ledger_listing",
    ALL,
    Column("listed_at_ms", BigInteger, primary_key=True, autoincrement=False),
)

frames = Table(
    "frametally_ledger_frames",
    ALL,
    Column("model", BigInteger, primary_key=True, autoincrement=False),
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("media", BigInteger, primary_key=True, autoincrement=False),
    Column("captured_at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("frame", BigInteger, primary_key=True, autoincrement=False),  # 64 bits of its image_path's hash
    Column("dead", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

tallies = Table(
    "frametally_ledger_tallies",
    ALL,
    Column("model", BigInteger, primary_key=True, autoincrement=False),
    Column("day", BigInteger, primary_key=True, autoincrement=False),  # UTC, as whole days since 1970
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("media", BigInteger, primary_key=True, autoincrement=False),
    Column("detected", BigInteger, nullable=False),
    Column("dead_lettered", BigInteger, nullable=False),
)

dead_letters = Table(
    "frametally_ledger_dead_letters",
    ALL,
    Column("segment", BigInteger, primary_key=True, autoincrement=False),
    Column("at_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("model", BigInteger, nullable=False, index=True),
    Column("source", BigInteger),
    Column("media", BigInteger),
    Column("captured_at_ms", BigInteger),
    Column("frame", BigInteger),
    Column("cause", Text, nullable=False),
)

run_frames = Table(
    "frametally_ledger_run_frames",
    ALL,
    Column("key", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("frames", BigInteger, nullable=False),
)
