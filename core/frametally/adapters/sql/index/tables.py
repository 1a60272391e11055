"""The count index's tables, for SQLite and PostgreSQL alike.

One row of `runs` per model, interval and day: the current one. `number` ties its rows in the other tables to
it, rises with every publication and is never used again. Rows of a run lie together, in the order of time,
so that a range of days reads just its part of each table; what is only shown for a few bars (evidence) lies
apart from what is summed over many.

The `rolled` tables hold sums of a run's rows over longer steps (`frametally.ports.steps`), made in the
transaction that publishes it; their rows lie by label, as a long range is mostly asked for a few.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_VERSION = 2

_metadata = MetaData()

about = Table(
    "frametally_index",
    _metadata,
    Column("schema_version", Integer, primary_key=True, autoincrement=False),
    Column("next_number", BigInteger, nullable=False),
)

runs = Table(
    "frametally_runs",
    _metadata,
    Column("model", Text, primary_key=True),
    Column("interval_s", Integer, primary_key=True, autoincrement=False),
    Column("day", Text, primary_key=True),
    Column("params", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("record", Text, nullable=False),  # the Run, as JSON
)

counts = Table(
    "frametally_counts",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("detections", BigInteger, nullable=False),
    Column("peak", BigInteger, nullable=False),
    Column("peak_at_ms", BigInteger, nullable=False),  # when the best evidence frame was captured
    Column("objects", BigInteger),
    sqlite_with_rowid=False,
)

evidence = Table(
    "frametally_evidence",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("frames", Text, nullable=False),  # list of Evidence, as JSON
    sqlite_with_rowid=False,
)

coverage = Table(
    "frametally_coverage",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("frames", BigInteger, nullable=False),
    Column("slowest_fps", Float),  # `analysed_fps` of the record
    sqlite_with_rowid=False,
)

rolled_counts = Table(
    "frametally_rolled_counts",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("label", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("detections", BigInteger, nullable=False),
    Column("peak", BigInteger, nullable=False),
    Column("objects", BigInteger),
    sqlite_with_rowid=False,
)

rolled_coverage = Table(
    "frametally_rolled_coverage",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("frames", BigInteger, nullable=False),
    Column("slowest_fps", Float),
    sqlite_with_rowid=False,
)

rolled_evidence = Table(  # of a whole run, so of a day
    "frametally_rolled_evidence",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("label", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("peak", BigInteger, nullable=False),
    Column("peak_at_ms", BigInteger, nullable=False),
    Column("frames", Text, nullable=False),  # the first MOST_EVIDENCE of the day, as in `evidence`
    sqlite_with_rowid=False,
)

rolled_hours = Table(  # the hours of `rolled_counts` once more, as arrays: see `sql_packing`
    "frametally_rolled_hours",
    _metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("cells", LargeBinary, nullable=False),
)

ALL = _metadata
DOCUMENTS = (counts, evidence, coverage, rolled_counts, rolled_coverage, rolled_evidence, rolled_hours)
"""Tables whose rows belong to a run."""
