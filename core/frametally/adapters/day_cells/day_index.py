"""A count index of days: answers from one snapshot of the cells of runs, and evidence of a few bars.

An adapter provides a snapshot (a "moment") of itself, and the stored bytes of a run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from frametally.adapters.day_cells.merging import merge_week
from frametally.adapters.day_cells.storage import (
    DETECTIONS,
    RUNS_AT_ONCE,
    SLOT,
    SOURCE,
    CurrentRun,
    EvidenceBar,
    KeptCells,
    Packed,
    Piece,
    RunCells,
    blank_in,
    check_query,
    coverage_row,
    day_order,
    pieces,
    range_of,
    rolled_steps,
    usable_steps,
)
from frametally.books.counted_days import counted_day
from frametally.errors import Misconfigured, Retryable
from frametally.ports.count_index import (
    AGES_S,
    BlankBucket,
    Bucket,
    CountedDay,
    CountQuery,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
    Series,
    SourceSummary,
    WeekHour,
)
from frametally.records import Evidence, Run
from frametally.rules.places import SIMULATED_MODEL, is_of_places
from frametally.rules.times import DAY_MS, DAY_S, HOUR_S
from frametally.rules.week_parts import ranges_of

_SLOTS_AT_ONCE = 10_000

MomentT = TypeVar("MomentT")
_IndexT = TypeVar("_IndexT", bound="DayIndex[Any]")
_AnswerT = TypeVar("_AnswerT")
_P = ParamSpec("_P")


class MomentGone(Retryable):
    """The server gave up the moment before the answer was complete."""


@dataclass
class _Reading:
    """A moment from which an index answers all queries in a block, and its version once that is read."""

    index: object
    moment: Any
    version: str | None = None


_READING: ContextVar[_Reading | None] = ContextVar("held", default=None)


def _of_one_moment(
    ask: Callable[Concatenate[_IndexT, _P], _AnswerT],
) -> Callable[Concatenate[_IndexT, _P], _AnswerT]:
    """Retry once, from another moment, if the first is gone; in a block, only if the version is the same."""

    @wraps(ask)
    def ask_again(index: _IndexT, /, *args: _P.args, **options: _P.kwargs) -> _AnswerT:
        try:
            return ask(index, *args, **options)
        except MomentGone:
            reading = index._current_reading()
            version = reading and index._version(reading.moment)
            with index._reading() as later:
                if version not in (None, index._version(later)):
                    raise
                return ask(index, *args, **options)

    return ask_again


def unpack_late(
    packed: Packed, first_slot: int, labels: dict[str, int], sources: dict[str, int], is_long: bool
) -> RunCells:
    """Return the packed cells of a run; see `Unpack`.

    Numpy, which this imports, is slow to import, and reading the books does not need it.
    """
    from frametally.adapters.day_cells.cells import unpack

    return unpack(packed, first_slot, labels, sources, is_long=is_long)


class DayCatalogue:
    """The contents at one version; it remembers what was read.

    Attributes:
        version: As `CountIndex.version`.
        series: All series, in the order of `CountIndex.series`, which returns `of_pictures`.
        labels: As `CountIndex.labels`, by model.
        days: As `CountIndex.counted_days`, by model.
        sources: The extent of each source of a series.
        records: All current runs by number, if the index keeps them.
    """

    records: Mapping[int, Run] = {}

    def __init__(
        self, version: str, runs: Mapping[Series, Sequence[CurrentRun]], newest: Mapping[str, int]
    ) -> None:
        """Order the series by each model's last publication, whose number is in `newest`."""
        self.version = version
        self.series = sorted(runs, key=lambda entry: (-newest[entry.model], -entry.base_interval_s))
        of_pictures = [entry for entry in self.series if not is_of_places(entry.model)]
        self.of_pictures = sorted(of_pictures, key=lambda entry: entry.model == SIMULATED_MODEL)
        self.labels: dict[str, list[tuple[str, int]]] = {}
        self.sources: dict[Series, list[SourceSummary]] = {}
        self.days: dict[str, list[CountedDay]] = {}
        self._runs = runs

    def of_model(self, model: str) -> list[Series]:
        """Return the model's series, in the order of `series`."""
        return [entry for entry in self.series if entry.model == model]

    def runs(self, series: Series, from_ms: int | None, to_ms: int | None) -> Sequence[CurrentRun]:
        """Return the runs of a series whose days overlap `[from_ms, to_ms)`, by day."""
        runs = self._runs.get(series, ())
        first = 0 if from_ms is None else bisect_right(runs, from_ms - DAY_MS, key=day_order)
        return runs[first : len(runs) if to_ms is None else bisect_left(runs, to_ms, key=day_order)]

    def all_runs(self) -> list[CurrentRun]:
        """Return the runs of all series."""
        return [run for of_series in self._runs.values() for run in of_series]


class DayIndex(ABC, Generic[MomentT]):
    """A count index that keeps each run's cells for each step, and reads them whole, from one snapshot."""

    _last_catalogue: DayCatalogue | None = None

    def __init__(self) -> None:
        self._kept_cells = KeptCells(unpack_late)

    def one_moment(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._current_reading() else self._reading()

    @_of_one_moment
    def version(self) -> str:
        with self._now() as now:
            return self._version(now)

    @_of_one_moment
    def current_runs(self) -> list[Run]:
        with self._now() as now:
            runs = [run for _, run in self._read_runs(now)]
        # Sort texts as Python does, whatever the server's order.
        return sorted(runs, key=lambda run: (run.model, run.interval_s, run.day))

    @_of_one_moment
    def series(self) -> list[Series]:
        with self._now() as now:
            return [*self._catalogue(now).of_pictures]

    @_of_one_moment
    def counted_days(self, model: str) -> list[CountedDay]:
        with self._now() as now:
            catalogue = self._catalogue(now)
            if model not in catalogue.days:
                catalogue.days[model] = [
                    counted_day(run, published) for published, run in self._read_runs(now, model)
                ]
            return [*catalogue.days[model]]

    @_of_one_moment
    def labels(self, model: str) -> list[tuple[str, int]]:
        """Return labels of the model with their detections, most first, then by name.

        These are never summed over base intervals: the one with most of a label counts.
        """
        with self._now() as now:
            catalogue = self._catalogue(now)
            if model not in catalogue.labels:
                most: dict[str, int] = {}
                for series in catalogue.of_model(model):
                    query = CountQuery(*series, interval_s=AGES_S)
                    totals: dict[str, int] = {}
                    for bar in self._counts(now, catalogue, query)[0]:
                        totals[bar.label] = totals.get(bar.label, 0) + bar.detections
                    for label, total in totals.items():
                        most[label] = max(total, most.get(label, 0))
                catalogue.labels[model] = sorted(most.items(), key=lambda item: (-item[1], item[0]))
            return [*catalogue.labels[model]]

    @_of_one_moment
    def sources(self, model: str, base_interval_s: int | None = None) -> list[SourceSummary]:
        with self._now() as now:
            catalogue = self._catalogue(now)
            most: dict[str, SourceSummary] = {}
            for series in catalogue.of_model(model):
                if base_interval_s not in (None, series.base_interval_s):
                    continue
                if series not in catalogue.sources:
                    catalogue.sources[series] = [*self._read_sources(now, catalogue, series)]
                for summary in catalogue.sources[series]:
                    if summary.source not in most or most[summary.source].frames < summary.frames:
                        most[summary.source] = summary
            return [most[source] for source in sorted(most)]

    @_of_one_moment
    def histogram(self, query: CountQuery) -> Histogram:
        check_query(query)
        with self._now() as now:
            bars, covered, blank = self._counts(now, self._catalogue(now), query)
        if max(len(bars), len(covered)) > query.most_bars:
            raise Misconfigured(
                f"interval {query.bar_s} s gives more than {query.most_bars} bars; choose a longer interval "
                "or a shorter range"
            )
        return Histogram(query.model, query.base_interval_s, bars, covered, blank)

    @_of_one_moment
    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        if query.base_interval_s < 1 or HOUR_S % query.base_interval_s:
            raise Misconfigured(
                f"the stored intervals of {query.base_interval_s} s do not divide an hour evenly, so the "
                "hours of the week are unknown"
            )
        check_query(query)
        query = query._replace(interval_s=HOUR_S, of_week=True, apart=(), partial_apart=True)
        with self._now() as now:
            return merge_week(*self._counts(now, self._catalogue(now), query)[:2])

    @_of_one_moment
    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames, by label, then in the order of `CountIndex.evidence`."""
        from frametally.adapters.day_cells.busiest_bars import Reads, busiest_evidence  # numpy

        check_query(query)
        with self._now() as now:
            catalogue = self._catalogue(now)
            reads = Reads(
                self._kept_cells, partial(self._batches, now, catalogue), partial(self._read_frames, now)
            )
            return busiest_evidence(reads, query, limit_per_label)

    @abstractmethod
    def _moment(self) -> AbstractContextManager[MomentT]:
        """Open one state of the index, for all reads in the block."""

    @abstractmethod
    def _read_version(self, now: MomentT) -> str:
        """Read the version of the moment."""

    @abstractmethod
    def _read_catalogue(self, now: MomentT, version: str) -> DayCatalogue:
        """Read the contents at that version, which is that of the moment."""

    @abstractmethod
    def _read_runs(self, now: MomentT, model: str | None = None) -> Iterable[tuple[int, Run]]:
        """Read the current runs (only of `model` if given), each after its `CountedDay.published`."""

    @abstractmethod
    def _read_packed(
        self, now: MomentT, runs: Sequence[CurrentRun], step_s: int
    ) -> Iterable[tuple[CurrentRun, Packed]]:
        """Read the packed cells of some runs for a step, in their order. Raises `IndexDamaged`."""

    @abstractmethod
    def _read_frames(
        self, now: MomentT, bars: Sequence[EvidenceBar], of_day: bool
    ) -> Iterable[tuple[EvidenceBar, list[Evidence] | None]]:
        """Read the evidence of some bars, or of their days; None if it is not as it was written."""

    def _read_sources(self, now: MomentT, catalogue: DayCatalogue, series: Series) -> Iterator[SourceSummary]:
        """Read the extent of each source of a series: its number of frames, and its first and last time."""
        runs = catalogue.runs(series, None, None)
        longest_s = [series.base_interval_s, *rolled_steps(series.base_interval_s)][-1]
        frames: Counter[str] = Counter()
        blank_ms: defaultdict[str, Counter[str]] = defaultdict(Counter)
        blank_share: defaultdict[str, float] = defaultdict(float)
        first_run: dict[str, CurrentRun] = {}
        last_run: dict[str, CurrentRun] = {}
        for first in range(0, len(runs), RUNS_AT_ONCE):
            for run, packed in self._read_packed(now, runs[first : first + RUNS_AT_ONCE], longest_s):
                blank_frames: Counter[str] = Counter()
                for source, reason, frames_there, covered_ms in blank_in(packed):
                    blank_frames[packed.sources[source]] += frames_there
                    blank_ms[packed.sources[source]][reason] += covered_ms
                day_frames = blank_frames.copy()
                for source, frames_there in zip(
                    coverage_row(packed, SOURCE), coverage_row(packed, DETECTIONS), strict=True
                ):
                    name = packed.sources[source]
                    day_frames[name] += frames_there
                    first_run.setdefault(name, run)
                    last_run[name] = run
                frames.update(day_frames)
                for name, number in blank_frames.items():
                    blank_share[name] = max(blank_share[name], number / day_frames[name])
        # The first and the last day have the exact times.
        end_runs = sorted({*first_run.values(), *last_run.values()})
        borders_ms: dict[tuple[CurrentRun, str], tuple[int, int]] = {}
        base_ms = series.base_interval_s * 1000
        for run, packed in self._read_packed(now, end_runs, series.base_interval_s):
            slots, sources = coverage_row(packed, SLOT), coverage_row(packed, SOURCE)
            order = range(len(slots))  # slots are sorted
            for name in (name for name in frames if run in (first_run[name], last_run[name])):
                number = packed.sources.index(name)
                first = next(place for place in order if sources[place] == number)
                last = next(place for place in reversed(order) if sources[place] == number)
                first_ms, last_ms = (run.day_ms + slots[place] * base_ms for place in (first, last))
                borders_ms[run, name] = first_ms, last_ms + base_ms
        for name, number in frames.items():
            from_ms, _ = borders_ms[first_run[name], name]
            _, next_ms = borders_ms[last_run[name], name]
            yield SourceSummary(name, number, from_ms, next_ms, blank_ms[name], blank_share[name])

    def _current_reading(self) -> _Reading | None:
        reading = _READING.get()
        return reading if reading is not None and reading.index is self else None

    @contextmanager
    def _reading(self) -> Iterator[MomentT]:
        """Open a moment for all queries in the block."""
        with self._moment() as now:
            token = _READING.set(_Reading(self, now))
            try:
                yield now
            finally:
                _READING.reset(token)

    def _now(self) -> AbstractContextManager[MomentT]:
        """Return the moment that is held, or open one."""
        reading = self._current_reading()
        return nullcontext(reading.moment) if reading else self._moment()

    def _version(self, now: MomentT) -> str:
        reading = self._current_reading()
        if reading is None:
            return self._read_version(now)
        if reading.version is None:
            reading.version = self._read_version(now)
        return reading.version

    def _catalogue(self, now: MomentT) -> DayCatalogue:
        """Return the contents at that moment, read once per version."""
        version, catalogue = self._version(now), self._last_catalogue
        if catalogue is None or catalogue.version != version:
            self._last_catalogue = catalogue = self._read_catalogue(now, version)
        return catalogue

    def _counts(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery
    ) -> tuple[Sequence[Bucket], Sequence[CoverageBucket], Sequence[BlankBucket]]:
        """Read the bars, the coverage and what shows nothing; no bars if the query has `NO_LABEL`.

        The range is read by its base interval and the longest stored step that the query allows. With
        `of_week`, `start_ms` is that of the hour since Monday.
        """
        from frametally.adapters.day_cells import sums  # imports numpy: slow, and `status` needs none

        bar_s = query.interval_s or query.base_interval_s
        steps_s = usable_steps(query.base_interval_s, bar_s, query.offset_ms, query.week_parts)
        if query.measured_only:
            # Objects are measured by the hour: a longer step does not show which part of it was.
            steps_s = [step_s for step_s in steps_s if step_s <= HOUR_S] or steps_s
        # The ends of a range are within two days at most: each further step would add a piece to read there.
        base_s, *longer = steps_s
        parts = pieces([base_s, *longer[-1:]], *range_of(query))
        return sums.counts_of(self._batches(now, catalogue, query, *parts), self._kept_cells, query)

    def _batches(
        self, now: MomentT, catalogue: DayCatalogue, query: CountQuery, *parts: Piece
    ) -> Iterator[tuple[Piece, list[tuple[CurrentRun, RunCells]]]]:
        """Read what a query needs, a number of slots at a time: a year of hours, a week of minutes."""
        series, read_packed = Series(query.model, query.base_interval_s), partial(self._read_packed, now)
        for piece in parts:
            runs = catalogue.runs(series, piece.from_ms, piece.to_ms)
            if query.week_parts:
                days = ((run, (run.day_ms, run.day_ms + DAY_MS)) for run in runs)
                runs = [run for run, day in days if any(ranges_of(query.week_parts, *day))]
            runs_at_once = max(1, _SLOTS_AT_ONCE * piece.step_s // DAY_S)
            for first in range(0, len(runs), runs_at_once):
                batch = runs[first : first + runs_at_once]
                cells = self._kept_cells.read(read_packed, batch, piece.step_s)
                yield piece, [*zip(batch, cells, strict=True)]
