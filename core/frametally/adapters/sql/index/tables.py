"""The count index's tables, for SQLite and PostgreSQL alike.

One row of `runs` per model, interval and day: the current one. `number` ties its rows in the other tables to
it, rises with every publication and is never used again. What is summed over many bars lies in `cells`, a few
arrays a run, by the base interval and by longer steps (`frametally.ports.steps`); what is shown of a few bars
(evidence) lies in rows.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_VERSION = 3

ALL = MetaData()

about = Table(
    "frametally_index",
    ALL,
    Column("schema_version", Integer, primary_key=True, autoincrement=False),
    Column("next_number", BigInteger, nullable=False),
)

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
)

evidence = Table(
    "frametally_evidence",
    ALL,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("interval_start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("frames", Text, nullable=False),  # list of Evidence, as JSON
    sqlite_with_rowid=False,
)

cells = Table(  # counts and coverage by each stored step, as arrays: see `cells`
    "frametally_cells",
    ALL,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
)

rolled_evidence = Table(  # of a whole run, so of a day
    "frametally_rolled_evidence",
    ALL,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("label", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("frames", Text, nullable=False),  # the first MOST_EVIDENCE of the day, as in `evidence`
    sqlite_with_rowid=False,
)

DOCUMENTS = (evidence, rolled_evidence, cells)
"""Tables whose rows belong to a run."""
