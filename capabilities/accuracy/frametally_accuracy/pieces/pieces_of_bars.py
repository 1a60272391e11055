"""Counts the pieces of a check in each bar of a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from frametally_accuracy.pieces.counted_pieces import PIECE_MS
from frametally_accuracy.records import AccuracyCheck
from frametally_accuracy.rules.drawing import Whole
from frametally_web.charts.bars import Ranges, touches
from frametally_web.charts.checks import CheckedCount


class PiecesOfBars:
    """The start times of a check's pieces."""

    def __init__(self, check: AccuracyCheck) -> None:
        """Compute the start times from the check's footage."""
        starts: dict[str, list[Whole]] = {}
        for source, from_ms, to_ms in check.footage:
            starts.setdefault(source, []).append(np.arange(from_ms, to_ms, PIECE_MS))
        self._starts = {source: np.concatenate(parts) for source, parts in starts.items()}
        self._units = check.units

    def in_bars(
        self, sources: Sequence[str], chosen: Ranges | None, counts: Mapping[int, CheckedCount]
    ) -> dict[int, int]:
        """Return the number of pieces in each bar, by the bar's place; 0 if the bar splits a piece.

        `chosen`: the event times that count; None for all.
        """
        none = np.zeros(0, dtype=np.int64)
        starts = np.sort(np.concatenate([none, *(self._starts.get(one, none) for one in sources)]))
        if chosen is not None:
            starts = starts[[touches(chosen, one, one + PIECE_MS) for one in starts.tolist()]]
        found = {}
        for place, one in counts.items():
            first, behind = np.searchsorted(starts, [one.start_ms - PIECE_MS + 1, one.end_ms])
            number = int(behind - first)
            is_whole = not one.start_ms % PIECE_MS and not one.end_ms % PIECE_MS
            found[place] = number if is_whole or number == self._units else 0
        return found
