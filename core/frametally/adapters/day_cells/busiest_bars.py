"""The busiest evidence frames of a query: those of a few bars, which the cells of runs identify."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from frametally import keys
from frametally.adapters.day_cells.storage import (
    CurrentRun,
    EvidenceBar,
    KeptCells,
    Piece,
    RunCells,
    pieces,
    range_of,
    usable_steps,
)
from frametally.adapters.day_cells.sums import busiest
from frametally.ports.count_index import CountQuery, IndexDamaged, IndexedEvidence, part_at
from frametally.records import Evidence
from frametally.rules.evidence import MOST_EVIDENCE
from frametally.rules.times import DAY_MS, DAY_S

_MAX_EVIDENCE_PER_LABEL = 100


class Reads(NamedTuple):
    """The reads of an index at one moment: cells of a piece's runs, and evidence as `_read_frames`."""

    kept_cells: KeptCells
    batches: Callable[[CountQuery, Piece], Iterator[tuple[Piece, list[tuple[CurrentRun, RunCells]]]]]
    frames: Callable[[Sequence[EvidenceBar], bool], Iterable[tuple[EvidenceBar, list[Evidence] | None]]]


def busiest_evidence(reads: Reads, query: CountQuery, limit_per_label: int) -> list[IndexedEvidence]:
    """Return the busiest evidence frames per label, by label, then in the order of `CountIndex.evidence`.

    A bar's best frame has its peak count, so a bar's frames can be among the n busiest only if its best frame
    is: n bars per label are enough, plus those that tie with the n-th.
    """
    limit = min(limit_per_label, _MAX_EVIDENCE_PER_LABEL)
    if limit < 1:
        return []
    base_s = query.base_interval_s
    usable_s = usable_steps(base_s, DAY_S, week_parts=query.week_parts)
    is_of_days = limit <= MOST_EVIDENCE and base_s < DAY_S and DAY_S in usable_s
    base_ms = base_s * 1000
    items = []
    for piece in pieces([base_s, DAY_S] if is_of_days else [base_s], *range_of(query)):
        for part, labels in _busiest_parts(reads, query, piece, limit):
            for source, label, frames in _evidence_of(reads, query._replace(labels=labels), part, limit):
                for frame in frames:
                    start_ms = frame.captured_at_ms // base_ms * base_ms
                    items.append(IndexedEvidence(source, label, start_ms, frame))
    items.sort(key=evidence_order)
    by_label = groupby(items, key=lambda item: item.label)
    return [item for _, of_label in by_label for item in islice(of_label, limit)]


def evidence_order(item: IndexedEvidence) -> tuple[str, int, int, str]:
    """Return the sort key of evidence: label, busiest first, time, path."""
    frame = item.evidence
    return (item.label, -frame.count, frame.captured_at_ms, frame.image_path)


def _busiest_parts(
    reads: Reads, query: CountQuery, piece: Piece, limit: int
) -> Iterator[tuple[Piece, Sequence[str]]]:
    """Yield the pieces to search for evidence, each with the labels to search for.

    For some hours of a year there is no evidence by day; base intervals are searched only in the hours with
    the `limit` greatest peaks.
    """
    base_s = query.base_interval_s
    steps_s = [base_s]
    if query.week_parts and piece.step_s == base_s:
        steps_s += usable_steps(base_s, DAY_S, week_parts=query.week_parts)[1:][-1:]
    if len(steps_s) == 1:
        yield piece, query.labels
        return
    for part in pieces(steps_s, piece.from_ms, piece.to_ms):
        if part.step_s == base_s:
            yield part, query.labels
            continue
        labels_of: defaultdict[int, list[str]] = defaultdict(list)
        for _, batch in reads.batches(query, part):
            for start_ms, _, label in busiest(batch, reads.kept_cells, query, part, limit):
                labels_of[start_ms].append(label)
        for start_ms, labels in labels_of.items():
            yield Piece(base_s, start_ms, start_ms + part.step_s * 1000), sorted({*labels})


def _evidence_of(
    reads: Reads, query: CountQuery, piece: Piece, limit: int
) -> Iterator[tuple[str, str, list[Evidence]]]:
    """Yield source, label and evidence frames of a piece, which include the `limit` busiest of each label."""
    for _, batch in reads.batches(query, piece):
        runs = {run.day_ms: (run, cells.writers) for run, cells in batch}
        bars = []
        for start_ms, source, label in busiest(batch, reads.kept_cells, query, piece, limit):
            run, writers = runs[start_ms // DAY_MS * DAY_MS]
            bars.append(EvidenceBar(run, start_ms, source, label, writers.get(part_at(source, start_ms))))
        for bar, frames in reads.frames(bars, piece.step_s != query.base_interval_s):
            if frames is None:
                raise IndexDamaged(f"its evidence of {bar.source} on {keys.utc_day(bar.start_ms)}")
            yield bar.source, bar.label, frames
