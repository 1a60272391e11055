"""A traffic report: what went over one junction in a range, by quarter-hour, and what is not known of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from frametally.books.unanalysed import NO_MODEL, Spans
from frametally.errors import Misconfigured
from frametally.keys import day_start_ms, utc_day
from frametally.ports.count_index import CountIndex, CountQuery, SourceSummary
from frametally.ports.count_questions import up_to_date
from frametally.ports.object_store import ObjectStore
from frametally.rules.times import DAY_MS, utc
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_traffic.records import Drawing, DrawnLine
from frametally_traffic.report.movement_table import TrafficTable, make_table
from frametally_traffic.report.peaks import DayPeaks, find_peaks
from frametally_traffic.report.quarters import QUARTER_MS, SeenPart, quarter_of, quarters_between
from frametally_traffic.report.schemes import LABELS
from frametally_traffic.report.turns import SIDES, Turn, turns_of

MOST_DAYS = 62
"""More quarters than these have are no report that somebody reads; the index has any range."""
_QUARTER_S = QUARTER_MS // 1000

FlowsReader = Callable[[str, int, str, Sequence[str]], Iterable[FlowColumns]]
"""Returns flows by model, base interval in seconds, slug, and UTC days, each `YYYY-MM-DD`."""


class ReportRefused(Misconfigured):
    """There is no such report: which parameter is at fault, why, and what to do."""

    def __init__(self, parameter: str, detail: str, remedy: str) -> None:
        """Keep the parts; as text it is one line."""
        super().__init__(f"{detail} {remedy}")
        self.parameter = parameter
        self.detail = detail
        self.remedy = remedy


class ReportQuery(NamedTuple):
    """What is asked for.

    Attributes:
        source: Slug.
        zone_name: IANA time zone of days and clocks.
        zone: The same.
        model: None: the one published last.
        from_ms: None: where the source's data begin.
        to_ms: None: where they end.
        scheme: See `rules.traffic.schemes`.
    """

    source: str
    zone_name: str
    zone: datetime.tzinfo
    model: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    scheme: str = LABELS


class TrafficReport(NamedTuple):
    """What went over a junction.

    Attributes:
        query: What was asked for.
        model: Whose detections.
        source_name: The source as its owner wrote it.
        from_ms: Start of the first quarter.
        to_ms: End of the last one.
        legs: As they are drawn, see `legs_between`.
        revision: Of the drawing.
        table: The counts.
        frame: Key of a frame of that time, which shows the junction; None where there is none.
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

    @property
    def sides(self) -> dict[str, str | None]:
        """Side of the junction on which each leg lies, by its name."""
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
    asked: ReportQuery,
    *,
    store: ObjectStore,
    index: CountIndex,
    read_flows: FlowsReader,
    not_analysed: Mapping[str, Spans] | None = None,
    source_name: str | None = None,
) -> TrafficReport:
    """Read what a report is made of, and make it.

    Args:
        asked: What is asked for.
        store: Has the drawing.
        index: Has the coverage.
        read_flows: See `FlowsReader`.
        not_analysed: When the source was filmed and not counted, by model, see `find_unanalysed`.
        source_name: The source as its owner wrote it; default: its slug.

    Raises:
        ReportRefused: There is no such report; it says why.
        Poison: Something stored is damaged.
        Retryable: The store or the index is away.
    """
    name = source_name or asked.source
    model, bases_s, waiting = _choose_model(index, asked, name, not_analysed or {})
    drawing = read_drawing(store, asked.source)
    summary = _summary(index, model, asked.source, name, waiting)
    from_ms, to_ms = _range(
        min([summary.first_interval_ms, *(first for first, _ in waiting)]),
        max([summary.next_interval_ms, *(end for _, end in waiting)]),
        asked,
    )
    legs = legs_between(drawing, from_ms, to_ms)
    if not legs:
        raise ReportRefused(
            "source",
            f"No legs of a junction are drawn over {name} in that time.",
            "Draw a line over each of its arms, and say which way leads into the junction.",
        )
    base_s = up_to_date(index, model, bases_s, from_ms, to_ms)[0]
    query = CountQuery(model, base_s, sources=[asked.source], apart=(), from_ms=from_ms, to_ms=to_ms)
    covered = index.histogram(query).coverage
    days = sorted({utc_day(bucket.start_ms) for bucket in covered})
    flows = list(read_flows(model, base_s, asked.source, days))
    # Of a day without them nothing is known, whatever the index says: its zeros would be none.
    counted = {utc_day(day.day_start_ms) for day in flows}
    seen = [
        SeenPart(
            bucket.start_ms,
            bucket.covered_ms or 0,
            bucket.objects is not None and utc_day(bucket.start_ms) in counted,
        )
        for bucket in covered
    ]
    quarters = quarters_between(from_ms, to_ms, seen, waiting)
    table = make_table(flows, quarters, scheme=asked.scheme, legs=[leg.name for leg in legs])
    return TrafficReport(
        asked,
        model,
        name,
        from_ms,
        to_ms,
        legs,
        drawing.revision,
        table,
        _frame(index, query, days),
    )


def legs_between(drawing: Drawing, from_ms: int, to_ms: int) -> tuple[DrawnLine, ...]:
    """Return the legs that hold in some of a range, clockwise from north; of one name, the last that does.

    Those whose side is not known come last, by name.
    """
    holding = [
        line
        for line in drawing.lines
        if line.inward is not None
        and (line.from_ms is None or line.from_ms < to_ms)
        and (line.to_ms is None or line.to_ms > from_ms)
    ]
    newest = {line.name: line for line in sorted(holding, key=lambda line: line.from_ms or 0)}

    def place(leg: DrawnLine) -> tuple[int, str]:
        return len(SIDES) if leg.side is None else SIDES.index(leg.side), leg.name

    return tuple(sorted(newest.values(), key=place))


def _frame(index: CountIndex, query: CountQuery, days: Sequence[str]) -> str | None:
    """Return the fullest frame of the last day, of several the first: the lines are those of its end."""
    if not days:
        return None
    last_ms = max(day_start_ms(days[-1]), query.from_ms or 0)
    found = [item.evidence for item in index.evidence(query._replace(from_ms=last_ms, apart=None))]
    return min(found, key=lambda one: (-one.count, one.captured_at_ms)).image_path if found else None


def _choose_model(
    index: CountIndex, asked: ReportQuery, name: str, not_analysed: Mapping[str, Spans]
) -> tuple[str, list[int], Spans]:
    """Return the model, its stored intervals that quarters can be made of, coarsest first, and what waits."""
    stored: dict[str, list[int]] = {}
    for series in index.series():
        stored.setdefault(series.model, []).append(series.base_interval_s)
    if not stored:
        waiting = not_analysed.get(asked.model or next(iter(not_analysed), NO_MODEL), [])
        raise (
            _nothing_counted(name, waiting)
            if waiting
            else ReportRefused(
                "source", "Nothing is counted yet.", "Run `frametally aggregate` and `frametally index`."
            )
        )
    model = next(iter(stored)) if asked.model is None else asked.model
    if model not in stored:
        known = ", ".join(stored)
        raise ReportRefused("model", f"Nothing was counted with the model {model!r}.", f"There are: {known}.")
    bases_s = sorted((base_s for base_s in stored[model] if _QUARTER_S % base_s == 0), reverse=True)
    if not bases_s:
        raise ReportRefused(
            "model",
            f"{model} is counted in intervals of {min(stored[model])} s, of which no quarter-hours are made.",
            "Run `frametally aggregate --interval 60` and `frametally index`.",
        )
    return model, bases_s, not_analysed.get(model, [])


def _summary(index: CountIndex, model: str, source: str, name: str, waiting: Spans) -> SourceSummary:
    sources = index.sources(model)
    for summary in sources:
        if summary.source == source:
            return summary
    if waiting:
        raise _nothing_counted(name, waiting)
    known = ", ".join(summary.source for summary in sources[:10])
    raise ReportRefused("source", f"Nothing of a source {source!r} is counted.", f"There are: {known}.")


def _nothing_counted(name: str, waiting: Spans) -> ReportRefused:
    return ReportRefused(
        "source",
        f"{name} was filmed from {utc(waiting[0][0])} to {utc(waiting[-1][1])}, "
        "but none of it is counted yet.",
        "Run `frametally aggregate` and `frametally index`; `frametally status` shows what else is missing.",
    )


def _range(first_ms: int, end_ms: int, asked: ReportQuery) -> tuple[int, int]:
    """Return the ends of the quarters that are asked for; by default of all that was filmed."""
    from_ms = quarter_of(first_ms if asked.from_ms is None else asked.from_ms)
    to_ms = end_ms if asked.to_ms is None else asked.to_ms
    to_ms += -to_ms % QUARTER_MS
    if from_ms >= to_ms:
        raise ReportRefused("to", "The range ends before it begins.", "Give a to later than from.")
    if to_ms - from_ms > MOST_DAYS * DAY_MS:
        raise ReportRefused(
            "from" if asked.from_ms is None else "to",
            f"The range has {(to_ms - from_ms) // DAY_MS} days; a traffic report has at most {MOST_DAYS}.",
            "Give a from and a to that are nearer to each other.",
        )
    return from_ms, to_ms
