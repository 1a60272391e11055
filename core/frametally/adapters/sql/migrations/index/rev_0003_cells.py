"""Counts and coverage as arrays by each stored step, in place of rows of three kinds.

Made from the rows of the base intervals. Of rates, the slowest counts and an unknown one hides all others:
they stand in the place of the peak as the bits of the number, below zero, and 1 for unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_STEPS_S = (900, 3600, 86_400)
_DAY_MS = 86_400_000
_COUNTS = sa.text(
    "SELECT label, source, interval_start_ms, detections, peak, objects FROM frametally_counts "
    "WHERE run = :run"
)
_COVERAGE = sa.text(
    "SELECT '', source, interval_start_ms, frames, slowest_fps, 0 FROM frametally_coverage WHERE run = :run"
)


def upgrade() -> None:
    """Make them, and drop the rows."""
    table = op.create_table(
        "frametally_cells",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run", "step_s"),
    )
    connection = op.get_bind()
    runs = connection.execute(sa.text("SELECT number, interval_s FROM frametally_runs")).all()
    for number, interval_s in runs:
        counts = connection.execute(_COUNTS, {"run": number}).all()
        coverage = connection.execute(_COVERAGE, {"run": number}).all()
        labels = sorted({row[0] for row in counts})
        sources = sorted({row[1] for row in (*counts, *coverage)})
        of_counts = _cells([(*row[:5], -1 if row[5] is None else row[5]) for row in counts], labels, sources)
        of_coverage = _cells([(*row[:4], _rate(row[4]), 0) for row in coverage], [""], sources)
        for step_s in (interval_s, *(s for s in _STEPS_S if s > interval_s and s % interval_s == 0)):
            rolled = [_rolled(cells, step_s * 1000) for cells in (of_counts, of_coverage)]
            kind = "<i4" if rolled[0].max(initial=0) < 2**31 else "<i8"
            bodies = rolled[0].astype(kind).tobytes(), kind, rolled[1].astype("<i8").tobytes()
            packed = msgspec.msgpack.encode([labels, sources, *bodies])
            connection.execute(sa.insert(table), {"run": number, "step_s": step_s, "packed": packed})
    for name in ("counts", "coverage", "rolled_counts", "rolled_coverage", "rolled_hours"):
        op.drop_table(f"frametally_{name}")
    for column in ("peak", "peak_at_ms"):
        op.drop_column("frametally_rolled_evidence", column)


def _rate(fps: float | None) -> int:
    return 1 if fps is None else -int(np.float64(fps).view(np.int64))


def _cells(rows: Sequence[Any], labels: list[str], sources: list[str]) -> Any:
    """Return milliseconds since midnight, label, source and values; by label, time and source."""
    of_label = {name: number for number, name in enumerate(labels)}
    of_source = {name: number for number, name in enumerate(sources)}
    cells = np.array(
        [(at % _DAY_MS, of_label[label], of_source[source], *values) for label, source, at, *values in rows],
        np.int64,
    )
    cells = cells.reshape(-1, 6).T
    return cells[:, np.lexsort((cells[2], cells[0], cells[1]))]


def _rolled(cells: Any, step_ms: int) -> Any:
    if not cells.shape[1]:
        return cells
    slot = cells[0] // step_ms
    cells = cells[:, np.lexsort((cells[2], slot, cells[1]))]
    keys = np.stack([cells[0] // step_ms, cells[1], cells[2]])
    first = np.flatnonzero(np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)])
    objects = np.add.reduceat(cells[5], first)
    objects[np.logical_or.reduceat(cells[5] < 0, first)] = -1
    sums = (np.add.reduceat(cells[3], first), np.maximum.reduceat(cells[4], first), objects)
    return np.concatenate([keys[:, first], np.stack(sums)])
