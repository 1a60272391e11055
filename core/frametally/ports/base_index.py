"""The shared part of every count index: checks, catalogue, pieces of a range, answers.

An adapter gives one moment of itself, and what it has in one piece of a range, read by one stored step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from itertools import groupby, islice
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import msgspec

from frametally import keys
from frametally.errors import Misconfigured, Retryable
from frametally.ports.count_index import (
    AGES_S,
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
from frametally.ports.count_questions import MAX_BUCKETS, Piece, check_query, outdated, pieces, usable_steps
from frametally.ports.merging import merge_week
from frametally.records import Evidence, Run
from frametally.rules.evidence import MOST_EVIDENCE
from frametally.rules.places import is_of_places
from frametally.rules.times import DAY_S, HOUR_S, clamped_ms

_MAX_EVIDENCE_PER_LABEL = 100

MomentT = TypeVar("MomentT")
CatalogueT = TypeVar("CatalogueT", bound="BaseCatalogue[Any]")
_IndexT = TypeVar("_IndexT", bound="BaseCountIndex[Any, Any]")
_AnswerT = TypeVar("_AnswerT")
_P = ParamSpec("_P")


class MomentGone(Retryable):
    """The server has given up the moment that was being read, before the answer was complete."""


@dataclass
class _Reading:
    """A moment from which an index answers all that is asked in a block, and its version once it is read."""

    index: object
    moment: Any
    version: str | None = None


_READING: ContextVar[_Reading | None] = ContextVar("held", default=None)


def _of_one_moment(
    ask: Callable[Concatenate[_IndexT, _P], _AnswerT],
) -> Callable[Concatenate[_IndexT, _P], _AnswerT]:
    """Ask once more, of another moment, where the first one went; in a block, only of the same version."""

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


class BaseCountIndex(ABC, Generic[MomentT, CatalogueT]):
    """A count index that answers from one snapshot of an adapter's data."""

    _last_catalogue: CatalogueT | None = None

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
        # The order of texts is Python's, whatever a server's is.
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

        Never summed over base intervals: of several, the one that holds most of the label counts.
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
            bars, covered = self._counts(now, self._catalogue(now), query)
        if max(len(bars), len(covered)) > MAX_BUCKETS:
            raise Misconfigured(
                f"interval {query.bar_s} s gives more than {MAX_BUCKETS} bars; choose a longer interval or "
                "a shorter range"
            )
        return Histogram(query.model, query.base_interval_s, bars, covered)

    @_of_one_moment
    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        if query.base_interval_s < 1 or HOUR_S % query.base_interval_s:
            raise Misconfigured(
                f"the stored intervals of {query.base_interval_s} s do not divide an hour evenly, so the "
                "hours of the week are unknown"
            )
        check_query(query)
        query = query._replace(interval_s=HOUR_S, by_source=False, of_week=True, apart=())
        with self._now() as now:
            return merge_week(*self._counts(now, self._catalogue(now), query))

    @_of_one_moment
    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label, by label, then as `CountIndex.evidence` says."""
        check_query(query)
        limit = min(limit_per_label, _MAX_EVIDENCE_PER_LABEL)
        if limit < 1:
            return []
        base_s = query.base_interval_s
        usable_s = usable_steps(base_s, DAY_S, week_parts=query.week_parts)
        is_of_days = limit <= MOST_EVIDENCE and base_s < DAY_S and DAY_S in usable_s
        base_ms = base_s * 1000
        items = []
        with self._now() as now:
            catalogue = self._catalogue(now)
            for piece in pieces([base_s, DAY_S] if is_of_days else [base_s], *_range(query)):
                for source, label, frames in self._read_evidence(now, catalogue, query, piece, limit):
                    for frame in frames:
                        start_ms = frame.captured_at_ms // base_ms * base_ms
                        items.append(IndexedEvidence(source, label, start_ms, frame))
        items.sort(key=evidence_order)
        by_label = groupby(items, key=lambda item: item.label)
        return [item for _, of_label in by_label for item in islice(of_label, limit)]

    @abstractmethod
    def _moment(self) -> AbstractContextManager[MomentT]:
        """Open one state of the index, for all reads in the block."""

    @abstractmethod
    def _read_version(self, now: MomentT) -> str:
        """Read the version of the moment."""

    @abstractmethod
    def _read_catalogue(self, now: MomentT, version: str) -> CatalogueT:
        """Read what there is at that version, which is that of the moment."""

    @abstractmethod
    def _read_runs(self, now: MomentT, model: str | None = None) -> Iterable[tuple[int, Run]]:
        """Read the current runs (of `model`, if one is named), each behind its `CountedDay.published`."""

    @abstractmethod
    def _read_sources(self, now: MomentT, catalogue: CatalogueT, series: Series) -> Iterable[SourceSummary]:
        """Read what there is of each source of a series, in no order."""

    @abstractmethod
    def _read_counts(
        self, now: MomentT, catalogue: CatalogueT, query: CountQuery, parts: Sequence[Piece]
    ) -> tuple[Sequence[Bucket], Sequence[CoverageBucket]]:
        """Read the bars and the coverage of some pieces; no bars where the query has `NO_LABEL`.

        Of a query that is `of_week`, `start_ms` is that of the hour since Monday.
        """

    @abstractmethod
    def _read_evidence(
        self, now: MomentT, catalogue: CatalogueT, query: CountQuery, piece: Piece, limit: int
    ) -> Iterable[tuple[str, str, list[Evidence]]]:
        """Read source, label and evidence frames, the `limit` busiest of each label among them.

        The piece is read by the base interval or by days. A bar's best frame has its peak count, and none of
        a bar's frames can be among the n busiest unless its best frame is: so n bars per label are enough,
        and those that are level with the n-th.
        """

    def _current_reading(self) -> _Reading | None:
        reading = _READING.get()
        return reading if reading is not None and reading.index is self else None

    @contextmanager
    def _reading(self) -> Iterator[MomentT]:
        """Open a moment for all that is asked in the block."""
        with self._moment() as now:
            token = _READING.set(_Reading(self, now))
            try:
                yield now
            finally:
                _READING.reset(token)

    def _now(self) -> AbstractContextManager[MomentT]:
        """Give the moment that is held, or open one."""
        reading = self._current_reading()
        return nullcontext(reading.moment) if reading else self._moment()

    def _version(self, now: MomentT) -> str:
        reading = self._current_reading()
        if reading is None:
            return self._read_version(now)
        if reading.version is None:
            reading.version = self._read_version(now)
        return reading.version

    def _catalogue(self, now: MomentT) -> CatalogueT:
        """Return what there is at that moment, read once per version."""
        version, catalogue = self._version(now), self._last_catalogue
        if catalogue is None or catalogue.version != version:
            self._last_catalogue = catalogue = self._read_catalogue(now, version)
        return catalogue

    def _counts(
        self, now: MomentT, catalogue: CatalogueT, query: CountQuery
    ) -> tuple[Sequence[Bucket], Sequence[CoverageBucket]]:
        """Read the range of a query by its base interval and the longest stored step that it allows."""
        bar_s = query.interval_s or query.base_interval_s
        steps_s = usable_steps(query.base_interval_s, bar_s, query.offset_ms, query.week_parts)
        if query.measured_only:
            # Objects are measured hour by hour: of a longer step nobody knows what part of it was.
            steps_s = [step_s for step_s in steps_s if step_s <= HOUR_S] or steps_s
        # The ends of a range are of two days at most: each further step is one more piece of them to read.
        base_s, *longer = steps_s
        return self._read_counts(now, catalogue, query, pieces([base_s, *longer[-1:]], *_range(query)))


def _range(query: CountQuery) -> tuple[int | None, int | None]:
    """Return the ends of the range; any whole number may be asked for, nothing is counted beyond these."""
    from_ms, to_ms = query.from_ms, query.to_ms
    return None if from_ms is None else clamped_ms(from_ms), None if to_ms is None else clamped_ms(to_ms)


def evidence_order(item: IndexedEvidence) -> tuple[str, int, int, str]:
    """Order evidence by label, then the busiest first, by time and path."""
    frame = item.evidence
    return (item.label, -frame.count, frame.captured_at_ms, frame.image_path)


RunT = TypeVar("RunT")


class BaseCatalogue(Generic[RunT]):
    """The contents at one version; it remembers those that were read.

    Attributes:
        version: As `CountIndex.version`.
        series: All that can be read, in the order of `CountIndex.series`, whose answer is `of_pictures`.
        labels: As `CountIndex.labels`, by model; so are `days` (`CountIndex.counted_days`).
        sources: What there is of each source of a series.
    """

    def __init__(
        self, version: str, runs: Mapping[Series, Sequence[RunT]], newest: Mapping[str, int]
    ) -> None:
        """Order the series by each model's last publication, whose number is in `newest`."""
        self.version = version
        self.series = sorted(runs, key=lambda entry: (-newest[entry.model], -entry.base_interval_s))
        self.of_pictures = [entry for entry in self.series if not is_of_places(entry.model)]
        self.labels: dict[str, list[tuple[str, int]]] = {}
        self.sources: dict[Series, list[SourceSummary]] = {}
        self.days: dict[str, list[CountedDay]] = {}
        self._runs = runs

    def of_model(self, model: str) -> list[Series]:
        """Return the model's series, in the order of `series`."""
        return [entry for entry in self.series if entry.model == model]


def counted_day(run: Run, published: int) -> CountedDay:
    """Return the inputs for judging whether a run is up to date, and its settings; see `CountedDay`."""
    settings = msgspec.json.encode(run.settings).decode() if run.settings else ""
    return CountedDay(
        base_interval_s=run.interval_s,
        day_ms=keys.day_start_ms(run.day),
        frames=run.frames,
        published=published,
        footage_sha256=run.footage_sha256,
        params=run.params,
        settings=settings,
    )


def outdated_numbers(runs: Iterable[tuple[int, Run]]) -> set[int]:
    """Return the numbers of runs that no query reads, see `outdated`; each run has its number as key."""
    of_model: defaultdict[str, list[CountedDay]] = defaultdict(list)
    for published, run in runs:
        of_model[run.model].append(counted_day(run, published))
    return {day.published for days in of_model.values() for day in outdated(days)}
