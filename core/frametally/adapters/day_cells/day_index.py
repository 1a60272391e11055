"""The shared part of every index of days: answers from the cells of runs, and evidence of a few bars."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from frametally import keys
from frametally.adapters.day_cells.catalogue import CurrentRun, DayCatalogue, KeptCells, read_sources
from frametally.adapters.day_cells.parts import part_at
from frametally.adapters.day_cells.storage import Packed
from frametally.ports.base_index import BaseCountIndex
from frametally.ports.count_index import (
    Bucket,
    CountQuery,
    CoverageBucket,
    IndexDamaged,
    Series,
    SourceSummary,
)
from frametally.ports.count_questions import Piece, pieces, usable_steps
from frametally.records import Evidence
from frametally.rules.times import DAY_MS, DAY_S

if TYPE_CHECKING:
    from frametally.adapters.day_cells.cells import RunCells

MomentT = TypeVar("MomentT")


class EvidenceBar(NamedTuple):
    """A bar of a run that has evidence: of its base interval, or of its day.

    Attributes:
        writer: The run under which its row lies (see `WrittenPart`); None: under `run`.
    """

    run: CurrentRun
    start_ms: int
    source: str
    label: str
    writer: int | str | None = None


class DayIndex(BaseCountIndex[MomentT, DayCatalogue]):
    """A count index that keeps each run's cells by each step, and reads them whole."""

    def __init__(self) -> None:
        self._kept_cells = KeptCells()

    @abstractmethod
    def _read_packed(
        self, now: MomentT, runs: Sequence[CurrentRun], step_s: int
    ) -> Iterable[tuple[CurrentRun, Packed]]:
        """Read what is packed of some runs by a step, in their order. Raises `IndexDamaged`."""

    @abstractmethod
    def _read_frames(
        self, now: MomentT, bars: Sequence[EvidenceBar], *, of_day: bool
    ) -> Iterable[tuple[EvidenceBar, list[Evidence] | None]]:
        """Read the evidence of some bars, or of their days; None where it is not there as it was written."""

    def _read_sources(self, now: MomentT, catalogue: DayCatalogue, series: Series) -> Iterator[SourceSummary]:
        return read_sources(partial(self._read_packed, now), catalogue, series)

    def _read_counts(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, parts: Sequence[Piece]
    ) -> tuple[Sequence[Bucket], Sequence[CoverageBucket]]:
        from frametally.adapters.day_cells import sums  # numpy takes long, and `status` needs none

        return sums.counts_of(self._batches(now, catalogue, query, *parts), self._kept_cells, query)

    def _read_evidence(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[str, str, list[Evidence]]]:
        for part, labels in self._busiest_parts(now, catalogue, query, piece, limit):
            yield from self._evidence_of(now, catalogue, query._replace(labels=labels), part, limit)

    def _busiest_parts(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[Piece, Sequence[str]]]:
        """Give the pieces in which evidence is looked for, each with the labels that are looked for.

        Of some hours of a year there is no evidence by days; that of its base intervals is looked for only in
        the hours of the `limit` greatest peaks.
        """
        from frametally.adapters.day_cells import sums  # numpy takes long, and `status` needs none

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
            for _, batch in self._batches(now, catalogue, query, part):
                for start_ms, _, label in sums.busiest(batch, self._kept_cells, query, part, limit):
                    labels_of[start_ms].append(label)
            for start_ms, labels in labels_of.items():
                yield Piece(base_s, start_ms, start_ms + part.step_s * 1000), sorted({*labels})

    def _evidence_of(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, piece: Piece, limit: int
    ) -> Iterator[tuple[str, str, list[Evidence]]]:
        from frametally.adapters.day_cells import sums  # numpy takes long, and `status` needs none

        for _, batch in self._batches(now, catalogue, query, piece):
            runs = {run.day_ms: (run, cells.writers) for run, cells in batch}
            bars = []
            for start_ms, source, label in sums.busiest(batch, self._kept_cells, query, piece, limit):
                run, writers = runs[start_ms // DAY_MS * DAY_MS]
                bars.append(EvidenceBar(run, start_ms, source, label, writers.get(part_at(source, start_ms))))
            for bar, frames in self._read_frames(now, bars, of_day=piece.step_s != query.base_interval_s):
                if frames is None:
                    raise IndexDamaged(f"its evidence of {bar.source} on {keys.utc_day(bar.start_ms)}")
                yield bar.source, bar.label, frames

    def _batches(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, *parts: Piece
    ) -> Iterator[tuple[Piece, list[tuple[CurrentRun, RunCells]]]]:
        return self._kept_cells.batches(partial(self._read_packed, now), catalogue, query, parts)
