"""What a chart shows, read from the index span by span and put together by bars of local time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from frametally.ports.count_index import Bucket, CountIndex, CountQuery, CoverageBucket
from frametally.ports.merging import merge_bars, merge_coverage
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
                start_ms=start_ms,
                end_ms=ends[start_ms],
                source=source,
                frames=frames,
                slowest_fps=slowest_fps,
            )
            for start_ms, frames, slowest_fps, source in coverage
        ],
    )


def summarise(chart: Chart, query: ChartQuery) -> tuple[list[str], list[answers.Total]]:
    """Return the labels in their order, and what each adds up to (by source, where sources are apart)."""
    frames: dict[str | None, int] = defaultdict(int)
    for one in chart.coverage:
        frames[one.source] += one.frames
    of_place: dict[tuple[str, str | None], list[answers.CountBucket]] = defaultdict(list)
    for bucket in chart.buckets:
        of_place[bucket.label, bucket.source].append(bucket)
    found: dict[str, dict[str | None, answers.Total]] = {label: {} for label in query.selection.labels}
    for (label, source), buckets in of_place.items():
        found.setdefault(label, {})[source] = _total(label, source, buckets, frames[source])
    names = {one.source for one in chart.buckets} | {one.source for one in chart.coverage}
    everywhere: list[str | None] = [*sorted(name for name in names if name)] if query.by_source else [None]
    totals: dict[str, list[answers.Total]] = {}
    for label, by_source in found.items():
        totals[label] = [
            by_source.get(source) or _total(label, source, [], frames[source]) for source in everywhere
        ]
    labels = query.selection.labels or sorted(
        totals, key=lambda label: (-_by_metric(totals[label], query.metric, sum(frames.values())), label)
    )
    return list(labels), [total for label in labels for total in totals[label]]


def mean(detections: int, frames: int) -> float | None:
    """Return boxes per frame analysed, not rounded: few of a year's frames show any; None without frames."""
    return detections / frames if frames else None


def why_missing(objects: int | None, slowest_fps: float | None) -> answers.ObjectsMissing | None:
    """Return why unique objects are not known; None where they are."""
    if objects is not None:
        return None
    return "not_tracked" if slowest_fps is None else "too_slow"


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
    nothing = CoverageBucket(0, 0)
    made = []
    for start_ms, label, detections, peak, objects, source in bars:
        covered = filmed.get((start_ms, source), nothing)
        made.append(
            answers.CountBucket(
                start_ms=start_ms,
                label=label,
                source=source,
                detections=detections,
                peak=peak,
                mean_per_frame=mean(detections, covered.frames),
                objects=objects,
                objects_missing=None if objects is not None else why_missing(None, covered.slowest_fps),
            )
        )
    return made


def _total(
    label: str, source: str | None, buckets: Sequence[answers.CountBucket], frames: int
) -> answers.Total:
    detections = sum(one.detections for one in buckets)
    objects = [one.objects for one in buckets if one.objects is not None]
    return answers.Total(
        label=label,
        source=source,
        detections=detections,
        peak=max((one.peak for one in buckets), default=0),
        mean_per_frame=mean(detections, frames),
        objects=sum(objects) if len(objects) == len(buckets) else None,
        objects_missing=next((one.objects_missing for one in buckets if one.objects_missing), None),
    )


def _by_metric(totals: Sequence[answers.Total], metric: Metric, frames: int) -> float:
    if metric == "peak":
        return max((total.peak for total in totals), default=0)
    if metric == "objects":
        return sum(-1 if total.objects is None else total.objects for total in totals)
    detections = sum(total.detections for total in totals)
    return detections / frames if metric == "mean_per_frame" and frames else detections
