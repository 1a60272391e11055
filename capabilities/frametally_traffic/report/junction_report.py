"""Makes a traffic report: the movements over one junction in a range, by quarter-hour, with its gaps."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from frametally.books.counted_days import open_end_ms, up_to_date
from frametally.books.unanalysed import NO_MODEL, Spans
from frametally.errors import Misconfigured
from frametally.keys import day_start_ms, utc_day
from frametally.ports.count_index import CountIndex, CountQuery, SourceSummary
from frametally.ports.object_store import ObjectStore
from frametally.rules.known import Missing
from frametally.rules.times import DAY_MS, ENDS_TOO_EARLY, utc
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_traffic.records import Drawing, DrawnLine
from frametally_traffic.report.movement_table import (
    SIDES,
    DayPeaks,
    TrafficTable,
    Turn,
    find_peaks,
    make_table,
    turns_of,
)
from frametally_traffic.report.quarters import (
    QUARTER_MS,
    Quarter,
    SeenBoxes,
    quarter_of,
    quarters_between,
    seen_parts,
)
from frametally_traffic.report.schemes import LABELS

MOST_DAYS = 62
"""Longest range of a report, so that people can read it; the index has no such limit."""
_QUARTER_S = QUARTER_MS // 1000

FlowsReader = Callable[[str, int, str, Sequence[str]], Iterable[FlowColumns]]
"""Returns flows by model, base interval in seconds, slug, and UTC days, each `YYYY-MM-DD`."""


class ReportRefused(Misconfigured):
    """The report cannot be made; has the parameter at fault, the reason and the remedy."""

    def __init__(self, parameter: str, detail: str, remedy: str) -> None:
        """Keep the parts; the error's text is one line."""
        super().__init__(f"{detail} {remedy}")
        self.parameter = parameter
        self.detail = detail
        self.remedy = remedy


class ReportQuery(NamedTuple):
    """The question of a report.

    Attributes:
        zone_name: IANA name of `zone`, the time zone of days and clocks.
        model: None for the one published last.
        from_ms: None for the start of the source's data; `to_ms`: None for their end.
        scheme: See `report.schemes`.
    """

    source: str
    zone_name: str
    zone: datetime.tzinfo
    model: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    scheme: str = LABELS


class ReportFootage(NamedTuple):
    """The inputs of a report.

    Attributes:
        drawing: All shapes of the source.
        base_interval_s: The stored interval that was read.
        flows: Flows of its days.
        frames: Frames analysed, by start of the quarter.
    """

    drawing: Drawing
    base_interval_s: int
    flows: Sequence[FlowColumns]
    frames: Mapping[int, int]


class TrafficReport(NamedTuple):
    """The movements over a junction from the start of its first quarter-hour to the end of its last one.

    Attributes:
        source_name: Name of the source.
        legs: The drawn legs; see `legs_between`.
        revision: Revision of the drawing.
        frame: Key of a frame of that time that shows the junction, or None.
        footage: Its inputs; None if the table was made from something else.
    """

    query: ReportQuery
    model: str
    source_name: str
    from_ms: int
    to_ms: int
    legs: tuple[DrawnLine, ...]
    revision: int
    table: TrafficTable
    frame: str | None = None
    footage: ReportFootage | None = None

    @property
    def sides(self) -> dict[str, str | None]:
        """Side of the junction of each leg, by name."""
        return {leg.name: leg.side for leg in self.legs}

    @property
    def turns(self) -> dict[tuple[str, str], Turn]:
        """How each movement turns, as far as the sides of its legs are known."""
        return turns_of(self.sides)

    @property
    def peaks(self) -> list[DayPeaks]:
        """Peak hours of each day."""
        return find_peaks(self.table, self.query.zone)


def read_report(
    question: ReportQuery,
    *,
    store: ObjectStore,
    index: CountIndex,
    read_flows: FlowsReader,
    not_analysed: Mapping[str, Spans] | None = None,
    source_name: str | None = None,
) -> TrafficReport:
    """Read the inputs of a report and make it.

    `read_flows`: see `FlowsReader`. `not_analysed`: times when the source was filmed but not counted, by
    model; see `find_unanalysed`. `source_name`: the source as its owner wrote it; by default its slug.

    Raises:
        ReportRefused: The report cannot be made; the message says why.
        Poison: A stored record is damaged.
        Retryable: The store or the index is unavailable.
    """
    name = source_name or question.source
    model, bases_s, spans = _choose_model(index, question, name, not_analysed or {})
    drawing = read_drawing(store, question.source)
    summary = _summary(index, model, question.source, name, spans)
    from_ms, to_ms = _range(
        min([summary.first_interval_ms, *(first for first, _ in spans)]),
        open_end_ms(index, model, bases_s, [summary], spans, question.from_ms or 0),
        question,
    )
    legs = legs_between(drawing, from_ms, to_ms)
    if not legs:
        raise ReportRefused(
            "legs",
            f"{name} has no legs of a junction in that time.",
            "Draw a line over each arm of the junction, and set the direction into the junction.",
        )
    base_s = up_to_date(index, model, bases_s, from_ms, to_ms)[0]
    query = CountQuery(model, base_s, sources=[question.source], apart=(), from_ms=from_ms, to_ms=to_ms)
    histogram = index.histogram(query)
    covered = histogram.coverage
    days = sorted({utc_day(bucket.start_ms) for bucket in covered})
    flows = list(read_flows(model, base_s, question.source, days))
    parts = seen_parts(histogram, base_s * 1000, flows, {leg.name for leg in legs})
    of_labels = index.histogram(query._replace(apart=None, interval_s=_QUARTER_S)).buckets
    boxes = [
        SeenBoxes(bucket.start_ms, bucket.label, bucket.detections, bucket.tracked_detections)
        for bucket in of_labels
    ]
    quarters = quarters_between(from_ms, to_ms, parts, spans)
    frames: Counter[int] = Counter()
    for bucket in covered:
        frames[quarter_of(bucket.start_ms)] += bucket.frames
    table = make_table(flows, quarters, scheme=question.scheme, legs=[leg.name for leg in legs], boxes=boxes)
    return TrafficReport(
        question,
        model,
        name,
        from_ms,
        to_ms,
        legs,
        drawing.revision,
        table,
        _frame(index, query, days),
        ReportFootage(drawing, base_s, flows, frames),
    )


def legs_between(drawing: Drawing, from_ms: int, to_ms: int) -> tuple[DrawnLine, ...]:
    """Return the legs valid in some of a range, clockwise from north; for each name, the last valid one.

    Legs whose side is unknown come last, by name.
    """
    holding = [line for line in drawing.lines if line.inward is not None and line.holds_in(from_ms, to_ms)]
    newest = {line.name: line for line in sorted(holding, key=lambda line: line.from_ms or 0)}

    def place(leg: DrawnLine) -> tuple[int, str]:
        return len(SIDES) if leg.side is None else SIDES.index(leg.side), leg.name

    return tuple(sorted(newest.values(), key=place))


def _frame(index: CountIndex, query: CountQuery, days: Sequence[str]) -> str | None:
    """Return the last day's fullest frame (the first of several), as legs are those of the range's end."""
    if not days:
        return None
    last_ms = max(day_start_ms(days[-1]), query.from_ms or 0)
    evidence = [item.evidence for item in index.evidence(query._replace(from_ms=last_ms, apart=None))]
    return min(evidence, key=lambda item: (-item.count, item.captured_at_ms)).image_path if evidence else None


def _choose_model(
    index: CountIndex, question: ReportQuery, name: str, not_analysed: Mapping[str, Spans]
) -> tuple[str, list[int], Spans]:
    """Return the model, its stored intervals that divide a quarter, coarsest first, and uncounted spans."""
    bases: dict[str, list[int]] = {}
    for series in index.series():
        bases.setdefault(series.model, []).append(series.base_interval_s)
    if not bases:
        spans = not_analysed.get(question.model or next(iter(not_analysed), NO_MODEL), [])
        raise (
            _nothing_counted(name, spans)
            if spans
            else ReportRefused(
                "source", "There are no counts yet.", "Run `frametally aggregate` and `frametally index`."
            )
        )
    model = next(iter(bases)) if question.model is None else question.model
    if model not in bases:
        models = ", ".join(bases)
        raise ReportRefused("model", f"The model {model!r} has no counts.", f"Choose from: {models}.")
    bases_s = sorted((base_s for base_s in bases[model] if _QUARTER_S % base_s == 0), reverse=True)
    if not bases_s:
        raise ReportRefused(
            "model",
            f"The counts of {model} have intervals of {min(bases[model])} s, which do not divide a "
            "quarter-hour evenly.",
            "Run `frametally aggregate --interval 60` and `frametally index`.",
        )
    return model, bases_s, not_analysed.get(model, [])


def _summary(index: CountIndex, model: str, source: str, name: str, spans: Spans) -> SourceSummary:
    sources = index.sources(model)
    for summary in sources:
        if summary.source == source:
            return summary
    if spans:
        raise _nothing_counted(name, spans)
    names = ", ".join(summary.source for summary in sources[:10])
    raise ReportRefused("source", f"The source {source!r} has no counts.", f"Choose from: {names}.")


def _nothing_counted(name: str, spans: Spans) -> ReportRefused:
    return ReportRefused(
        "source",
        f"{name} was filmed from {utc(spans[0][0])} to {utc(spans[-1][1])}, but none of it is counted yet.",
        "Run `frametally aggregate` and `frametally index`; `frametally status` shows what else is missing.",
    )


def _range(first_ms: int, end_ms: int, question: ReportQuery) -> tuple[int, int]:
    """Return the start and end of the requested quarters; by default all footage."""
    from_ms = quarter_of(first_ms if question.from_ms is None else question.from_ms)
    to_ms = end_ms if question.to_ms is None else question.to_ms
    to_ms += -to_ms % QUARTER_MS
    if from_ms >= to_ms:
        raise ReportRefused("to", *ENDS_TOO_EARLY)
    if to_ms - from_ms > MOST_DAYS * DAY_MS:
        raise ReportRefused(
            "from" if question.from_ms is None else "to",
            f"The range has {(to_ms - from_ms) // DAY_MS} days, but the maximum is {MOST_DAYS}.",
            "Choose a shorter range with from and to.",
        )
    return from_ms, to_ms


TURN_WORDS = {
    "l2": "sharp left",
    "l": "left",
    "t": "through",
    "r": "right",
    "r2": "sharp right",
    "u": "U-turn",
}


def why_words(missing: Missing) -> str:
    """Return why a number is unknown, in the English words of pages."""
    from frametally_web.translations.texts import ENGLISH, texts  # commands start without the dashboard

    return texts()[ENGLISH][f"web.why_{missing}"]


def state_of(table: TrafficTable, quarter: Quarter) -> str:
    """Return the gaps of a quarter-hour in words; empty if all of it was seen and every class followed."""
    if quarter.missing is not None:
        return why_words(quarter.missing)
    unknown = [group.name for group in table.groups if (quarter.start_ms, group.name) in table.unknown]
    words = [] if quarter.is_whole else [f"seen {quarter.seen_share:.0%}"]
    if unknown:
        words.append(f"not measured: {', '.join(unknown)}")
    return "; ".join(words)


def least(number: int, missing: Missing | None) -> str:
    """Return a number in words, with a note if it is only a minimum."""
    if missing is None:
        return str(number)
    return f"at least {number}" if number else f"not measured ({why_words(missing)})"


def movement_name(report: TrafficReport, pair: tuple[str, str]) -> str:
    """Return a movement in words: where it goes to and, if known, how it turns."""
    turn = report.turns.get(pair)
    return f"to {pair[1]}" if turn is None else f"{TURN_WORDS[turn]} (to {pair[1]})"


def leg_name(report: TrafficReport, leg: str) -> str:
    """Return a leg's name with its side, if known."""
    side = report.sides.get(leg)
    return leg if side is None else f"{leg} ({side})"


def column_names(report: TrafficReport) -> dict[tuple[str, str, str], str]:
    """Return the name of each column of the wide table, by entry leg, exit leg and group.

    They follow cities' open data, such as `n_appr_car_l`: the leg's side if each leg has its own, else its
    name; the class; the turn, or `to_<leg>` if it is unknown or leads to several legs.
    """
    short = leg_words(report)
    groups = _distinct({group.name: _word(group.name) for group in report.table.groups})
    pairs = report.table.pairs
    turns = report.turns
    ways = [(pair[0], turns.get(pair)) for pair in pairs]
    names = {}
    for pair in pairs:
        turn = turns.get(pair)
        way = turn if turn and ways.count((pair[0], turn)) == 1 else f"to_{short[pair[1]]}"
        for group in report.table.groups:
            names[*pair, group.name] = f"{short[pair[0]]}_appr_{groups[group.name]}_{way}"
    return names


def leg_words(report: TrafficReport) -> dict[str, str]:
    """Return a unique word for each leg: its side if each leg has its own, else its name."""
    sides = list(report.sides.values())
    by_side = None not in sides and len({*sides}) == len(sides)
    return _distinct(
        {leg: _word((report.sides.get(leg) or leg) if by_side else leg) for leg in report.table.legs}
    )


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower()).strip("_") or "leg"


def _distinct(words: dict[str, str]) -> dict[str, str]:
    """Return the words, with a number after repeated ones."""
    distinct: dict[str, str] = {}
    for key, word in words.items():
        number, candidate = 1, word
        while candidate in distinct.values():
            number += 1
            candidate = f"{word}{number}"
        distinct[key] = candidate
    return distinct
