"""Turns a query into a complete question about one source's lines and zones: model, range, bars."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from msgspec import structs

from frametally.actions.parameters import shortened
from frametally.actions.problems import bad_parameter
from frametally.keys import day_start_ms, utc_day
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.rules.known import Basis, Missing, why_unknown
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.background_days import TakenDays
from frametally_traffic.records import Drawing, Drawn
from frametally_web.charts.answers import CountBucket, NotAnalysed, Total
from frametally_web.charts.counts import plan_chart
from frametally_web.charts.local_bars import Bars, bars_not_analysed
from frametally_web.charts.measures import Chart
from frametally_web.charts.question import Question
from frametally_web.charts.totals import sum_up
from frametally_web.requests.query import Selection


class PlacesAsked(NamedTuple):
    """A question that has data.

    Attributes:
        labels: Requested labels; empty for all.
        base_interval_s: The stored interval whose runs are read.
        read_interval_s: That interval, or 1 for a short range that is read by the second; the range starts
            and ends at its multiples.
        edges_ms: Starts of all bars of the range in order, and the end of the last one.
        bars: Bars with footage; `frames` is 0 if none of it shows anything.
        not_analysed: Footage that is not counted; None if the store is unavailable.
        days: UTC days of the range that were counted, in order.
        unknown: By bar and label, why objects could not be followed there.
        unknown_labels: By label, why objects could not be followed over the whole range.
        untracked: By label, its boxes in the range that are in no track; None if that was not recorded.
    """

    model: str
    source: str
    labels: list[str]
    base_interval_s: int
    read_interval_s: int
    interval_s: int
    interval_choices_s: list[int]
    from_ms: int
    to_ms: int
    edges_ms: list[int]
    bars: list[answers.FlowBar]
    not_analysed: list[NotAnalysed] | None
    days: tuple[str, ...]
    unknown: Mapping[tuple[int, str], Missing]
    unknown_labels: Mapping[str, Missing]
    untracked: Mapping[str, int | None]

    def missing_of(self, labels: Iterable[str] | None = None) -> Missing | None:
        """Return why objects of some labels (by default all seen) are unknown in the range, or None."""
        frames = sum(bar.frames for bar in self.bars)
        basis = Basis(
            frames=frames, is_waiting=bool(self.not_analysed), is_blank=bool(self.bars and not frames)
        )
        reasons = map(self.unknown_labels.get, self.unknown_labels if labels is None else labels)
        return why_unknown("boxes", basis) or next((reason for reason in reasons if reason), None)

    def without(self, days: Collection[str]) -> PlacesAsked:
        """Return the question if these days cannot be counted: no number of them or of the range is known."""
        starts_ms = [*map(day_start_ms, days)]
        reason: Missing = "not_analysed"
        if not starts_ms:
            return self
        bars = [
            structs.replace(bar, is_measured=False, missing=bar.missing or reason)
            if any(bar.start_ms < start_ms + DAY_MS and bar.end_ms > start_ms for start_ms in starts_ms)
            else bar
            for bar in self.bars
        ]
        not_counted = {
            (bar.start_ms, label) for bar in bars if bar.missing == reason for label in self.untracked
        }
        return self._replace(
            bars=bars,
            unknown=dict.fromkeys(not_counted, reason) | {**self.unknown},
            unknown_labels=dict.fromkeys(self.untracked, reason) | {**self.unknown_labels},
        )


def places_asked(question: Question) -> PlacesAsked | None:
    """Return what a question about one source asks of its lines and zones; None if it has no data.

    Raises:
        Problem: 400, if the interval is invalid.
    """
    selection, [source] = question.selection, question.selection.sources
    plan = None if question.is_waiting else plan_chart(question, series=1)
    if plan is None or not plan.question.spans:
        return None
    question, reader = plan.question, plan.reader
    # Labels do not affect which bars exist.
    chart = replace(reader, query=reader.query._replace(labels=[])).bars(plan.interval_s)
    # Whole intervals by their start, like the index.
    base_ms = chart.base_interval_s * 1000
    base_s = question.stored_interval_s(chart.base_interval_s)
    spans, (first_ms, end_ms) = question.spans, (question.from_ms, question.to_ms)
    ends_ms = max(spans[0].from_ms, first_ms), min(spans[-1].to_ms, end_ms)
    from_ms, to_ms = (-(-ms // base_ms) * base_ms for ms in ends_ms)
    over = [*Bars(plan.interval_s, selection.zone.tzinfo).over(from_ms, to_ms)]
    days = _days(question.index, CountQuery(question.model, base_s, DAY_MS // 1000, [source]), from_ms, to_ms)
    unanalysed = question.unanalysed
    totals = {label: total for label, [total] in sum_up(chart, []).items() if label}
    wanted_labels = [label for label in totals if label in selection.labels or not selection.labels]
    unknown = {
        (bucket.start_ms, bucket.label): missing
        for bucket in chart.buckets
        if bucket.label in wanted_labels and (missing := _why_unknown(bucket)) is not None
    }
    unknown_labels = {
        label: missing for label in wanted_labels if (missing := _why_unknown(totals[label])) is not None
    }
    return PlacesAsked(
        question.model,
        source,
        selection.labels,
        base_s,
        chart.base_interval_s,
        plan.interval_s,
        plan.interval_choices_s,
        from_ms,
        to_ms,
        [*(start_ms for start_ms, _ in over), *(end_ms for _, end_ms in over[-1:])],
        _bars(chart, unknown, wanted_labels),
        None
        if unanalysed is None
        else bars_not_analysed(
            unanalysed,
            interval_s=plan.interval_s,
            zone=selection.zone.tzinfo,
            by_source=False,
            coverage=[*chart.coverage, *chart.blank.intervals],
        ),
        tuple(map(utc_day, days)),
        unknown,
        unknown_labels,
        {
            label: None if boxes is None or tracked is None else boxes - tracked
            for label in wanted_labels
            for boxes, tracked in [(totals[label].detections, totals[label].tracked_detections)]
        },
    )


def _why_unknown(part: CountBucket | Total) -> Missing | None:
    """Return why a label's passages are unknown; lines have a number for objects that are too fast."""
    return None if part.objects_missing == "too_fast" else part.objects_missing


def _days(index: CountIndex, query: CountQuery, from_ms: int, to_ms: int) -> list[int]:
    """Return the starts of the UTC days of a range in which the query's source was counted."""
    if from_ms >= to_ms:
        return []
    first_ms, end_ms = from_ms // DAY_MS * DAY_MS, -(-to_ms // DAY_MS) * DAY_MS
    filmed = index.histogram(query._replace(from_ms=first_ms, to_ms=end_ms))
    return sorted({bar.start_ms for bar in filmed.coverage} | {bar.start_ms for bar in filmed.blank})


def _bars(
    chart: Chart, unknown: Mapping[tuple[int, str], Missing], labels: Sequence[str]
) -> list[answers.FlowBar]:
    """Return the bars with footage; a bar without a picture or a followed label is not measured."""
    followed = {
        bucket.start_ms
        for bucket in chart.buckets
        if bucket.label in labels and (bucket.start_ms, bucket.label) not in unknown
    }
    reasons = {start_ms: missing for (start_ms, _), missing in unknown.items() if start_ms not in followed}
    bars = []
    for bar in chart.coverage:
        missing = bar.objects_missing or reasons.get(bar.start_ms)
        bars.append(
            answers.FlowBar(
                start_ms=bar.start_ms,
                end_ms=bar.end_ms,
                frames=bar.frames,
                covered_ms=None if bar.covered_s is None else round(bar.covered_s * 1000),
                is_measured=missing is None,
                missing=missing,
            )
        )
    blank = {part.start_ms: part.end_ms for part in chart.blank.intervals}
    for start_ms in blank.keys() - {bar.start_ms for bar in bars}:
        bars.append(
            answers.FlowBar(
                start_ms=start_ms,
                end_ms=blank[start_ms],
                frames=0,
                covered_ms=0,
                is_measured=False,
                missing="shows_nothing",
            )
        )
    return sorted(bars, key=lambda bar: bar.start_ms)


def one_source(selection: Selection) -> str:
    """Return the single source of a question.

    Raises:
        Problem: 400, if there is not exactly one.
    """
    if len(selection.sources) != 1:
        raise bad_parameter(
            "source",
            f"source is given {len(selection.sources)} times." if selection.sources else "source is missing.",
            remedy="Lines and zones belong to one source: give one, such as source=gate.",
        )
    return selection.sources[0]


def holding(question: PlacesAsked, shapes: tuple[Drawn, ...]) -> list[Any]:
    """Return the shapes valid in some of the range, by name, then time."""
    valid = (shape for shape in shapes if shape.holds_in(question.from_ms, question.to_ms))
    return sorted(valid, key=lambda shape: (shape.name, shape.from_ms or 0))


def counted_lines(
    question: PlacesAsked, drawing: Drawing, *, legs: bool = False
) -> list[answers.CountedLine]:
    """Return the lines valid in some of the range; with `legs`, only those that are legs."""
    return [
        answers.CountedLine(**structs.asdict(line))
        for line in holding(question, drawing.lines)
        if line.inward is not None or not legs
    ]


def check_place(parameter: str, names: list[str], shapes: tuple[Drawn, ...]) -> None:
    """Refuse names of lines or zones that the source lacks; without any drawn, refuse none.

    Raises:
        Problem: 400, with the existing names.
    """
    choices = sorted({shape.name for shape in shapes})
    for name in names if choices else ():
        if name not in choices:
            raise bad_parameter(
                parameter,
                f"This source has no {parameter} named {shortened(name)!r}.",
                remedy=f"Choose from: {', '.join(choices[:10])}.",
                value=name,
                instead=choices[:3],
            )


class Answerable(NamedTuple):
    """A question with all data for its answer: the drawings, and the flows of its days."""

    asked: PlacesAsked
    drawing: Drawing
    taken: TakenDays

    @property
    def flows(self) -> list[FlowColumns]:
        """The flows of the counted days."""
        return self.taken.flows

    def unfit(self, kind: Literal["line", "zone"]) -> set[tuple[int, str]]:
        """Return the bars (by start) and names where lines or zones do not fit all pictures."""
        return {
            (bar.start_ms, name)
            for day in self.flows
            for of_kind, name, from_ms, to_ms in day.unfit
            if of_kind == kind
            for bar in self.asked.bars
            if bar.frames and from_ms < bar.end_ms and to_ms > bar.start_ms
        }


def head_of(
    selection: Selection, source: str, answerable: Answerable | None, revision: int
) -> dict[str, Any]:
    """Return the fields of `answers.OfOneSource`; `answerable` is None if there are no data."""
    nothing: dict[str, Any] = {
        "model": selection.model,
        "interval_choices_s": [],
        "bars": [],
        "not_analysed": [],
        "days": (),
        "unknown": {},
    }
    question = answerable.asked._asdict() if answerable else nothing
    if answerable:
        question["bars"] = _fitting_bars(answerable)
    names = ("model", "interval_s", "interval_choices_s", "from_ms", "to_ms", "bars", "not_analysed")
    return {name: question.get(name) for name in names} | {
        "base_interval_s": question.get("read_interval_s"),
        "source": source,
        "unknown": [
            answers.UnknownLabel(start_ms=start_ms, label=label, missing=missing)
            for (start_ms, label), missing in sorted(question["unknown"].items())
        ],
        "timezone": selection.zone.name,
        "revision": revision,
        "days": len(question["days"]),
        "days_counted": answerable.taken.days_counted if answerable else 0,
        "note": answerable.taken.note if answerable else None,
    }


def _fitting_bars(answerable: Answerable) -> list[answers.FlowBar]:
    """Return the bars; a bar whose pictures no valid shape fits is not measured."""
    drawing, bars = answerable.drawing, answerable.asked.bars
    shapes: tuple[tuple[Iterable[Drawn], set[tuple[int, str]]], ...] = (
        (drawing.lines, answerable.unfit("line")),
        (drawing.zones, answerable.unfit("zone")),
    )

    def fits(bar: answers.FlowBar) -> bool:
        are_unfit = [
            (bar.start_ms, shape.name) in unfit
            for drawn, unfit in shapes
            for shape in drawn
            if shape.holds_in(bar.start_ms, bar.end_ms)
        ]
        return not are_unfit or not all(are_unfit)

    return [
        bar if fits(bar) else structs.replace(bar, is_measured=False, missing=bar.missing or "other_size")
        for bar in bars
    ]
