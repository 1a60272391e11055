"""Reads what a run keeps from the previous one: cells of the base interval, and the day's busiest frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from frametally.adapters.day_cells.cells import cells_of_parts
from frametally.adapters.day_cells.parts import (
    NOTHING_KEPT,
    KeptParts,
    Parts,
    WrittenDay,
    parts_in,
    parts_named,
)
from frametally.adapters.day_cells.storage import EvidenceBar
from frametally.adapters.day_cells.sums import LABEL, PEAK, SLOT, SOURCE
from frametally.ports.count_index import PartsReplaced, part_at
from frametally.records import Evidence
from frametally.rules.evidence import MOST_EVIDENCE, busiest

ReadFrames = Callable[[Sequence[EvidenceBar], bool], Iterable[tuple[EvidenceBar, list[Evidence] | None]]]
"""Reads the frames of bars of the base interval, or of days; None if they are not as written."""


def keep(
    before: WrittenDay | None, names: Collection[str], base_interval_s: int, read_frames: ReadFrames
) -> KeptParts:
    """Return the parts with these names of the day's current run, its cells, and their busiest frames.

    Raises:
        PartsReplaced: The index does not have them, or their frames are not as they were written.
    """
    parts = parts_named(None if before is None else before.packed, names)
    if before is None or not parts:
        return NOTHING_KEPT
    evidence: defaultdict[tuple[str, str], list[Evidence]] = defaultdict(list)
    of_days, of_base = _bars(before, parts, base_interval_s)
    for bars, is_of_day in ((of_days, True), (of_base, False)):
        for bar, frames in read_frames(bars, is_of_day):
            if frames is None:
                raise PartsReplaced(f"the count index has damaged evidence of {bar.source}; index again")
            evidence[bar.source, bar.label] += frames
    return KeptParts(parts, before.packed, {place: busiest(frames) for place, frames in evidence.items()})


def _bars(
    before: WrittenDay, parts: Parts, base_interval_s: int
) -> tuple[list[EvidenceBar], list[EvidenceBar]]:
    """Return the bars that have the busiest frames: of days if all of a source is kept, and others.

    A bar's best frame has its peak count, so the frames kept for a day are in at most as many bars: those
    with the highest peaks, the earliest first.
    """
    run, packed = before
    incomplete = {part.source for part in parts_in(packed) if part not in parts}
    counts, *_ = cells_of_parts(packed, parts, run.day_ms, base_interval_s)
    order = np.lexsort((counts[SLOT], -counts[PEAK].astype(np.int64), counts[SOURCE], counts[LABEL]))
    of_days, of_base = [], []
    rank, place_before = 0, None
    for slot, label, source in counts[[SLOT, LABEL, SOURCE]][:, order].T.tolist():
        rank, place_before = (rank + 1 if (label, source) == place_before else 0), (label, source)
        name = packed.sources[source]
        if name not in incomplete:
            if rank == 0:
                of_days.append(EvidenceBar(run, run.day_ms, name, packed.labels[label]))
        elif rank < MOST_EVIDENCE:
            start_ms = run.day_ms + slot * base_interval_s * 1000
            writer = parts[part_at(name, start_ms)].writer
            of_base.append(EvidenceBar(run, start_ms, name, packed.labels[label], writer))
    return of_days, of_base
