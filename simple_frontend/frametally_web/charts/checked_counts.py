"""The errors of counts that people have checked, from plug-ins."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from frametally.plugins import hooks
from frametally.ports.count_index import CountIndex
from frametally.ports.picture_places import CheckedMetric, EventPlace, PartIndex
from frametally.rules.known import Metric
from frametally.rules.times import local_time
from frametally.settings.loading import Settings
from frametally_web.access.visitors import visitor
from frametally_web.charts import answers
from frametally_web.charts.local_bars import Ranges
from frametally_web.charts.measures import empty_bar
from frametally_web.charts.question import Question
from frametally_web.requests.answers import CountCheck

_CountedT = TypeVar("_CountedT", answers.CountBucket, answers.Total)


class CheckedCount(NamedTuple):
    """A count that a check may cover.

    Attributes:
        start_ms: Start of its footage.
        end_ms: End of its footage, exclusive.
        source: Slug; None for all sources of the question.
        labels: Class names; empty for all.
        frames: Frames that were analysed.
        counted: The number counted in them; None if unknown.
    """

    start_ms: int
    end_ms: int
    source: str | None
    labels: tuple[str, ...]
    frames: int
    counted: int | None


class CountQuestion(NamedTuple):
    """Counts of one chart.

    Attributes:
        metric: The counted metric.
        model: The model that counted.
        base_interval_s: The stored interval that was read.
        sources: Slugs of all sources.
        chosen: The event times that count; None for all.
        counts: The counts.
        place: For crossings, the line as it is drawn now.
    """

    metric: CheckedMetric
    model: str
    base_interval_s: int
    sources: Sequence[str]
    chosen: Ranges | None
    counts: Sequence[CheckedCount]
    place: EventPlace | None = None


class CountInterval(NamedTuple):
    """The interval of a count, its corrected estimate, and its check."""

    low: float
    high: float
    estimate: float
    check: str


class CheckedAnswer(NamedTuple):
    """The checks of a chart's footage, and an interval or None for each count."""

    checks: list[CountCheck]
    intervals: Sequence[CountInterval | None]


class CountChecks(Protocol):
    """The hook `count_checks` of a plug-in."""

    def version(self, settings: Settings) -> str:
        """Return a text that differs whenever the checks do; empty while there are none."""

    def answer(self, settings: Settings, index: CountIndex, question: CountQuestion) -> CheckedAnswer | None:
        """Return the checks of counts, or None if there are none."""


def ask_checks(settings: Settings, index: CountIndex, question: CountQuestion) -> CheckedAnswer | None:
    """Return the intervals from the first plug-in that has checks of this footage."""
    if isinstance(index, PartIndex):  # a check is of whole pictures
        return None
    every: tuple[CountChecks, ...] = hooks("count_checks")
    for source in every:
        answer = source.answer(settings, index, question)
        if answer is not None and answer.checks:
            if visitor().role is None or visitor().shown_on:  # a signed chart on another site names no people
                nameless = [msgspec.structs.replace(check, persons=[]) for check in answer.checks]
                answer = answer._replace(checks=nameless)
            return answer
    return None


def with_intervals(question: Question, counts_answer: answers.Counts) -> answers.Counts:
    """Return the answer with an interval for each bucket and total that a check covers.

    The intervals are of objects if that is the answer's metric, else of detections. If the model counted no
    objects of a checked label in a bar, a bucket of 0 is added, because there may be many.
    """
    model, base_interval_s = counts_answer.model, counts_answer.base_interval_s
    if model is None or base_interval_s is None:
        return counts_answer
    covered = {(coverage.start_ms, coverage.source): coverage for coverage in counts_answer.coverage}
    frames: dict[str | None, int] = {}
    for coverage in counts_answer.coverage:
        frames[coverage.source] = frames.get(coverage.source, 0) + coverage.frames
    from_ms, to_ms = counts_answer.from_ms or 0, counts_answer.to_ms or 0
    rest = tuple(counts_answer.rest)
    counts = []
    buckets = [*counts_answer.buckets, *_empty_buckets(counts_answer)]
    for bucket in buckets:
        bar = covered.get((bucket.start_ms, bucket.source))
        counts.append(
            CheckedCount(
                max(bucket.start_ms, from_ms),
                min(bar.end_ms, to_ms) if bar else bucket.start_ms,
                bucket.source,
                rest if bucket.label is None else (bucket.label,),
                bar.frames if bar else 0,
                _counted(bucket, counts_answer.metric),
            )
        )
    totals = [*counts_answer.totals, *counts_answer.rest_totals]
    for total in totals:
        labels = rest if total.label is None else (total.label,)
        of_source = frames.get(total.source, 0)
        counted = _counted(total, counts_answer.metric)
        counts.append(CheckedCount(from_ms, to_ms, total.source, labels, of_source, counted))
    answer = _ask(question, counts_answer.metric, base_interval_s, counts)
    if answer is None:
        return counts_answer
    number = len(counts_answer.buckets)
    buckets = _with(buckets, answer.intervals[: len(buckets)])
    empty = [bucket for bucket in buckets[number:] if bucket.check is not None]
    totals = _with(totals, answer.intervals[-len(totals) :] if totals else [])
    return msgspec.structs.replace(
        counts_answer,
        buckets=sorted([*buckets[:number], *empty], key=lambda bucket: bucket.start_ms),
        totals=totals[: len(counts_answer.totals)],
        rest_totals=totals[len(counts_answer.totals) :],
        checks=answer.checks,
    )


def total_with_interval(question: Question, summary: answers.Summary) -> answers.Summary:
    """Return a summary whose total has an interval, if a check covers it."""
    if (
        summary.model is None
        or summary.base_interval_s is None
        or summary.from_ms is None
        or summary.to_ms is None
    ):
        return summary
    whole = CheckedCount(
        summary.from_ms,
        summary.to_ms,
        None,
        tuple(question.selection.labels),
        summary.frames,
        _counted(summary.total, summary.metric),
    )
    answer = _ask(question, summary.metric, summary.base_interval_s, [whole])
    if answer is None:
        return summary
    (total,) = _with([summary.total], answer.intervals)
    return msgspec.structs.replace(summary, total=total, checks=answer.checks)


def _ask(
    question: Question, metric: Metric, base_interval_s: int, counts: Sequence[CheckedCount]
) -> CheckedAnswer | None:
    base_s = question.stored_interval_s(base_interval_s)
    return ask_checks(
        question.settings,
        question.stored,
        CountQuestion(
            _checked_metric(metric), question.model, base_s, question.sources, question.chosen, counts
        ),
    )


def applied_checks(counts_answer: answers.Counts) -> list[CountCheck]:
    """Return the checks that provide intervals of an answer."""
    return [check for check in counts_answer.checks or () if not check.stale]


def check_words(check: CountCheck, zone: datetime.tzinfo) -> str:
    """Return one line that says what the intervals are based on."""
    people = f" by {', '.join(check.persons)}" if check.persons else ""
    day = local_time(check.last_answer_ms, zone).date().isoformat()
    return (
        f"{check.name}: {check.confidence:.0%} intervals, checked{people} on {day}, "
        f"{check.units} {unit_name(check.metric)}, model {check.model}"
    )


def unit_name(metric: CheckedMetric) -> str:
    """Return the name of a check's units."""
    return "frames" if metric == "detections" else "clips of footage"


def _empty_buckets(counts_answer: answers.Counts) -> list[answers.CountBucket]:
    """Return a bucket of 0 for each label without a count in a bar with footage."""
    with_counts = {(bucket.start_ms, bucket.source, bucket.label) for bucket in counts_answer.buckets}
    return [
        empty_bar(bar, label)
        for bar in counts_answer.coverage
        for label in counts_answer.labels
        if bar.frames and (bar.start_ms, bar.source, label) not in with_counts
    ]


def _checked_metric(metric: Metric) -> CheckedMetric:
    return "visits" if metric == "objects" else "detections"


def _counted(measures: answers.CountBucket | answers.Total, metric: Metric) -> int | None:
    return measures.objects if metric == "objects" else measures.detections


def _with(parts: Sequence[_CountedT], intervals: Sequence[CountInterval | None]) -> list[_CountedT]:
    return [
        part
        if interval is None
        else msgspec.structs.replace(
            part, low=interval.low, high=interval.high, estimate=interval.estimate, check=interval.check
        )
        for part, interval in zip(parts, intervals, strict=True)
    ]
