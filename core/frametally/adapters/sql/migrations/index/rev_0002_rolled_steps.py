"""Sums of longer steps beside the base intervals, and the rate of analysis beside the frames.

The steps are made from the rows that are there. Rates are in none of them: they stay unknown until a day is
counted and indexed again.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterator
from itertools import groupby

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_STEPS_S = (900, 3600, 86_400)
_MOST_EVIDENCE = 5


def upgrade() -> None:
    """Make and fill them."""
    op.add_column("frametally_coverage", sa.Column("slowest_fps", sa.Float(), nullable=True))
    op.create_table(
        "frametally_rolled_counts",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("interval_start_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("detections", sa.BigInteger(), nullable=False),
        sa.Column("peak", sa.BigInteger(), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("run", "step_s", "label", "source", "interval_start_ms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "frametally_rolled_coverage",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("interval_start_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("slowest_fps", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("run", "step_s", "source", "interval_start_ms"),
        sqlite_with_rowid=False,
    )
    evidence = op.create_table(
        "frametally_rolled_evidence",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("peak", sa.BigInteger(), nullable=False),
        sa.Column("peak_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "label", "source"),
        sqlite_with_rowid=False,
    )
    hours = op.create_table(
        "frametally_rolled_hours",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cells", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run"),
    )
    for step_s in _STEPS_S:
        _roll(step_s)
    connection = op.get_bind()
    runs = connection.execute(sa.text("SELECT number FROM frametally_runs")).scalars().all()
    for number in runs:
        rows = list(_evidence(connection, number))
        if rows:
            connection.execute(sa.insert(evidence), rows)
        connection.execute(sa.insert(hours), {"run": number, "cells": _hours(connection, number)})


def _roll(step_s: int) -> None:
    start = "{0}.interval_start_ms - ({0}.interval_start_ms % {1} + {1}) % {1}"
    of_counts, of_coverage = start.format("c", step_s * 1000), start.format("v", step_s * 1000)
    rolls = f"r.interval_s < {step_s} AND {step_s} % r.interval_s = 0"
    op.execute(
        "INSERT INTO frametally_rolled_counts "  # noqa: S608 - numbers of our own
        f"SELECT c.run, {step_s}, c.label, c.source, {of_counts}, sum(c.detections), max(c.peak), "
        "CASE WHEN count(*) = count(c.objects) THEN sum(c.objects) END "
        f"FROM frametally_counts c JOIN frametally_runs r ON r.number = c.run WHERE {rolls} "
        f"GROUP BY c.run, c.label, c.source, {of_counts}"
    )
    op.execute(
        "INSERT INTO frametally_rolled_coverage "  # noqa: S608 - numbers of our own
        f"SELECT v.run, {step_s}, v.source, {of_coverage}, sum(v.frames), CAST(NULL AS FLOAT) "
        f"FROM frametally_coverage v JOIN frametally_runs r ON r.number = v.run WHERE {rolls} "
        f"GROUP BY v.run, v.source, {of_coverage}"
    )


def _evidence(connection: sa.Connection, number: int) -> Iterator[dict[str, object]]:
    """Give the busiest frames of a run, per label and source."""
    rows = connection.execute(
        sa.text(
            "SELECT label, source, frames FROM frametally_evidence WHERE run = :run ORDER BY label, source"
        ),
        {"run": number},
    )
    for (label, source), group in groupby(rows, key=lambda row: (row[0], row[1])):
        found = [frame for row in group for frame in json.loads(row[2])]
        found.sort(key=lambda frame: (-frame["count"], frame["captured_at_ms"], frame["image_path"]))
        if found:
            yield {
                "run": number,
                "label": label,
                "source": source,
                "peak": found[0]["count"],
                "peak_at_ms": found[0]["captured_at_ms"],
                "frames": json.dumps(found[:_MOST_EVIDENCE], separators=(",", ":"), ensure_ascii=False),
            }


def _hours(connection: sa.Connection, number: int) -> bytes:
    """Pack the hours of a run as arrays: hour, label, source, detections, peak, objects (-1: unknown)."""
    rows = connection.execute(
        sa.text(
            "SELECT label, source, interval_start_ms, detections, peak, objects "
            "FROM frametally_rolled_counts WHERE run = :run AND step_s = 3600"
        ),
        {"run": number},
    )
    labels: dict[str, int] = {}
    sources: dict[str, int] = {}
    columns = [array(kind) for kind in "BHHqqq"]
    for label, source, start_ms, detections, peak, objects in rows:
        of_label, of_source = labels.setdefault(label, len(labels)), sources.setdefault(source, len(sources))
        unique = -1 if objects is None else objects
        values = (start_ms // 3_600_000 % 24, of_label, of_source, detections, peak, unique)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()
    return msgspec.msgpack.encode([[*labels], [*sources], *(column.tobytes() for column in columns)])
