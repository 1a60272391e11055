"""The totals of a chart: of labels and sources, and of several labels together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from frametally.adapters.day_cells.sums import (
    DETECTIONS,
    LABEL,
    OBJECTS,
    PEAK,
    SOURCE,
    to_rates,
)
from frametally.adapters.day_cells.sums import add_up as add_cells
from frametally.ports.count_index import PARTIAL_LABELS
from frametally.rules.known import (
    LATER_OF_TRACKS,
    NAMES_OF_TRACKS,
    NOT_MEASURED,
    OF_TRACKS,
    AskedMetric,
    Basis,
    Metric,
    Missing,
    add_up,
    is_too_weak,
    objects_of,
    sum_all_or_unknown,
    why_not_counted,
    why_unknown,
)
from frametally_web.charts import answers
from frametally_web.charts.measures import (
    Chart,
    followed_of,
    mean_of_sources,
    means_by_label,
    number_of,
    sums_of_later,
)

Totals = Mapping[str | None, Sequence[answers.Total]]
"""Totals by label (None for labels together): one, or one of each source."""


def sum_up(chart: Chart, labels: Iterable[str | None], by_source: Iterable[str] | None = None) -> Totals:
    """Return the total of each label, `labels` and those in the chart: with `by_source` of each of these."""
    counted, filmed = chart.counted, chart.filmed
    covered = add_cells(filmed.cells, 0, 0, filmed.cells[SOURCE])
    footage = {
        filmed.sources[source]: (frames, rate, objects >= 0)
        for source, frames, objects, rate in zip(
            *covered[[SOURCE, DETECTIONS, OBJECTS]].tolist(), to_rates(covered[PEAK]), strict=True
        )
    }
    sums = {
        (counted.labels[label] or None, counted.sources[source]): values
        for _, label, source, *values in add_cells(
            counted.cells, counted.cells[LABEL], 0, counted.cells[SOURCE]
        ).T.tolist()
    }
    sources: list[str | None] = [None]
    if by_source is not None:
        sources = [*sorted(name for name in {*by_source, *footage, *(source for _, source in sums)} if name)]
    means = None if by_source is not None or chart.of_sources is None else means_by_label(*chart.of_sources)
    totals: dict[str | None, list[answers.Total]] = {}
    names = [None if label in PARTIAL_LABELS else label for label, _ in sums]
    for label in dict.fromkeys([*labels, *names]):
        totals[label] = []
        for source in sources:
            frames, rate, is_measured = footage.get(source, (0, math.inf, True))
            parts = []
            for name in (label,) if label is not None else (None, *PARTIAL_LABELS):
                if name not in PARTIAL_LABELS or (name, source) in sums:
                    detections, peak, *numbers = sums.get((name, source), (0,) * (2 + len(NAMES_OF_TRACKS)))
                    objects, *of_tracks = [None if n < 0 else n for n in numbers]
                    followed = objects if is_measured else None
                    parts.append(
                        _total(label, source, detections, peak, followed, of_tracks, None, rate, frames)
                    )
            per_frame = None
            if frames:
                detections = _boxes_of(parts)
                per_frame = detections / frames if means is None else means.get(label, 0.0)
            pooled = _pooled(parts, label, source, per_frame, rate, frames)
            totals[label].append(_together(parts, pooled))
    return totals


def explain_absence(
    totals: Iterable[answers.Total], chart: Chart, unanalysed: Mapping[str, Sequence[object]] | None
) -> list[answers.Total]:
    """Return totals with the reason where no frame of their sources was counted, so that no number is known.

    `unanalysed` has the footage of each source that is not counted yet.
    """
    reasons: defaultdict[str | None, set[Missing]] = defaultdict(set)
    for source in (source for source, ranges in (unanalysed or {}).items() if ranges):
        reasons[source].add("not_analysed")
    for part in chart.blank.intervals:
        reasons[part.source].add("shows_nothing")
    for outside in chart.not_within:
        reasons[outside.source].add(outside.missing)
    reasons[None] = set().union(*reasons.values())
    explained = []
    for total in totals:
        if total.detections is None:
            total = msgspec.structs.replace(total, objects_missing=why_not_counted(reasons[total.source]))
        explained.append(total)
    return explained


def all_together(chart: Chart) -> answers.Total:
    """Return the total of all labels and sources of a chart; in its mean each source has the same weight."""
    if chart.of_sources is not None:
        mean_per_frame = sum(means_by_label(*chart.of_sources).values()) if chart.frames else None
    else:
        boxes = [(bucket.source, bucket.detections, 0) for bucket in chart.buckets]
        frames = [(part.source, 0, part.frames) for part in chart.coverage]
        mean_per_frame = mean_of_sources([*boxes, *frames])
    return _add_parts(chart.buckets, chart.coverage, mean_per_frame)


def all_labels(totals: Totals, chart: Chart) -> list[answers.Total]:
    """Return the joint total of all labels: one, or one of each source with separate totals."""
    of_sources: dict[str | None, list[answers.Total]] = defaultdict(list)
    for total in (total for of_label in totals.values() for total in of_label):
        of_sources[total.source].append(total)
    coverage: dict[str | None, list[answers.FramesAnalysed]] = defaultdict(list)
    for part in chart.coverage:
        coverage[part.source].append(part)
    return [
        msgspec.structs.replace(_add_labels(of_labels, coverage[source]), source=source)
        for source, of_labels in (of_sources or {None: []}).items()
    ]


def sum_of(totals: Totals, labels: Iterable[str | None], chart: Chart) -> answers.Total:
    """Return the joint total of some labels of a chart, from their separate totals."""
    return _add_labels([totals[label][0] for label in labels], chart.coverage)


def _add_labels(
    of_labels: Sequence[answers.Total], coverage: Sequence[answers.FramesAnalysed]
) -> answers.Total:
    has_frames = any(part.frames for part in coverage)
    mean_per_frame = sum(total.mean_per_frame or 0.0 for total in of_labels) if has_frames else None
    return _add_parts(of_labels, coverage, mean_per_frame)


def by_metric(totals: Totals, metric: Metric) -> list[str]:
    """Return the labels in descending order of the metric, without the merged ones.

    Labels with unknown objects are last, in descending order of boxes.
    """
    return sorted(
        (label for label in totals if label is not None),
        key=lambda label: (
            -value_of(totals[label], metric),
            -value_of(totals[label], "detections") if metric == "objects" else 0,
            label,
        ),
    )


def known_metric(metric: AskedMetric, chart: Chart) -> Metric:
    """Return the requested metric; for `auto`, objects if they are known for all labels together."""
    if metric != "auto":
        return metric
    together = _add_parts(chart.buckets, chart.coverage, None)  # means do not matter for objects
    boxes, tracked = together.detections, together.tracked_detections
    is_weak = tracked is not None and is_too_weak(boxes, tracked)
    is_part = together.measured_objects is not None and together.objects_missing not in NOT_MEASURED
    is_known = together.objects is not None or (is_part and not is_weak)
    return "objects" if boxes is not None and is_known else "mean_per_frame"


def seconds(ms: int | None) -> float | None:
    """Return milliseconds as seconds."""
    return None if ms is None else ms / 1000


def _add_parts(
    parts: Sequence[answers.CountBucket | answers.Total],
    coverage: Sequence[answers.FramesAnalysed],
    mean_per_frame: float | None,
) -> answers.Total:
    """Return the sum of some bars or totals: objects are known if those of each label are.

    Over time, whether a label's objects are known depends on all its boxes, as in one long bar. If some time
    was not measured, the rest is their known part.
    """
    rates = [part.slowest_fps for part in coverage]
    rate = None if None in rates else min([rate for rate in rates if rate is not None], default=math.inf)
    frames = sum([part.frames for part in coverage])
    is_measured = not any(part.objects_missing for part in coverage)
    by_label = defaultdict(list)
    for part in parts:
        by_label[part.label].append(part)
    of_labels = []
    for of_label in by_label.values():
        total = _pooled(of_label, None, None, None, rate, frames, is_measured=is_measured)
        if total.objects_missing in NOT_MEASURED:
            number = add_up(map(number_of, of_label))
            least = number.at_least if number.value is None else number.value
            total = msgspec.structs.replace(total, measured_objects=least)
        of_labels.append(total)
    pooled = _pooled(parts, None, None, mean_per_frame, rate, frames, is_measured=is_measured)
    return _together(of_labels, pooled)


def _together(of_labels: Sequence[answers.Total], pooled: answers.Total) -> answers.Total:
    """Return the total of several labels: `pooled`, with the known part if a label's objects are unknown."""
    objects = add_up(map(number_of, of_labels))
    if objects.value is not None or (len(of_labels) < 2 and objects.at_least is None):
        return pooled
    later = sums_of_later(of_labels)
    return msgspec.structs.replace(
        pooled,
        objects=None,
        objects_missing=pooled.objects_missing or objects.missing,
        followed_objects=followed_of(pooled),
        **{number.name: later[number.name] for number in LATER_OF_TRACKS if number.needs_objects},
        measured_objects=objects.at_least,
    )


def _pooled(
    parts: Sequence[answers.CountBucket | answers.Total],
    label: str | None,
    source: str | None,
    mean_per_frame: float | None,
    slowest_fps: float | None,
    frames: int,
    *,
    is_measured: bool = True,
) -> answers.Total:
    """Return the total of some parts over all their boxes, as if they had one label."""
    followed = [followed_of(part) for part in parts] if is_measured else [None]
    return _total(
        label,
        source,
        _boxes_of(parts),
        max([part.peak for part in parts if part.peak is not None], default=0),
        sum_all_or_unknown(followed),
        [number.add_up([getattr(part, number.name) for part in parts]) for number in OF_TRACKS[1:]],
        mean_per_frame,
        slowest_fps,
        frames,
    )


def _boxes_of(parts: Iterable[answers.CountBucket | answers.Total]) -> int:
    return sum([part.detections for part in parts if part.detections is not None])


def _total(
    label: str | None,
    source: str | None,
    detections: int,
    peak: int,
    followed: int | None,
    of_tracks: Sequence[int | None],
    mean_per_frame: float | None,
    slowest_fps: float | None,
    frames: int,
) -> answers.Total:
    """Return a total; `followed` objects are those in tracks. Without `frames`, no number is known.

    `of_tracks` has the other numbers of `OF_TRACKS`.
    """
    numbers = dict(zip(NAMES_OF_TRACKS[1:], of_tracks, strict=True))
    tracked, fast = numbers.pop("tracked_detections"), numbers["fast_objects"]
    basis = Basis(followed, detections, tracked, slowest_fps, frames, fast_objects=fast)
    objects, missing, least = objects_of(basis)
    is_counted = why_unknown("boxes", basis) is None
    is_part_known = (objects, least) != (None, None)
    later: dict[str, Any] = {
        number.name: number.add_up([numbers[number.name]])
        if is_part_known or (is_counted and not number.needs_objects)
        else None
        for number in LATER_OF_TRACKS
    }
    return answers.Total(
        label=label,
        source=source,
        detections=detections if is_counted else None,
        peak=peak if is_counted else None,
        mean_per_frame=mean_per_frame,
        objects=objects,
        objects_missing=missing,
        tracked_detections=tracked if is_counted else None,
        followed_objects=followed if missing and is_counted else None,
        measured_objects=least,
        **later,
    )


def metric_of(measured_part: answers.CountBucket | answers.Total, metric: Metric) -> float | None:
    """Return one of the four metrics, or None if it is unknown."""
    value: float | None = getattr(measured_part, metric)
    return value


def known_part(measured_part: answers.CountBucket | answers.Total, metric: Metric) -> float | None:
    """Return one of the four metrics, or the known part of partly known objects; None without any."""
    value = metric_of(measured_part, metric)
    return measured_part.measured_objects if value is None and metric == "objects" else value


def value_of(totals: Sequence[answers.Total], metric: Metric) -> float:
    """Return the metric over several sources; unknown objects sort below none."""
    if metric == "peak":
        return max([total.peak or 0 for total in totals], default=0)
    if metric == "objects":
        return sum([-1 if total.objects is None else total.objects for total in totals])
    return sum([metric_of(total, metric) or 0 for total in totals])
