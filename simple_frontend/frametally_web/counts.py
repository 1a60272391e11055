"""The answer of `/api/counts`: from what is asked for to one query of the index and its totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.count_index import Bucket, CountIndex, Histogram
from frametally.settings import Settings
from frametally_web import answers, intervals
from frametally_web.problems import bad_parameter
from frametally_web.query import Selection


class Choice(NamedTuple):
    """The one model that a query reads, and its stored base intervals."""

    model: str
    base_intervals_s: list[int]


def choose_model(index: CountIndex, asked: str | None) -> Choice | None:
    """The model asked for, or the newest; None if nothing is indexed and none was asked for.

    Raises:
        Problem: 400, if there is no such model, with those that there are.
    """
    bases: dict[str, list[int]] = {}
    for series in index.series():
        bases.setdefault(series.model, []).append(series.base_interval_s)
    model = next(iter(bases), None) if asked is None else asked
    if model is None:
        return None
    if model not in bases:
        raise bad_parameter(
            "model",
            f"Nothing was counted with the model {model!r}.",
            remedy=f"Choose one of these: {', '.join(bases)}." if bases else "There are no counts yet.",
        )
    return Choice(model, sorted(bases[model]))


def count(
    index: CountIndex, settings: Settings, *, model: str | None, selection: Selection, interval_s: int | None
) -> answers.Counts:
    """Counts per interval and label.

    Raises:
        Problem: 400, if the model or the interval cannot be, or the answer would have too many bars.
    """
    choice = choose_model(index, model)
    if choice is None:
        return _nothing(None, selection)
    if interval_s is not None:
        intervals.base_of(choice.base_intervals_s, interval_s, None, None)  # refuse it, footage or not
    span = _range(index, choice.model, selection)
    if span is None:
        return _nothing(choice.model, selection)
    from_ms, to_ms = span
    labels = selection.labels or [label for label, _ in index.labels(choice.model)]
    max_bars = settings.web_max_buckets // max(len(labels), 1)
    chosen_s = interval_s or intervals.default_interval(
        choice.base_intervals_s, from_ms, to_ms, max_bars=max_bars
    )
    _check_size(chosen_s, from_ms, to_ms, labels, settings.web_max_buckets)
    base_s = intervals.base_of(choice.base_intervals_s, chosen_s, from_ms, to_ms)
    histogram = index.histogram(
        model=choice.model,
        base_interval_s=base_s,
        interval_s=chosen_s,
        sources=selection.sources or None,
        labels=selection.labels or None,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    choices_s = intervals.choices(choice.base_intervals_s, from_ms, to_ms, max_bars=max_bars)
    return _answer(histogram, selection, chosen_s, choices_s, span)


def _range(index: CountIndex, model: str, selection: Selection) -> tuple[int, int] | None:
    """The range asked for, open ends filled from the sources' own; None if that leaves nothing."""
    of_interest = [
        source
        for source in index.sources(model)
        if not selection.sources or source.source in selection.sources
    ]
    if not of_interest:
        return None
    from_ms, to_ms = selection.from_ms, selection.to_ms
    if from_ms is None:
        from_ms = min(source.first_interval_ms for source in of_interest)
    if to_ms is None:
        to_ms = max(source.next_interval_ms for source in of_interest)
    return (from_ms, to_ms) if from_ms < to_ms else None


def _check_size(interval_s: int, from_ms: int, to_ms: int, labels: Sequence[str], max_buckets: int) -> None:
    wanted = intervals.bars(from_ms, to_ms, interval_s) * max(len(labels), 1)
    if wanted > max_buckets:
        raise bad_parameter(
            "interval",
            f"interval={interval_s} makes up to {wanted} bars of {len(labels)} labels; "
            f"the most is {max_buckets} (FRAMETALLY_WEB_MAX_BUCKETS).",
            remedy="Ask for a longer interval, a shorter range or fewer labels.",
        )


def _answer(
    histogram: Histogram,
    selection: Selection,
    interval_s: int,
    choices_s: list[int],
    span: tuple[int, int],
) -> answers.Counts:
    frames_at = {bucket.start_ms: bucket.frames for bucket in histogram.coverage}
    frames = sum(frames_at.values())
    detections: dict[str, int] = dict.fromkeys(selection.labels, 0)
    peak: dict[str, int] = dict.fromkeys(selection.labels, 0)
    for bucket in histogram.buckets:
        detections[bucket.label] = detections.get(bucket.label, 0) + bucket.detections
        peak[bucket.label] = max(peak.get(bucket.label, 0), bucket.peak)
    labels = selection.labels or sorted(detections, key=lambda label: (-detections[label], label))
    return answers.Counts(
        model=histogram.model,
        base_interval_s=histogram.base_interval_s,
        interval_s=interval_s,
        interval_choices_s=choices_s,
        from_ms=span[0],
        to_ms=span[1],
        frames=frames,
        labels=labels,
        buckets=[_bucket(bucket, frames_at.get(bucket.start_ms, 0)) for bucket in histogram.buckets],
        coverage=[
            answers.FramesAnalysed(start_ms=bucket.start_ms, frames=bucket.frames)
            for bucket in histogram.coverage
        ],
        totals=[
            answers.Total(
                label=label,
                detections=detections[label],
                peak=peak[label],
                mean_per_frame=_mean(detections[label], frames),
            )
            for label in labels
        ],
    )


def _nothing(model: str | None, selection: Selection) -> answers.Counts:
    return answers.Counts(
        model=model,
        base_interval_s=None,
        interval_s=None,
        interval_choices_s=[],
        from_ms=selection.from_ms,
        to_ms=selection.to_ms,
        frames=0,
        labels=selection.labels,
        buckets=[],
        coverage=[],
        totals=[
            answers.Total(label=label, detections=0, peak=0, mean_per_frame=None)
            for label in selection.labels
        ],
    )


def _bucket(bucket: Bucket, frames: int) -> answers.CountBucket:
    return answers.CountBucket(
        start_ms=bucket.start_ms,
        label=bucket.label,
        detections=bucket.detections,
        peak=bucket.peak,
        mean_per_frame=_mean(bucket.detections, frames),
    )


def _mean(detections: int, frames: int) -> float | None:
    return round(detections / frames, 4) if frames else None
