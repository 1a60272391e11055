"""Cells of footage that shows nothing: as a run has them, and as rows of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from frametally.adapters.day_cells.storage import BLANK_REASONS, DETECTIONS, LABEL, SLOT, SOURCE
from frametally.ports.count_index import NOT_LOOKED_AT, BlankBucket

if TYPE_CHECKING:
    from frametally.adapters.day_cells.cells import RunCells
    from frametally.adapters.day_cells.sums import Cells

BlankRows = list[BlankBucket]
_NOT_LOOKED_AT = BLANK_REASONS.index(NOT_LOOKED_AT)


def blank_cells(cells: RunCells) -> Cells:
    """Return the cells of what shows nothing, or was not looked at."""
    if cells.blank is not None:
        return cells.blank
    return not_looked_at(cells.coverage)


def not_looked_at(coverage: Cells) -> Cells:
    """Return cells of coverage as those of footage that nobody looked at."""
    unknown: Cells = coverage.copy()
    unknown[LABEL] = _NOT_LOOKED_AT
    np.maximum(unknown, 0, out=unknown, where=np.arange(7)[:, None] >= DETECTIONS)
    return unknown


def blank_buckets(cells: Cells, sources: Sequence[str | None]) -> BlankRows:
    """Return cells of what shows nothing, whose slots are starts in milliseconds, as rows."""
    return [
        BlankBucket(start_ms, BLANK_REASONS[reason], frames, covered_ms, sources[source])
        for start_ms, reason, source, frames, _, _, covered_ms in cells.T.tolist()
    ]


def is_blank(cells: Cells, blank: Cells, sources: int) -> NDArray[np.bool_]:
    """Return of each cell whether some of its slot and its source, of that many, shows nothing."""
    places: Any = blank[:, blank[LABEL] != _NOT_LOOKED_AT]
    return np.isin(cells[SLOT] * sources + cells[SOURCE], places[SLOT] * sources + places[SOURCE])
