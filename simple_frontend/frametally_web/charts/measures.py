"""The values of a chart: reads the index span by span, and adds up bars of local time.

In the mean of several sources, each has the same weight; otherwise a source with five frames a second would
hide one with a picture every ten minutes.
"""

from __future__ import annotations

import datetime
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from statistics import fmean, median_low
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from frametally.adapters.day_cells.sums import (
    COVERED_MS,
    DETECTIONS,
    FAST,
    LABEL,
    OBJECTS,
    SLOT,
    SOURCE,
    TRACKED,
    CountColumns,
    add_up,
    columns_of,
    join,
    none_where,
)
from frametally.ports.count_index import (
    AGES_S,
    NO_LABEL,
    NOT_LOOKED_AT,
    PARTIAL_LABELS,
    BlankBucket,
    Bucket,
    CountIndex,
    CountQuery,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
)
from frametally.rules.known import (
    LATER_OF_TRACKS,
    NOT_MEASURED,
    Basis,
    Missing,
    Number,
    are_too_fast,
    is_too_weak,
    objects_of,
    sum_or_unknown,
    why_not_counted,
    why_unknown,
)
from frametally.rules.known import add_up as add_numbers
from frametally_web.charts import answers
from frametally_web.charts.local_bars import Bars, Span
from frametally_web.requests.query import ChosenTimes

Numbers = NDArray[np.integer[Any]]

_NOTHING = columns_of([], [])
_LEAST_FRAMES = 3  # two frames give no rhythm
_MOST_SOURCES = 100
"""Maximum number of sources to examine, those with the fewest frames first."""

MOST_OF_SOURCES = 20_000_000
"""Maximum number of bars that are read of separate sources before they are added up."""

OfSources = tuple[CountColumns[Bucket], CountColumns[CoverageBucket]]
"""Bars and coverage of each source."""

RowT = TypeVar("RowT", bound=Bucket | CoverageBucket)


class BlankFootage(NamedTuple):
    """The intervals with footage that shows nothing, and the number of frames not checked for this."""

    intervals: Sequence[answers.ShowsNothing] = ()
    not_looked_at: int = 0


class Chart(NamedTuple):
    """Bars and coverage for answers.

    Attributes:
        unmeasured: The intervals with footage in which objects were not measured.
        counted: The bars as they were read.
        filmed: The coverage as it was read.
        blank: The footage that shows nothing.
        not_within: The footage that is not counted within the zone of the question.
        of_sources: Bars and coverage of each source, if the others are of several together.
    """

    base_interval_s: int
    buckets: list[answers.CountBucket]
    coverage: list[answers.FramesAnalysed]
    unmeasured: Sequence[answers.FramesAnalysed] = ()
    counted: CountColumns[Bucket] = _NOTHING[0]
    filmed: CountColumns[CoverageBucket] = _NOTHING[1]
    blank: BlankFootage = BlankFootage()
    not_within: Sequence[answers.NotWithin] = ()
    of_sources: OfSources | None = None

    @property
    def frames(self) -> int:
        """Frames analysed, summed over intervals and sources."""
        return sum([coverage.frames for coverage in self.coverage])


@dataclass(frozen=True)
class Reader:
    """Reads the bars of one query.

    Attributes:
        index: The index to read.
        query: The request, except its bars and its range.
        zone: Time zone of the bars.
        spans: The range, in consecutive spans.
        times: Hours and weekdays of that zone that are read.
    """

    index: CountIndex
    query: CountQuery
    zone: datetime.tzinfo
    spans: Sequence[Span]
    times: ChosenTimes

    def bars(self, interval_s: int, **changes: Any) -> Chart:
        """Read bars of `interval_s`; `changes` apply to the query, such as `by_source`."""
        if not self.spans:
            return Chart(self.query.base_interval_s, [], [])
        bars, last = Bars(interval_s, self.zone), len(self.spans) - 1

        def moved(starts_ms: Numbers, number: int) -> Mapping[int, tuple[int, int]]:
            return bars.moved(starts_ms, self.spans[number], is_first=number == 0, is_last=number == last)

        def read(changes: Mapping[str, Any]) -> list[Histogram]:
            return [self._read(span, interval_s, bars.offset_ms(span), changes) for span in self.spans]

        return self._together(read, changes, interval_s * 1000, moved)

    def with_measured(self, chart: Chart, interval_s: int, **changes: Any) -> tuple[Chart, Chart]:
        """Return `chart`, which `bars` read with the same arguments, and the bars of measured footage alone.

        Where objects were not measured in all of a bar, its `measured_objects` are those of the latter.
        """
        if not chart.unmeasured:
            return chart, chart
        part = self.bars(interval_s, **changes, measured_only=True)
        measured_bars = {(bar.start_ms, bar.source) for bar in part.coverage}
        parts = {(bar.start_ms, bar.source, bar.label): measured_part(bar) for bar in part.buckets}
        nothing = dict.fromkeys(measured_part(empty_bar(chart.coverage[0], None)), 0)
        buckets = [
            msgspec.structs.replace(bar, **parts.get((bar.start_ms, bar.source, bar.label), nothing))
            if bar.objects_missing in NOT_MEASURED and (bar.start_ms, bar.source) in measured_bars
            else bar
            for bar in chart.buckets
        ]
        return chart._replace(buckets=buckets), part

    def whole(self, **changes: Any) -> Chart:
        """Read the whole range as one bar."""
        if not self.spans:
            return Chart(self.query.base_interval_s, [], [])
        whole = self.spans[0].from_ms, self.spans[-1].to_ms
        # Only hours and weekdays differ by span, as parts of UTC's week.
        over = self.spans if self.times.week_parts(0) else [Span(*whole, 0)]

        def read(changes: Mapping[str, Any]) -> list[Histogram]:
            return [self._read(span, AGES_S, 0, changes) for span in over]

        return self._together(read, changes, 0, lambda starts_ms, _: dict.fromkeys(starts_ms.tolist(), whole))

    def filmed(self, interval_s: int | None = None, **changes: Any) -> list[answers.FramesAnalysed]:
        """Read the coverage of each source, in bars of `interval_s` or for the whole range."""
        changes = {**changes, "labels": NO_LABEL, "by_source": True}
        return (self.whole(**changes) if interval_s is None else self.bars(interval_s, **changes)).coverage

    def evidence(self) -> list[IndexedEvidence]:
        """Read the frames with the most boxes of each label, for each span."""
        return [
            item for span in self.spans for item in self.index.evidence(of_span(self.query, span, self.times))
        ]

    def longest_step_s(self, interval_s: int) -> float:
        """Return the longest step of a source in seconds, if it is longer than `interval_s`.

        The step of a source is the median time between its frames, as nearly as the stored interval shows it;
        gaps and bursts do not matter. It is 0 if all sources have more frames than bars.
        """
        if not self.spans:
            return 0
        bars = (self.spans[-1].to_ms - self.spans[0].from_ms) / (interval_s * 1000)
        of_sources = self.filmed()
        # The mean step, with gaps, is no shorter than the median of as many frames as there can be bars.
        seldom = [coverage for coverage in of_sources if _LEAST_FRAMES <= coverage.frames <= bars + 1]
        fewest = heapq.nsmallest(_MOST_SOURCES, seldom, key=lambda coverage: coverage.frames)
        if not fewest:
            return 0
        steps_ms: dict[str | None, list[int]] = defaultdict(list)
        last_ms: dict[str | None, int] = {}
        base_s = self.query.base_interval_s
        names = [coverage.source for coverage in fewest]
        for bucket in self.filmed(base_s, sources=names):
            if bucket.source in last_ms:
                steps_ms[bucket.source].append(bucket.start_ms - last_ms[bucket.source])
            steps_ms[bucket.source] += [0] * (bucket.frames - 1)
            last_ms[bucket.source] = bucket.start_ms
        return max((median_low(steps) for steps in steps_ms.values() if steps), default=0) / 1000

    def _read(self, span: Span, interval_s: int, offset_ms: int, changes: Mapping[str, Any]) -> Histogram:
        query = of_span(self.query, span, self.times)
        changes = {"interval_s": interval_s, "offset_ms": offset_ms, "partial_apart": True, **changes}
        return self.index.histogram(query._replace(**changes))

    def _together(
        self,
        read: Callable[[Mapping[str, Any]], list[Histogram]],
        changes: Mapping[str, Any],
        length_ms: int,
        moved: Callable[[Numbers, int], Mapping[int, tuple[int, int]]],
    ) -> Chart:
        """Return the chart of some spans; `moved` returns the bars whose starts differ from the index's."""
        parts: list[tuple[CountColumns[Bucket], CountColumns[CoverageBucket]]] = []
        starts: list[dict[int, int]] = []
        ends: dict[int, int] = {}
        blank: list[Sequence[BlankBucket]] = []
        outside: dict[tuple[int, str], list[Any]] = defaultdict(list)
        for number, histogram in enumerate(read(changes)):
            parts.append(columns_of(histogram.buckets, histogram.coverage))
            left_out = [*histogram.blank, *histogram.not_within]
            blank_ms = np.array([part.start_ms for part in left_out], np.int64)
            bars = moved(np.concatenate([*(part.cells[SLOT] for part in parts[-1]), blank_ms]), number)
            starts.append({old_ms: start_ms for old_ms, (start_ms, _) in bars.items() if old_ms != start_ms})
            ends.update(bars.values())
            blank.append(histogram.blank)
            for part in histogram.not_within:
                outside[starts[-1].get(part.start_ms, part.start_ms), part.source or ""].append(part.reason)
        chart = _chart(self.query.base_interval_s, *join(parts, starts), ends, length_ms)
        filmed = {(bar.start_ms, bar.source or "") for bar in chart.coverage}
        chart = chart._replace(
            blank=blank_footage(zip(blank, starts, strict=True), ends, length_ms),
            not_within=[
                answers.NotWithin(
                    start_ms=start_ms,
                    end_ms=ends.get(start_ms, start_ms + length_ms),
                    source=source or None,
                    missing=why_not_counted(reasons),
                )
                for (start_ms, source), reasons in sorted(outside.items())
                if (start_ms, source) not in filmed
            ],
        )
        if changes.get("by_source") or len(self.query.sources or self.index.sources(self.query.model)) < 2:
            return chart
        alone = {**changes, "by_source": True, "partial_apart": False, "most_bars": MOST_OF_SOURCES}
        of_sources = [columns_of(histogram.buckets, histogram.coverage) for histogram in read(alone)]
        return _with_means(chart, *join(of_sources, starts))


def of_span(query: CountQuery, span: Span, times: ChosenTimes) -> CountQuery:
    """Return the part of `query` for one span: of its range and, with chosen `times`, of UTC's week."""
    return query._replace(
        from_ms=span.from_ms if query.from_ms is None else max(query.from_ms, span.from_ms),
        to_ms=span.to_ms if query.to_ms is None else min(query.to_ms, span.to_ms),
        week_parts=times.week_parts(span.offset_ms),
    )


def _chart(
    base_interval_s: int,
    counted: CountColumns[Bucket],
    filmed: CountColumns[CoverageBucket],
    ends: Mapping[int, int],
    length_ms: int,
) -> Chart:
    """Return a chart; its bars end after `length_ms`, except those in `ends`."""
    starts_ms, frames, rates, sources, _, _ = filmed.values
    footage, counts = filmed.cells, counted.cells
    reasons: list[Missing | None] = [None] * filmed.cells.shape[1]
    for place in np.flatnonzero(footage[OBJECTS] < 0).tolist():
        reasons[place] = why_unknown("objects", Basis(None, 0, 0, rates[place]))
    ends_ms = [ends.get(start_ms, start_ms + length_ms) for start_ms in starts_ms]
    covered_s = none_where(footage[COVERED_MS] < 0, footage[COVERED_MS] / 1000)
    coverage = [
        *map(
            answers.FramesAnalysed,
            starts_ms,
            ends_ms,
            sources,
            frames,
            rates,
            reasons,
            covered_s,
            repeat(0.0),
            repeat(None),
        )
    ]
    if not len(counted):
        not_measured = [part for part in coverage if part.objects_missing]
        return Chart(base_interval_s, [], coverage, not_measured, counted, filmed)
    bars = places_in(filmed, counted)
    is_unknown = (counts[OBJECTS] < 0) | np.append(footage[OBJECTS] < 0, False)[bars]
    is_weak = (counts[TRACKED] >= 0) & is_too_weak(counts[DETECTIONS], counts[TRACKED])
    missing: list[Missing | None] = [None] * counted.cells.shape[1]
    objects, followed = none_where(is_unknown, counts[OBJECTS]), [None] * counted.cells.shape[1]
    is_fast = are_too_fast(counts[FAST], counts[OBJECTS])
    least: list[int | None] = [None] * counted.cells.shape[1]
    later: dict[str, list[int | None]] = {}
    for row, number in enumerate(LATER_OF_TRACKS, TRACKED + 1):
        is_absent = counts[row] < number.is_left_out_at_0
        later[number.name] = none_where(
            is_absent | is_unknown | is_weak if number.needs_objects else is_absent, counts[row]
        )
    fast = later["fast_objects"]
    starts_ms, label, source, detections, peaks = counts[:OBJECTS].tolist()
    tracked = none_where(counts[TRACKED] < 0, counts[TRACKED])
    unmeasured: set[tuple[int, str | None]] = set()
    for place in np.flatnonzero(is_unknown | is_weak | is_fast).tolist():
        rate = rates[bars[place]] if bars[place] < len(rates) else None
        basis = Basis(objects[place], detections[place], tracked[place], rate, fast_objects=fast[place])
        followed[place] = objects[place]
        objects[place], why, least[place] = objects_of(basis)
        missing[place] = why
        if why in NOT_MEASURED:
            unmeasured.add((starts_ms[place], counted.sources[source[place]]))
    frames_there = np.append(footage[DETECTIONS], 0)[bars]
    means = none_where(frames_there == 0, counts[DETECTIONS] / np.maximum(frames_there, 1))
    names = [name or None for name in counted.labels]
    of_label, of_source = map(names.__getitem__, label), map(counted.sources.__getitem__, source)
    columns = {
        "start_ms": starts_ms,
        "label": of_label,
        "source": of_source,
        "detections": detections,
        "peak": peaks,
        "mean_per_frame": means,
        "objects": objects,
        "objects_missing": missing,
        "tracked_detections": tracked,
        "followed_objects": followed,
        "measured_objects": least,
        **later,
    }
    names_in_order = answers.CountBucket.__struct_fields__
    last = max(map(names_in_order.index, columns))
    nothing: Any = repeat(None)
    buckets = [
        *map(answers.CountBucket, *(columns.get(name, nothing) for name in names_in_order[: last + 1]))
    ]
    if not PARTIAL_LABELS.keys().isdisjoint(names):
        # Of the labels that the query groups, the objects of these are known in part.
        buckets = add_labels(buckets, lambda label: None if label in PARTIAL_LABELS else label)
    # Counts may show only by their boxes that objects were not measured.
    not_measured = [
        part
        for part, reason in zip(coverage, reasons, strict=True)
        if reason or (unmeasured and (part.start_ms, part.source) in unmeasured)
    ]
    return Chart(base_interval_s, buckets, coverage, not_measured, counted, filmed)


def add_labels(
    bars: Iterable[answers.CountBucket], name_of: Callable[[str | None], str | None]
) -> list[answers.CountBucket]:
    """Return bars with labels of the same new name merged; objects are known if those of each label are."""
    sums: dict[Any, answers.CountBucket] = {}
    for bar in bars:
        label = name_of(bar.label)
        place = bar.start_ms, bar.source, label
        first = sums.get(place)
        sums[place] = msgspec.structs.replace(bar, label=label) if first is None else _sum(first, bar)
    return [*sums.values()]


def _sum(first: answers.CountBucket, other: answers.CountBucket) -> answers.CountBucket:
    objects = add_numbers(map(number_of, (first, other)))
    followed = sum_or_unknown(followed_of(first), followed_of(other))
    return answers.CountBucket(
        start_ms=first.start_ms,
        label=first.label,
        source=first.source,
        detections=first.detections + other.detections,
        peak=max(first.peak, other.peak),
        mean_per_frame=sum_or_unknown(first.mean_per_frame, other.mean_per_frame),
        objects=objects.value,
        objects_missing=objects.missing,
        tracked_detections=sum_or_unknown(first.tracked_detections, other.tracked_detections),
        followed_objects=followed if objects.missing else None,
        measured_objects=objects.at_least,
        **sums_of_later((first, other)),
    )


def sums_of_later(labels: Iterable[answers.CountBucket | answers.Total]) -> dict[str, Any]:
    """Return the `LATER_OF_TRACKS` numbers of several labels together."""
    every = [*labels]
    known = [part for part in every if (part.objects, part.measured_objects) != (None, None)]
    sums: dict[str, Any] = {}
    for number in LATER_OF_TRACKS:
        parts = known if number.needs_objects else every
        sums[number.name] = number.add_up([getattr(part, number.name) for part in parts]) if parts else None
    return sums


def all_labels_in(
    coverage: Iterable[answers.FramesAnalysed], buckets: Iterable[answers.CountBucket]
) -> list[answers.CountBucket]:
    """Return all labels together in each interval with footage."""
    bars = {(bar.start_ms, bar.source): bar for bar in add_labels(buckets, lambda _: None)}
    return [bars.get((part.start_ms, part.source)) or empty_bar(part, None) for part in coverage]


def sources_with_film(chart: Chart) -> int:
    """Return how many sources of a chart have film of known length; single pictures cover no time."""
    if chart.of_sources is None:
        covered_s = [part.covered_s for part in chart.coverage]
        return int(any(covered_s) and None not in covered_s)
    cells = chart.of_sources[1].cells
    return len(np.setdiff1d(cells[SOURCE][cells[COVERED_MS] > 0], cells[SOURCE][cells[COVERED_MS] < 0]))


def empty_bar(part: answers.FramesAnalysed, label: str | None) -> answers.CountBucket:
    """Return the bar of a label that was not found in an interval with footage."""
    return answers.CountBucket(
        start_ms=part.start_ms,
        label=label,
        source=part.source,
        detections=0,
        peak=0,
        mean_per_frame=0.0,
        objects=None if part.objects_missing else 0,
        objects_missing=part.objects_missing,
        tracked_detections=None if part.objects_missing else 0,
    )


def number_of(part: answers.CountBucket | answers.Total) -> Number:
    """Return the objects of a bar or a total."""
    return Number(part.objects, part.objects_missing, part.measured_objects)


def followed_of(part: answers.CountBucket | answers.Total) -> int | None:
    """Return the followed objects, whether known or too weak."""
    return part.objects if part.objects_missing is None else part.followed_objects


def measured_part(part: answers.CountBucket | answers.Total) -> dict[str, int | None]:
    """Return the fields of the measured objects, fully or partly known."""
    objects = part.measured_objects if part.objects is None else part.objects
    of_known = {number.name: getattr(part, number.name) for number in LATER_OF_TRACKS if number.needs_objects}
    return {"measured_objects": objects, **of_known}


def _with_means(chart: Chart, counted: CountColumns[Bucket], filmed: CountColumns[CoverageBucket]) -> Chart:
    """Return a chart of several sources together, with the means of the sources' values."""
    means = means_by_bar(counted, filmed)
    buckets = [
        msgspec.structs.replace(bar, mean_per_frame=means.get((bar.start_ms, bar.label)))
        for bar in chart.buckets
    ]
    return chart._replace(buckets=buckets, of_sources=(counted, filmed))


def blank_footage(
    parts: Iterable[tuple[Sequence[BlankBucket], Mapping[int, int]]], ends: Mapping[int, int], length_ms: int
) -> BlankFootage:
    """Add up the footage that shows nothing in some spans, each with its bars whose starts are moved.

    Bars end after `length_ms`, except those in `ends`.
    """
    sums: defaultdict[Any, list[int]] = defaultdict(lambda: [0, 0])
    not_looked_at = 0
    for blank, starts in parts:
        for part in blank:
            if part.reason == NOT_LOOKED_AT:
                not_looked_at += part.frames
                continue
            of_bar = sums[starts.get(part.start_ms, part.start_ms), part.source or "", part.reason]
            of_bar[0] += part.frames
            of_bar[1] += part.covered_ms
    intervals = [
        answers.ShowsNothing(
            start_ms=start_ms,
            end_ms=ends.get(start_ms, start_ms + length_ms),
            source=source or None,
            reason=reason,
            frames=frames,
            covered_s=covered_ms / 1000,
        )
        for (start_ms, source, reason), (frames, covered_ms) in sorted(sums.items())
    ]
    return BlankFootage(intervals, not_looked_at)


def mean_of_sources(parts: Iterable[tuple[str | None, int, int]]) -> float | None:
    """Return the mean of each source's boxes per frame, or None without frames.

    It is not rounded, because few frames of a year may show any object.

    Args:
        parts: Source, boxes and frames, in any number of parts per source.
    """
    sums: dict[str | None, list[int]] = defaultdict(lambda: [0, 0])
    for source, detections, frames in parts:
        of_source = sums[source]
        of_source[0] += detections
        of_source[1] += frames
    rates = [detections / frames for detections, frames in sums.values() if frames]
    return fmean(rates) if rates else None


def means_by_bar(
    counted: CountColumns[Bucket], filmed: CountColumns[CoverageBucket]
) -> dict[tuple[int, str | None], float]:
    """Return the mean of the sources with frames, by start and label (None for merged labels)."""
    frames = np.append(filmed.cells[DETECTIONS], 0)[places_in(filmed, counted)]
    rates = counted.cells[DETECTIONS] / np.maximum(frames, 1)
    weights = np.where(frames == 0, 0.0, rates)
    starts, sources = np.unique(filmed.cells[SLOT][filmed.cells[DETECTIONS] > 0], return_counts=True)
    sources_at = dict(zip(starts.tolist(), sources.tolist(), strict=True))
    bar_starts, of_start = np.unique(counted.cells[SLOT], return_inverse=True)
    number = len(counted.labels)
    # Merged labels have numbers below 0.
    bars = of_start.reshape(-1) * number + counted.cells[LABEL] % number
    sums = np.bincount(bars, weights)
    bar_names = [(start_ms, label or None) for start_ms in bar_starts.tolist() for label in counted.labels]
    return {
        bar_names[bar]: float(sums[bar]) / sources_at[bar_names[bar][0]]
        for bar in np.flatnonzero(np.bincount(bars)).tolist()
        if bar_names[bar][0] in sources_at
    }


def means_by_label(
    counted: CountColumns[Bucket], filmed: CountColumns[CoverageBucket]
) -> dict[str | None, float]:
    """Return the mean of the sources over all bars, by label."""
    means = means_by_bar(_over_time(counted), _over_time(filmed))
    return {label: mean for (_, label), mean in means.items()}


def only(of_sources: OfSources | None, starts_ms: Iterable[int], label: str | None) -> OfSources | None:
    """Return the bars with these starts, of one label or (if None) of all."""
    if of_sources is None:
        return None
    counted, filmed = of_sources
    starts = np.fromiter(starts_ms, np.int64)
    if label is not None:
        of_label = np.array([name == label for name in counted.labels])[counted.cells[LABEL]]
        counted = CountColumns(counted.kind, counted.cells[:, of_label], counted.labels, counted.sources)
    return _bars_at(counted, starts), _bars_at(filmed, starts)


def _bars_at(columns: CountColumns[RowT], starts: NDArray[np.int64]) -> CountColumns[RowT]:
    cells = columns.cells[:, np.isin(columns.cells[SLOT], starts)]
    return CountColumns(columns.kind, cells, columns.labels, columns.sources)


def _over_time(columns: CountColumns[RowT]) -> CountColumns[RowT]:
    cells = add_up(columns.cells, columns.cells[LABEL], 0, columns.cells[SOURCE])
    return CountColumns(columns.kind, cells, columns.labels, columns.sources)


def places_in(filmed: CountColumns[CoverageBucket], counted: CountColumns[Bucket]) -> NDArray[np.int64]:
    """Return for each bar the index of its interval in the coverage, or the coverage's length without one."""
    number = len(counted.sources)
    bar_keys, interval_keys = (
        part.cells[SLOT].astype(np.int64) * number + part.cells[SOURCE] for part in (counted, filmed)
    )
    order = np.argsort(interval_keys)
    places: NDArray[Any] = np.append(order, len(order))[
        np.searchsorted(interval_keys, bar_keys, sorter=order)
    ]
    places[np.append(interval_keys, 0)[places] != bar_keys] = len(order)
    return places
