"""The values of a chart: reads the index span by span, and adds up bars of local time."""

from __future__ import annotations

import datetime
import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median_low
from typing import Any, NamedTuple, TypeVar

from frametally.ports.count_index import (
    AGES_S,
    NO_LABEL,
    Bucket,
    CountIndex,
    CountQuery,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
)
from frametally.ports.merging import merge_bars, merge_coverage, sum_all_or_unknown
from frametally.rules.objects import why_unknown
from frametally_web.charts import answers
from frametally_web.charts.bars import Bars, Span
from frametally_web.requests.query import AskedMetric, ChosenTimes, Metric

Totals = Mapping[str | None, Sequence[answers.Total]]
"""By label (None: of labels together) its totals: one, or one of each source."""

_PartT = TypeVar("_PartT", Bucket, CoverageBucket)
_LEAST_FRAMES = 3  # two frames are no rhythm
_MOST_SOURCES = 100
"""Most sources to examine: the ones with fewest frames."""


class Chart(NamedTuple):
    """Bars and coverage, as they are answered."""

    base_interval_s: int
    buckets: list[answers.CountBucket]
    coverage: list[answers.FramesAnalysed]

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
        bars = Bars(interval_s, self.zone)
        bucket_lists: list[list[Bucket]] = []
        covered: list[list[CoverageBucket]] = []
        ends: dict[int, int] = {}
        for number, span in enumerate(self.spans):
            histogram = self._read(span, interval_s, bars.offset_ms(span), changes)
            starts_ms = {bucket.start_ms for bucket in histogram.buckets} | {
                bucket.start_ms for bucket in histogram.coverage
            }
            of_start = bars.bars_of(
                starts_ms, span, is_first=number == 0, is_last=number == len(self.spans) - 1
            )
            bucket_lists += _shift(histogram.buckets, of_start)
            covered += _shift(histogram.coverage, of_start)
            ends.update(of_start.values())
        return _chart(self.query.base_interval_s, merge_bars(bucket_lists), merge_coverage(covered), ends)

    def whole(self, **changes: Any) -> Chart:
        """Read the whole range as one bar."""
        if not self.spans:
            return Chart(self.query.base_interval_s, [], [])
        from_ms, to_ms = self.spans[0].from_ms, self.spans[-1].to_ms
        # Only hours and weekdays are of another part of UTC's week in each span.
        over = self.spans if self.times.week_parts(0) else [Span(from_ms, to_ms, 0)]
        histograms = [self._read(span, AGES_S, 0, changes) for span in over]
        bucket_lists = [part for read in histograms for part in _together(read.buckets, from_ms)]
        covered = [part for read in histograms for part in _together(read.coverage, from_ms)]
        return _chart(
            self.query.base_interval_s, merge_bars(bucket_lists), merge_coverage(covered), {from_ms: to_ms}
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
        query = of_span(self.query, span, self.times)
        return self.index.histogram(query._replace(interval_s=interval_s, offset_ms=offset_ms, **changes))


def of_span(query: CountQuery, span: Span, times: ChosenTimes) -> CountQuery:
    """Return what `query` asks of one span: its part of the range and, of chosen `times`, of UTC's week."""
    return query._replace(
        from_ms=span.from_ms if query.from_ms is None else max(query.from_ms, span.from_ms),
        to_ms=span.to_ms if query.to_ms is None else min(query.to_ms, span.to_ms),
        week_parts=times.week_parts(span.offset_ms),
    )


def _chart(
    base_interval_s: int,
    bars: Sequence[Bucket],
    coverage: Sequence[CoverageBucket],
    ends: Mapping[int, int],
) -> Chart:
    new_interval = answers.FramesAnalysed
    return Chart(
        base_interval_s,
        _buckets(bars, coverage),
        [
            new_interval(
                bucket.start_ms,
                ends[bucket.start_ms],
                bucket.source,
                bucket.frames,
                bucket.slowest_fps,
                why_unknown(None, 0, 0, bucket.slowest_fps) if bucket.objects is None else None,
                seconds(bucket.covered_ms),
            )
            for bucket in coverage
        ],
    )


def sum_up(chart: Chart, labels: Iterable[str | None], *, by_source: bool) -> Totals:
    """Return the total of each label (by source, if these are separate): `labels`, and those in the chart."""
    coverage: dict[str | None, list[answers.FramesAnalysed]] = defaultdict(list)
    for part in chart.coverage:
        coverage[part.source].append(part)
    filmed = {source: _filmed(parts) for source, parts in coverage.items()}
    buckets: dict[tuple[str | None, str | None], list[answers.CountBucket]] = defaultdict(list)
    for bucket in chart.buckets:
        buckets[bucket.label, bucket.source].append(bucket)
    sources: list[str | None] = [None]
    if by_source:
        sources = [*sorted(name for name in {*coverage, *(source for _, source in buckets)} if name)]
    names = dict.fromkeys([*labels, *(label for label, _ in buckets)])
    parts = [
        _Part(label, source, buckets.get((label, source), ()), filmed.get(source, _Filmed()))
        for label in names
        for source in sources
    ]
    totals = iter(_totals(parts))
    return {label: [*islice(totals, len(sources))] for label in names}


def all_together(chart: Chart) -> answers.Total:
    """Return what all labels and sources of a chart add up to."""
    return _totals([_Part(None, None, chart.buckets, _filmed(chart.coverage))])[0]


def sum_of(totals: Totals, labels: Iterable[str], chart: Chart) -> answers.Total:
    """Return the joint total of some labels of a chart, from their separate totals."""
    of_labels = [totals[label][0] for label in labels]
    return _totals([_Part(None, None, of_labels, _filmed(chart.coverage))])[0]


def by_metric(totals: Totals, metric: Metric, frames: int) -> list[str]:
    """Return the labels, those with most of the metric first; without those that are together."""
    return sorted(
        (label for label in totals if label is not None),
        key=lambda label: (-value_of(totals[label], metric, frames), label),
    )


def known_metric(metric: AskedMetric, chart: Chart) -> Metric:
    """Return the metric asked for; of `auto`, objects if they are known of all labels together."""
    if metric != "auto":
        return metric
    return "objects" if chart.coverage and all_together(chart).objects is not None else "mean_per_frame"


def mean(detections: int, frames: int) -> float | None:
    """Return boxes per frame analysed, not rounded: few of a year's frames show any; None without frames."""
    return detections / frames if frames else None


def seconds(ms: int | None) -> float | None:
    """Return milliseconds as seconds."""
    return None if ms is None else ms / 1000


class _Filmed(NamedTuple):
    """What the coverage of a whole answer comes to; None as in `CoverageBucket`."""

    frames: int = 0
    is_measured: bool = True
    slowest_fps: float | None = math.inf


def _filmed(parts: Sequence[answers.FramesAnalysed]) -> _Filmed:
    if not parts:
        return _Filmed()
    rates = [part.slowest_fps for part in parts]
    return _Filmed(
        sum([part.frames for part in parts]),
        not any(part.objects_missing for part in parts),
        None if None in rates else min([rate for rate in rates if rate is not None]),
    )


def _together(parts: list[_PartT], start_ms: int) -> list[list[_PartT]]:
    """Return rows of one answer as parts of the bar that begins at `start_ms`."""
    starts = {part.start_ms for part in parts}
    shifted_parts = [part._replace(start_ms=start_ms) for part in parts]
    return [shifted_parts] if len(starts) == 1 else [[part] for part in shifted_parts]


def _shift(parts: list[_PartT], of_start: Mapping[int, tuple[int, int]]) -> list[list[_PartT]]:
    """Return rows with the starts of their bars, as parts that can be merged."""
    starts = {old_ms: bar[0] for old_ms, bar in of_start.items() if old_ms != bar[0]}
    if not starts:
        return [parts]
    shifted_parts = [
        part._replace(start_ms=starts[part.start_ms]) if part.start_ms in starts else part for part in parts
    ]
    if len({bar[0] for bar in of_start.values()}) == len(of_start):
        return [shifted_parts]
    return [[part] for part in shifted_parts]  # clocks were put back by more than a bar: two are one


def _buckets(bars: Sequence[Bucket], coverage: Sequence[CoverageBucket]) -> list[answers.CountBucket]:
    filmed = {(bucket.start_ms, bucket.source): bucket for bucket in coverage}
    nothing = CoverageBucket(0, 0, objects=0)
    new_bucket = answers.CountBucket
    last_ms, last_source = None, None
    buckets = []
    for start_ms, label, detections, peak, objects, source, tracked in bars:
        if start_ms != last_ms or source != last_source:
            last_ms, last_source = start_ms, source
            _, frames, slowest_fps, _, filmed_objects, _ = filmed.get((start_ms, source), nothing)
        followed = None if filmed_objects is None else objects
        missing = why_unknown(followed, detections, tracked, slowest_fps)
        # By position, which is a third faster: a chart of all labels has some ten thousand.
        buckets.append(
            new_bucket(
                start_ms,
                label or None,
                source,
                detections,
                peak,
                detections / frames if frames else None,
                None if missing else followed,
                missing,
                tracked,
                followed if missing else None,
            )
        )
    return buckets


class _Part(NamedTuple):
    """What one total is of."""

    label: str | None
    source: str | None
    buckets: Sequence[answers.CountBucket | answers.Total]
    filmed: _Filmed


def _totals(parts: Sequence[_Part]) -> list[answers.Total]:
    detections = [sum([bucket.detections for bucket in part.buckets]) for part in parts]
    tracked = [[bucket.tracked_detections for bucket in part.buckets] for part in parts]
    followed = [
        [
            bucket.objects if bucket.objects_missing is None else bucket.followed_objects
            for bucket in part.buckets
        ]
        if part.filmed.is_measured
        else [None]
        for part in parts
    ]
    sums = [
        *zip(detections, map(sum_all_or_unknown, tracked), map(sum_all_or_unknown, followed), strict=True)
    ]
    reasons = [
        why_unknown(objects, boxes, in_tracks, part.filmed.slowest_fps)
        for part, (boxes, in_tracks, objects) in zip(parts, sums, strict=True)
    ]
    return [
        answers.Total(
            label=part.label,
            source=part.source,
            detections=boxes,
            peak=max([bucket.peak for bucket in part.buckets], default=0),
            mean_per_frame=mean(boxes, part.filmed.frames),
            objects=None if missing else objects,
            objects_missing=missing,
            tracked_detections=in_tracks,
            followed_objects=objects if missing else None,
        )
        for part, (boxes, in_tracks, objects), missing in zip(parts, sums, reasons, strict=True)
    ]


def metric_of(measured_part: answers.CountBucket | answers.Total, metric: Metric) -> float | None:
    """Return one of the four; None where it is not known."""
    value: float | None = getattr(measured_part, metric)
    return value


def value_of(totals: Sequence[answers.Total], metric: Metric, frames: int) -> float:
    """Return the metric over several sources; objects that are not known are fewer than none."""
    if metric == "peak":
        return max((total.peak for total in totals), default=0)
    if metric == "objects":
        return sum(-1 if total.objects is None else total.objects for total in totals)
    detections = sum(total.detections for total in totals)
    return detections / frames if metric == "mean_per_frame" and frames else detections
