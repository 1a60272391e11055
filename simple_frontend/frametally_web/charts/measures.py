"""The values of a chart: reads the index span by span, and adds up bars of local time."""

from __future__ import annotations

import datetime
import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from frametally.adapters.day_cells.sums import (
    COVERED_MS,
    DETECTIONS,
    LABEL,
    OBJECTS,
    PEAK,
    SLOT,
    SOURCE,
    TRACKED,
    CountColumns,
    add_up,
    columns_of,
    join,
    none_where,
    to_rates,
)
from frametally.ports.count_index import (
    AGES_S,
    NO_LABEL,
    BlankBucket,
    Bucket,
    CountIndex,
    CountQuery,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
)
from frametally.rules.known import Basis, Missing, is_too_weak, sum_all_or_unknown, why_unknown
from frametally_web.charts import answers
from frametally_web.charts.bars import Bars, Span
from frametally_web.charts.blank_footage import BlankFootage, blank_footage
from frametally_web.charts.source_means import (
    MOST_OF_SOURCES,
    mean_of_sources,
    means_of,
    places_in,
    together,
)
from frametally_web.requests.query import AskedMetric, ChosenTimes, Metric

Numbers = NDArray[np.integer[Any]]
Totals = Mapping[str | None, Sequence[answers.Total]]
"""By label (None: of labels together) its totals: one, or one of each source."""

_NOTHING = columns_of([], [])
_NOT_MEASURED = ("not_tracked", "too_slow")
_LEAST_FRAMES = 3  # two frames are no rhythm
_MOST_SOURCES = 100
"""Most sources to examine: the ones with fewest frames."""


class Chart(NamedTuple):
    """Bars and coverage, as they are answered.

    Attributes:
        unmeasured: The intervals with footage in which objects were not measured.
        counted: The bars as they were read, of each source.
        filmed: The coverage of each source.
        blank: The footage that shows nothing.
    """

    base_interval_s: int
    buckets: list[answers.CountBucket]
    coverage: list[answers.FramesAnalysed]
    unmeasured: Sequence[answers.FramesAnalysed] = ()
    counted: CountColumns[Bucket] = _NOTHING[0]
    filmed: CountColumns[CoverageBucket] = _NOTHING[1]
    blank: BlankFootage = BlankFootage()

    @property
    def frames(self) -> int:
        """Frames analysed, summed over intervals and sources."""
        return sum([coverage.frames for coverage in self.coverage])


@dataclass(frozen=True)
class Reader:
    """The reader of the bars of one query.

    Attributes:
        index: Where they are read.
        query: The request, except its bars and its range.
        zone: Time zone of the bars.
        spans: The range, in spans that follow each other.
        times: Hours and weekdays of that zone that are read.
    """

    index: CountIndex
    query: CountQuery
    zone: datetime.tzinfo
    spans: Sequence[Span]
    times: ChosenTimes

    def bars(self, interval_s: int, **changes: Any) -> Chart:
        """Read bars of `interval_s`; `changes` are those of the query, such as `by_source`."""
        if not self.spans:
            return Chart(self.query.base_interval_s, [], [])
        bars, last = Bars(interval_s, self.zone), len(self.spans) - 1

        def moved(starts_ms: Numbers, number: int) -> Mapping[int, tuple[int, int]]:
            return bars.moved(starts_ms, self.spans[number], is_first=number == 0, is_last=number == last)

        histograms = [self._read(span, interval_s, bars.offset_ms(span), changes) for span in self.spans]
        return self._together(histograms, interval_s * 1000, moved, bool(changes.get("by_source")))

    def whole(self, **changes: Any) -> Chart:
        """Read the whole range as one bar."""
        if not self.spans:
            return Chart(self.query.base_interval_s, [], [])
        whole = self.spans[0].from_ms, self.spans[-1].to_ms
        # Only hours and weekdays are of another part of UTC's week in each span.
        over = self.spans if self.times.week_parts(0) else [Span(*whole, 0)]
        histograms = [self._read(span, AGES_S, 0, changes) for span in over]
        by_source = bool(changes.get("by_source"))
        return self._together(
            histograms, 0, lambda starts_ms, _: dict.fromkeys(starts_ms.tolist(), whole), by_source
        )

    def filmed(self, interval_s: int | None = None, **changes: Any) -> list[answers.FramesAnalysed]:
        """Read the coverage of each source alone, of bars of `interval_s` or of the whole range."""
        changes = {**changes, "labels": NO_LABEL, "by_source": True}
        return (self.whole(**changes) if interval_s is None else self.bars(interval_s, **changes)).coverage

    def evidence(self) -> list[IndexedEvidence]:
        """Read the frames with most boxes of each label, of each span by itself."""
        return [
            item for span in self.spans for item in self.index.evidence(of_span(self.query, span, self.times))
        ]

    def longest_step_s(self, interval_s: int) -> float:
        """Return the longest of the sources' own steps in seconds, as far as it is longer than `interval_s`.

        The step of a source is the median from one of its frames to the next, as nearly as the stored
        interval tells: holes do not matter, and neither do bursts. 0 where all have more frames than bars.
        """
        if not self.spans:
            return 0
        bars = (self.spans[-1].to_ms - self.spans[0].from_ms) / (interval_s * 1000)
        of_sources = self.filmed()
        # The mean step, holes and all, is no shorter than the median of as many frames as bars can be.
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
        query = of_span(self.query, span, self.times)._replace(interval_s=interval_s, offset_ms=offset_ms)
        query = query._replace(**changes)
        if not query.by_source:  # the mean of several sources is of the mean of each
            query = query._replace(by_source=True, most_bars=MOST_OF_SOURCES)
        return self.index.histogram(query)

    def _together(
        self,
        histograms: Iterable[Histogram],
        length_ms: int,
        moved: Callable[[Numbers, int], Mapping[int, tuple[int, int]]],
        by_source: bool,
    ) -> Chart:
        """Return the chart of some spans; `moved` gives the bars of starts that are not as the index says."""
        parts: list[tuple[CountColumns[Bucket], CountColumns[CoverageBucket]]] = []
        starts: list[dict[int, int]] = []
        ends: dict[int, int] = {}
        blank: list[Sequence[BlankBucket]] = []
        for number, histogram in enumerate(histograms):
            parts.append(columns_of(histogram.buckets, histogram.coverage))
            blank_ms = np.array([part.start_ms for part in histogram.blank], np.int64)
            bars = moved(np.concatenate([*(part.cells[SLOT] for part in parts[-1]), blank_ms]), number)
            starts.append({old_ms: start_ms for old_ms, (start_ms, _) in bars.items() if old_ms != start_ms})
            ends.update(bars.values())
            blank.append(histogram.blank)
        chart = _chart(self.query.base_interval_s, *join(parts, starts), ends, length_ms, by_source)
        nothing = blank_footage(zip(blank, starts, strict=True), ends, length_ms, by_source=by_source)
        return chart._replace(blank=nothing)


def of_span(query: CountQuery, span: Span, times: ChosenTimes) -> CountQuery:
    """Return what `query` asks of one span: its part of the range and, of chosen `times`, of UTC's week."""
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
    by_source: bool,
) -> Chart:
    """Return a chart of what was read by source; its bars end after `length_ms`, except those in `ends`."""
    intervals, rows = (filmed, counted) if by_source else (together(filmed), together(counted))
    starts_ms, frames, rates, sources, _, _ = intervals.values
    footage, counts = intervals.cells, rows.cells
    reasons: list[Missing | None] = [None] * len(intervals)
    for place in np.flatnonzero(footage[OBJECTS] < 0).tolist():
        reasons[place] = why_unknown("objects", Basis(None, 0, 0, rates[place]))
    ends_ms = [ends.get(start_ms, start_ms + length_ms) for start_ms in starts_ms]
    covered_s = none_where(footage[COVERED_MS] < 0, footage[COVERED_MS] / 1000)
    coverage = [*map(answers.FramesAnalysed, starts_ms, ends_ms, sources, frames, rates, reasons, covered_s)]
    if not len(counted):
        not_measured = [part for part in coverage if part.objects_missing]
        return Chart(base_interval_s, [], coverage, not_measured, counted, filmed)
    bars = places_in(intervals, rows)
    is_unknown = (counts[OBJECTS] < 0) | np.append(footage[OBJECTS] < 0, False)[bars]
    is_weak = (counts[TRACKED] >= 0) & is_too_weak(counts[DETECTIONS], counts[TRACKED])
    missing: list[Missing | None] = [None] * len(rows)
    objects, followed = none_where(is_unknown, counts[OBJECTS]), [None] * len(rows)
    starts_ms, label, source, detections, peaks = counts[:OBJECTS].tolist()
    tracked = none_where(counts[TRACKED] < 0, counts[TRACKED])
    unmeasured: set[tuple[int, str | None]] = set()
    for place in np.flatnonzero(is_unknown | is_weak).tolist():
        rate = rates[bars[place]] if bars[place] < len(rates) else None
        basis = Basis(objects[place], detections[place], tracked[place], rate)
        why = missing[place] = why_unknown("objects", basis)
        objects[place], followed[place] = None, objects[place]
        if why in _NOT_MEASURED:
            unmeasured.add((starts_ms[place], rows.sources[source[place]]))
    names = [name or None for name in rows.labels]
    of_label, of_source = map(names.__getitem__, label), map(rows.sources.__getitem__, source)
    buckets = [
        *map(
            answers.CountBucket,
            *(starts_ms, of_label, of_source, detections, peaks, means_of(rows, counted, filmed)),
            *(objects, missing, tracked, followed),
        )
    ]
    # In counts of older versions only what was seen says that it was not measured.
    not_measured = [
        part
        for part, reason in zip(coverage, reasons, strict=True)
        if reason or (unmeasured and (part.start_ms, part.source) in unmeasured)
    ]
    return Chart(base_interval_s, buckets, coverage, not_measured, counted, filmed)


def sum_up(chart: Chart, labels: Iterable[str | None], *, by_source: bool) -> Totals:
    """Return the total of each label (by source, if these are separate): `labels`, and those in the chart."""
    counted, filmed = chart.counted, chart.filmed
    covered = add_up(filmed.cells, 0, 0, filmed.cells[SOURCE])
    in_labels = add_up(counted.cells, counted.cells[LABEL], 0, counted.cells[SOURCE])
    frames_of = dict(zip(*covered[[SOURCE, DETECTIONS]].tolist(), strict=True))
    with_frames = 1 if by_source else max(sum(frames > 0 for frames in frames_of.values()), 1)
    rates: dict[tuple[str | None, str | None], float] = defaultdict(float)
    for _, label, source, detections, *_ in in_labels.T.tolist():
        place = counted.labels[label] or None, filmed.sources[source] if by_source else None
        rates[place] += detections / frames_of[source] if frames_of.get(source) else 0.0
    if not by_source:
        covered, in_labels = add_up(covered, 0, 0, 0), add_up(in_labels, in_labels[LABEL], 0, 0)
    names = filmed.sources if by_source else [None]
    footage = {
        names[source]: (frames, rate, objects >= 0)
        for source, frames, objects, rate in zip(
            *covered[[SOURCE, DETECTIONS, OBJECTS]].tolist(), to_rates(covered[PEAK]), strict=True
        )
    }
    sums = {
        (counted.labels[label] or None, names[source]): values
        for _, label, source, *values in in_labels.T.tolist()
    }
    sources: list[str | None] = [None]
    if by_source:
        sources = [*sorted(name for name in {*footage, *(source for _, source in sums)} if name)]
    totals: dict[str | None, list[answers.Total]] = {}
    for label in dict.fromkeys([*labels, *(label for label, _ in sums)]):
        totals[label] = []
        for source in sources:
            detections, peak, *numbers = sums.get((label, source), (0, 0, 0, 0))
            frames, rate, is_measured = footage.get(source, (0, math.inf, True))
            objects, tracked = [None if number < 0 else number for number in numbers]
            followed = objects if is_measured else None
            per_frame = rates.get((label, source), 0.0) / with_frames if frames else None
            totals[label].append(_total(label, source, detections, peak, followed, tracked, per_frame, rate))
    return totals


def all_together(chart: Chart) -> answers.Total:
    """Return what all labels and sources of a chart add up to; its mean is that of the sources apart."""
    boxes = [(bucket.source, bucket.detections, 0) for bucket in chart.buckets]
    frames = [(part.source, 0, part.frames) for part in chart.coverage]
    return add_parts(chart.buckets, chart.coverage, mean_of_sources([*boxes, *frames]))


def by_metric(totals: Totals, metric: Metric) -> list[str]:
    """Return the labels, those with most of the metric first; without those that are together."""
    return sorted(
        (label for label in totals if label is not None),
        key=lambda label: (-value_of(totals[label], metric), label),
    )


def known_metric(metric: AskedMetric, chart: Chart) -> Metric:
    """Return the metric asked for; of `auto`, objects if they are known of all labels together."""
    if metric != "auto":
        return metric
    return "objects" if chart.coverage and all_together(chart).objects is not None else "mean_per_frame"


def seconds(ms: int | None) -> float | None:
    """Return milliseconds as seconds."""
    return None if ms is None else ms / 1000


def add_parts(
    parts: Sequence[answers.CountBucket | answers.Total],
    coverage: Sequence[answers.FramesAnalysed],
    mean_per_frame: float | None,
) -> answers.Total:
    """Return what some bars or totals add up to, with their mean."""
    followed: list[int | None] = [None]
    if not any(part.objects_missing for part in coverage):
        followed = [part.objects if part.objects_missing is None else part.followed_objects for part in parts]
    rates = [part.slowest_fps for part in coverage]
    return _total(
        None,
        None,
        sum([part.detections for part in parts]),
        max([part.peak for part in parts], default=0),
        sum_all_or_unknown(followed),
        sum_all_or_unknown([part.tracked_detections for part in parts]),
        mean_per_frame,
        None if None in rates else min([rate for rate in rates if rate is not None], default=math.inf),
    )


def _total(
    label: str | None,
    source: str | None,
    detections: int,
    peak: int,
    followed: int | None,
    tracked: int | None,
    mean_per_frame: float | None,
    slowest_fps: float | None,
) -> answers.Total:
    """Return a total; `followed` objects are those in tracks."""
    missing = why_unknown("objects", Basis(followed, detections, tracked, slowest_fps))
    return answers.Total(
        label=label,
        source=source,
        detections=detections,
        peak=peak,
        mean_per_frame=mean_per_frame,
        objects=None if missing else followed,
        objects_missing=missing,
        tracked_detections=tracked,
        followed_objects=followed if missing else None,
    )


def metric_of(measured_part: answers.CountBucket | answers.Total, metric: Metric) -> float | None:
    """Return one of the four; None where it is not known."""
    value: float | None = getattr(measured_part, metric)
    return value


def value_of(totals: Sequence[answers.Total], metric: Metric) -> float:
    """Return the metric over several sources; objects that are not known are fewer than none."""
    if metric == "peak":
        return max([total.peak for total in totals], default=0)
    if metric == "objects":
        return sum([-1 if total.objects is None else total.objects for total in totals])
    return sum([metric_of(total, metric) or 0 for total in totals])
