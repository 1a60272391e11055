"""What a chart shows, read from the index span by span and put together by bars of local time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from frametally.count_index import Bucket, CountIndex, CoverageBucket
from frametally.merging import merge_bucket, merge_coverage
from frametally_web import chart_answers as answers
from frametally_web.bars import Bars, Span
from frametally_web.query import ChartQuery


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
    """Bars of `interval_s` over some spans, which follow each other."""
    bars = Bars(interval_s, query.selection.zone.tzinfo)
    found: dict[tuple[int, str, str], Bucket] = {}
    covered: dict[tuple[int, str], CoverageBucket] = {}
    ends: dict[int, int] = {}
    for number, span in enumerate(over):
        histogram = index.histogram(
            model=model,
            base_interval_s=base_interval_s,
            interval_s=interval_s,
            sources=query.selection.sources or None,
            labels=query.selection.labels or None,
            from_ms=span.from_ms,
            to_ms=span.to_ms,
            offset_ms=bars.offset_ms(span),
            by_source=query.by_source,
        )
        starts: dict[int, int] = {}
        seen = {one.start_ms for one in histogram.buckets} | {one.start_ms for one in histogram.coverage}
        for start_ms in seen:
            bar = bars.bar_of(start_ms, span, is_first=number == 0, is_last=number == len(over) - 1)
            starts[start_ms], ends[bar[0]] = bar[0], max(bar[1], ends.get(bar[0], bar[1]))
        for one in histogram.buckets:
            merge_bucket(found, one._replace(start_ms=starts[one.start_ms]))
        for part in histogram.coverage:
            merge_coverage(covered, part._replace(start_ms=starts[part.start_ms]))
    return Chart(
        base_interval_s,
        [_bucket(found[key], covered.get((key[0], key[2]))) for key in sorted(found)],
        [_coverage(covered[key], ends[key[0]]) for key in sorted(covered)],
    )


def summarise(chart: Chart, query: ChartQuery) -> tuple[list[str], list[answers.Total]]:
    """The labels in their order, and what each adds up to (by source, where sources are apart)."""
    frames: dict[str | None, int] = defaultdict(int)
    for one in chart.coverage:
        frames[one.source] += one.frames
    found: dict[str, dict[str | None, answers.Total]] = {label: {} for label in query.selection.labels}
    for bucket in chart.buckets:
        of_label = found.setdefault(bucket.label, {})
        of_label[bucket.source] = _add(of_label.get(bucket.source), bucket)
    names = {one.source for one in chart.buckets} | {one.source for one in chart.coverage}
    everywhere: list[str | None] = [*sorted(name for name in names if name)] if query.by_source else [None]
    totals: dict[str, list[answers.Total]] = {}
    for label, by_source in found.items():
        totals[label] = [
            _with_mean(by_source.get(source) or _zero(label, source), frames[source]) for source in everywhere
        ]
    labels = query.selection.labels or sorted(
        totals, key=lambda label: (-_by_metric(totals[label], query.metric, sum(frames.values())), label)
    )
    return list(labels), [total for label in labels for total in totals[label]]


def mean(detections: int, frames: int) -> float | None:
    """Boxes per frame analysed, to four places; None without frames."""
    return round(detections / frames, 4) if frames else None


def why_missing(objects: int | None, slowest_fps: float | None) -> answers.ObjectsMissing | None:
    """Why unique objects are not known; None where they are."""
    if objects is not None:
        return None
    return "not_tracked" if slowest_fps is None else "too_slow"


def _bucket(bucket: Bucket, covered: CoverageBucket | None) -> answers.CountBucket:
    return answers.CountBucket(
        start_ms=bucket.start_ms,
        label=bucket.label,
        source=bucket.source,
        detections=bucket.detections,
        peak=bucket.peak,
        mean_per_frame=mean(bucket.detections, covered.frames if covered else 0),
        objects=bucket.objects,
        objects_missing=why_missing(bucket.objects, covered.slowest_fps if covered else None),
    )


def _coverage(covered: CoverageBucket, end_ms: int) -> answers.FramesAnalysed:
    return answers.FramesAnalysed(
        start_ms=covered.start_ms,
        end_ms=end_ms,
        source=covered.source,
        frames=covered.frames,
        slowest_fps=covered.slowest_fps,
    )


def _zero(label: str, source: str | None) -> answers.Total:
    return answers.Total(
        label=label, source=source, detections=0, peak=0, mean_per_frame=None, objects=0, objects_missing=None
    )


def _add(total: answers.Total | None, bucket: answers.CountBucket) -> answers.Total:
    total = total or _zero(bucket.label, bucket.source)
    known = total.objects is not None and bucket.objects is not None
    return answers.Total(
        label=bucket.label,
        source=bucket.source,
        detections=total.detections + bucket.detections,
        peak=max(total.peak, bucket.peak),
        mean_per_frame=None,
        objects=(total.objects or 0) + (bucket.objects or 0) if known else None,
        objects_missing=total.objects_missing or bucket.objects_missing,
    )


def _with_mean(total: answers.Total, frames: int) -> answers.Total:
    return answers.Total(
        label=total.label,
        source=total.source,
        detections=total.detections,
        peak=total.peak,
        mean_per_frame=mean(total.detections, frames),
        objects=total.objects,
        objects_missing=total.objects_missing,
    )


def _by_metric(totals: Sequence[answers.Total], metric: answers.Metric, frames: int) -> float:
    if metric == "peak":
        return max((total.peak for total in totals), default=0)
    if metric == "objects":
        return sum(-1 if total.objects is None else total.objects for total in totals)
    detections = sum(total.detections for total in totals)
    return detections / frames if metric == "mean_per_frame" and frames else detections
