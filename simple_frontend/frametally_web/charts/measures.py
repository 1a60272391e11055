"""What a chart shows, read from the index span by span and put together by bars of local time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from frametally.ports.count_index import Bucket, CountIndex, CountQuery, CoverageBucket
from frametally.ports.merging import merge_bars, merge_coverage, sum_all_or_unknown
from frametally.rules.objects import ObjectsMissing, why_unknown
from frametally_web.charts import answers
from frametally_web.charts.bars import Bars, Span
from frametally_web.requests.query import ChartQuery, Metric

_PartT = TypeVar("_PartT", Bucket, CoverageBucket)


class Chart(NamedTuple):
    """Bars and coverage, as they are answered."""

    base_interval_s: int
    buckets: list[answers.CountBucket]
    coverage: list[answers.FramesAnalysed]


def read_chart(
    index: CountIndex,
    model: str,
    base_interval_s: int,
    interval_s: int,
    query: ChartQuery,
    over: Sequence[Span],
) -> Chart:
    """Read bars of `interval_s` over some spans, which follow each other."""
    bars = Bars(interval_s, query.selection.zone.tzinfo)
    found: list[list[Bucket]] = []
    covered: list[list[CoverageBucket]] = []
    ends: dict[int, int] = {}
    for number, span in enumerate(over):
        histogram = index.histogram(
            CountQuery(
                model,
                base_interval_s,
                interval_s,
                sources=query.selection.sources,
                labels=query.selection.labels,
                from_ms=span.from_ms,
                to_ms=span.to_ms,
                offset_ms=bars.offset_ms(span),
                by_source=query.by_source,
            )
        )
        seen = {one.start_ms for one in histogram.buckets} | {one.start_ms for one in histogram.coverage}
        of_start = bars.bars_of(seen, span, is_first=number == 0, is_last=number == len(over) - 1)
        found += _moved(histogram.buckets, of_start)
        covered += _moved(histogram.coverage, of_start)
        ends.update(of_start.values())
    coverage = merge_coverage(covered)
    return Chart(
        base_interval_s,
        _buckets(merge_bars(found), coverage),
        [
            answers.FramesAnalysed(
                start_ms=one.start_ms,
                end_ms=ends[one.start_ms],
                source=one.source,
                frames=one.frames,
                slowest_fps=one.slowest_fps,
                objects_missing=_nothing_seen(one) if one.objects is None else None,
                covered_s=seconds(one.covered_ms),
            )
            for one in coverage
        ],
    )


def summarise(chart: Chart, query: ChartQuery) -> tuple[list[str], list[answers.Total]]:
    """Return the labels in their order, and what each adds up to (by source, where sources are apart)."""
    of_source: dict[str | None, list[answers.FramesAnalysed]] = defaultdict(list)
    for one in chart.coverage:
        of_source[one.source].append(one)
    everything = defaultdict(_Filmed, {source: _filmed(parts) for source, parts in of_source.items()})
    of_place: dict[tuple[str, str | None], list[answers.CountBucket]] = defaultdict(list)
    for bucket in chart.buckets:
        of_place[bucket.label, bucket.source].append(bucket)
    found: dict[str, dict[str | None, answers.Total]] = {label: {} for label in query.selection.labels}
    for (label, source), buckets in of_place.items():
        found.setdefault(label, {})[source] = _total(label, source, buckets, everything[source])
    names = {one.source for one in chart.buckets} | {one.source for one in chart.coverage}
    everywhere: list[str | None] = [*sorted(name for name in names if name)] if query.by_source else [None]
    frames = sum(one.frames for one in everything.values())
    totals: dict[str, list[answers.Total]] = {}
    for label, by_source in found.items():
        totals[label] = [
            by_source.get(source) or _total(label, source, [], everything[source]) for source in everywhere
        ]
    labels = query.selection.labels or sorted(
        totals, key=lambda label: (-_by_metric(totals[label], query.metric, frames), label)
    )
    return list(labels), [total for label in labels for total in totals[label]]


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
    rates = [one.slowest_fps for one in parts]
    return _Filmed(
        sum([one.frames for one in parts]),
        not any(one.objects_missing for one in parts),
        None if None in rates else min([rate for rate in rates if rate is not None]),
    )


def _moved(parts: list[_PartT], of_start: Mapping[int, tuple[int, int]]) -> list[list[_PartT]]:
    """Return rows with the starts of their bars, as parts that can be merged."""
    starts = {old_ms: bar[0] for old_ms, bar in of_start.items() if old_ms != bar[0]}
    if not starts:
        return [parts]
    moved = [one._replace(start_ms=starts[one.start_ms]) if one.start_ms in starts else one for one in parts]
    if len({bar[0] for bar in of_start.values()}) == len(of_start):
        return [moved]
    return [[one] for one in moved]  # clocks were put back by more than a bar: two are one


def _buckets(bars: Sequence[Bucket], coverage: Sequence[CoverageBucket]) -> list[answers.CountBucket]:
    filmed = {(one.start_ms, one.source): one for one in coverage}
    nothing = CoverageBucket(0, 0, objects=0)
    made = []
    for start_ms, label, detections, peak, objects, source, tracked in bars:
        covered = filmed.get((start_ms, source), nothing)
        followed = None if covered.objects is None else objects
        missing = why_unknown(followed, detections, tracked, covered.slowest_fps)
        made.append(
            answers.CountBucket(
                start_ms=start_ms,
                label=label,
                source=source,
                detections=detections,
                peak=peak,
                mean_per_frame=mean(detections, covered.frames),
                objects=None if missing else followed,
                objects_missing=missing,
                tracked_detections=tracked,
                followed_objects=followed if missing else None,
            )
        )
    return made


def _nothing_seen(covered: CoverageBucket) -> ObjectsMissing | None:
    """Return why the objects of a label without boxes are not known, where objects could not be tracked."""
    return why_unknown(None, 0, 0, covered.slowest_fps)


def _total(
    label: str, source: str | None, buckets: Sequence[answers.CountBucket], filmed: _Filmed
) -> answers.Total:
    detections = sum(one.detections for one in buckets)
    tracked = sum_all_or_unknown(one.tracked_detections for one in buckets)
    followed = None
    if filmed.is_measured:
        followed = sum_all_or_unknown(
            one.objects if one.objects_missing is None else one.followed_objects for one in buckets
        )
    missing = why_unknown(followed, detections, tracked, filmed.slowest_fps)
    return answers.Total(
        label=label,
        source=source,
        detections=detections,
        peak=max((one.peak for one in buckets), default=0),
        mean_per_frame=mean(detections, filmed.frames),
        objects=None if missing else followed,
        objects_missing=missing,
        tracked_detections=tracked,
        followed_objects=followed if missing else None,
    )


def _by_metric(totals: Sequence[answers.Total], metric: Metric, frames: int) -> float:
    if metric == "peak":
        return max((total.peak for total in totals), default=0)
    if metric == "objects":
        return sum(-1 if total.objects is None else total.objects for total in totals)
    detections = sum(total.detections for total in totals)
    return detections / frames if metric == "mean_per_frame" and frames else detections
