"""The question behind an answer: names, range, spans and stored interval, resolved once and passed on whole.

A route asks it by `ActionContext.ask`; a command, a file or an alert asks the same by `resolve`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import NamedTuple, cast

from frametally.actions.parameters import shortened
from frametally.actions.problems import Problem, as_sentence, bad_parameter
from frametally.books.counted_days import open_end_ms, up_to_date
from frametally.naming import NoSuchName, labels_to_count, no_such
from frametally.plugins import hooks
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import PartIndex, picture_places
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts, SeenIndex
from frametally_web.access.visitors import visitor
from frametally_web.charts.local_bars import (
    MOST_MS,
    SECOND_S,
    Span,
    Unanalysed,
    base_of,
    chosen_ranges,
    cut,
    spans,
)
from frametally_web.charts.measures import Reader
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.seconds import SecondsIndex
from frametally_web.requests.query import ChartQuery, Selection

MAX_SPAN_DAYS = 3660
"""Longest range of data that one question may read."""


class Choice(NamedTuple):
    """The one model that a query reads, with its stored base intervals, finest first."""

    model: str
    base_intervals_s: list[int]


def stored_intervals(index: CountIndex) -> dict[str, list[int]]:
    """Return the stored base intervals of each model, finest first; the model published last comes first."""
    bases: dict[str, list[int]] = {}
    for series in index.series():
        bases.setdefault(series.model, []).append(series.base_interval_s)
    return {model: sorted(intervals_s) for model, intervals_s in bases.items()}


def choose_model(index: CountIndex, model_name: str | None) -> Choice | None:
    """Return the requested model, or the newest; None if nothing is indexed and none was requested.

    Raises:
        Problem: 400 if there is no such model; it lists the known ones.
    """
    bases = stored_intervals(index)
    model = next(iter(bases), None) if model_name is None else model_name
    if model is None:
        return None
    if model not in bases:
        raise bad_parameter(
            "model",
            f"The model {model!r} has no counts.",
            remedy=f"Choose one of these: {', '.join(bases)}." if bases else "There are no counts yet.",
        )
    return Choice(model, bases[model])


_MOST_NAMED = 5


def check_names(
    index: CountIndex, selection: Selection, sources_with_media: Callable[[], Iterable[str]]
) -> Choice | None:
    """Return `choose_model`, after checking that the labels were ever counted and the sources have footage.

    Something that was counted, but does not occur in the range, is zero. A source is also known if its
    footage is announced but not counted yet. Both are known if they were counted with another model.

    Raises:
        Problem: 400 with the nearest names, or if there is no such model.
    """
    choice = choose_model(index, selection.model)
    if choice is None:
        filmed = sorted(sources_with_media()) if selection.sources else []
        if strange := [
            source
            for source in selection.sources
            if not visitor().sees(source) or (filmed and source not in filmed)
        ]:
            raise unknown("source", strange, filmed)
        return None
    missing: list[NoSuchName] = []
    labels = [label for label, _ in index.labels(choice.model)]
    if not {*labels}.issuperset(selection.labels):
        other_labels = labels_to_count(index, choice.model)
        for model in stored_intervals(index):
            other_labels.update(label for label, _ in index.labels(model))
        if not {*labels, *other_labels}.issuperset(selection.labels):
            missing += _missing(
                "label", selection.labels, [*labels, *sorted(other_labels.difference(labels))]
            )
    sources = {summary.source for summary in index.sources(choice.model)}
    if not sources.issuperset(selection.sources):
        sources.update(sources_with_media())
        for model in stored_intervals(index):
            sources.update(summary.source for summary in index.sources(model))
        missing += _missing("source", selection.sources, sorted(sources))
    if missing:
        raise _refusal(missing)
    return choice


def unknown(parameter: str, names: Iterable[str], known_names: Sequence[str]) -> Problem:
    """Return the problem that requested names are unknown, with the nearest known ones."""
    return _refusal(_missing(parameter, names, known_names))


def _missing(parameter: str, names: Iterable[str], known_names: Sequence[str]) -> list[NoSuchName]:
    return [no_such(parameter, name, known_names) for name in names if name not in known_names]


def _refusal(missing: Sequence[NoSuchName]) -> Problem:
    first, first_missing = missing[0], missing[:_MOST_NAMED]
    remedies = [
        name.remedy if len(missing) == 1 else f"{name.kind} {shortened(name.name)!r}: {name.remedy}"
        for name in first_missing
    ]
    return bad_parameter(
        first.kind,
        " ".join(f"There is no {name.kind} named {shortened(name.name)!r}." for name in first_missing),
        remedy=" ".join(map(as_sentence, remedies)),
        value=first.name,
        instead=first.near,
    )


@dataclass(frozen=True, kw_only=True)
class Question:
    """A query of which every open value is known: what it reads, and of which footage.

    Attributes:
        stored: The index of the whole picture, or of the zone that the query names.
        settings: The settings of this process.
        media: The media of all sources.
        query: The query as it was sent.
        model: Empty if nothing was detected yet.
        bases_s: The stored intervals in seconds that have all of its footage, or the requested one.
        lacking_s: The stored intervals that lack some of it.
        is_waiting: Whether nothing is counted yet; the model then has footage that waits.
        sources: Slugs of the sources that the query names, or of all with footage.
        from_ms: Start of the range, event time.
        to_ms: Its end, exclusive; not after the start if there is nothing to read.
        spans: The parts of the range that can have data, each of one offset from UTC.
        chosen: The chosen hours and weekdays in the range; None for all of it.
        read_seconds: Returns the seconds of short ranges, which all questions of a request share; None if the
            caller wants none.
        seconds: Those of this range; None if it is too long, or has a stored interval of a second.
        footage: If seconds can be read, from the first second with footage to the end of the last; else None.
    """

    stored: CountIndex
    settings: Settings
    media: MediaTimes
    query: ChartQuery
    model: str = ""
    bases_s: Sequence[int] = ()
    lacking_s: Sequence[int] = ()
    is_waiting: bool = False
    sources: list[str]
    from_ms: int = 0
    to_ms: int = 0
    spans: Sequence[Span] = ()
    chosen: list[tuple[int, int]] | None = None
    read_seconds: Callable[[], SecondsIndex] | None = None
    seconds: SecondsIndex | None = None
    footage: tuple[int, int] | None = None

    @property
    def selection(self) -> Selection:
        """What the query selects."""
        return self.query.selection

    @property
    def index(self) -> CountIndex:
        """The index to read: with seconds, if those of the range can be read."""
        return self.stored if self.footage is None else cast(CountIndex, self.seconds)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a count nor footage to read."""
        return self.from_ms >= self.to_ms

    @cached_property
    def unanalysed(self) -> Unanalysed | None:
        """The footage of its sources that is not counted yet; None if unknown."""
        return self.media.unanalysed(self.model, self.sources, self.from_ms, self.to_ms, self.chosen)

    @property
    def ends_with_footage(self) -> Question:
        """The question with its open ends set to those of its seconds with footage."""
        if self.footage is None:
            return self
        return replace(
            self,
            from_ms=self.footage[0] if self.selection.from_ms is None else self.from_ms,
            to_ms=self.footage[1] if self.selection.to_ms is None else self.to_ms,
        )

    @property
    def together(self) -> Question:
        """The question about all labels and sources together."""
        return replace(self, query=self.query._replace(by_source=False, top=0))

    def asked_ms(self, from_ms: int, to_ms: int) -> int:
        """Return how much of a stretch is in the range, the hours and the weekdays of the question."""
        within = max(from_ms, self.from_ms), min(to_ms, self.to_ms)
        return sum(max(end_ms - start_ms, 0) for start_ms, end_ms in cut([within], self.chosen))

    def base_of(self, interval_s: int | None) -> int:
        """Return the stored base interval to read for bars of `interval_s`; see `local_bars.base_of`."""
        times = self.selection.times
        return base_of(
            self.bases_s,
            interval_s,
            self.selection.from_ms,
            self.selection.to_ms,
            {span.offset_ms for span in self.spans} if interval_s else (),
            self.selection.zone.name,
            lacking_s=self.lacking_s,
            times=times,
            times_ms={
                border_ms
                for span in self.spans
                for part in times.week_parts(span.offset_ms)
                for border_ms in part
            },
        )

    def stored_interval_s(self, base_s: int) -> int:
        """Return the stored interval behind one that is read: behind seconds, another one."""
        return (
            base_s
            if self.footage is None
            else cast(SecondsIndex, self.seconds).stored_interval_s(self.model, base_s)
        )

    def reader(self, interval_s: int | None) -> Reader:
        """Return a reader for bars of `interval_s`; see `base_of`."""
        selection = self.selection
        query = CountQuery(
            self.model, self.base_of(interval_s), sources=selection.sources, labels=selection.labels
        )
        return Reader(self.index, query, selection.zone.tzinfo, self.spans, selection.times)

    def other(self, query: ChartQuery) -> Question:
        """Return another question about the same counts."""
        return resolve(self.stored, self.settings, self.media, query, self.read_seconds)

    def no_seconds(self, parameter: str) -> Exception:
        """Return why the chart cannot be read by the second."""
        if self.seconds and self.seconds.fault:
            return self.seconds.fault
        if self.seconds and self.seconds.missing:
            return bad_parameter(
                parameter,
                f"{parameter}: some of this footage is left out, so it cannot be charted by the second.",
                remedy=f"Choose a range in which all footage is counted, or leave {parameter} out.",
            )
        return bad_parameter(
            parameter,
            f"{parameter}={SECOND_S}: this footage cannot be charted by the second.",
            remedy=f"Choose a range of at most {MOST_MS // 60_000} minutes, or leave {parameter} out.",
        )


def ask(
    ports: DashboardPorts,
    settings: Settings,
    media: MediaTimes,
    query: ChartQuery,
    ensure_ledger: Callable[[], None] | None,
) -> Question:
    """Return the question of a request, about what its visitor may see; see `ActionContext.ask`.

    `ensure_ledger` updates the ledger, from which seconds are read; None to read no seconds.
    """
    index, selection = ports.index, query.selection
    if isinstance(index, SeenIndex) and not visitor().sources:
        index = index.whole
    index = narrowed(index, ports.store, selection)
    if ensure_ledger is None:
        return resolve(index, settings, media, query)
    read_seconds = partial(
        SecondsIndex,
        index,
        ports.store,
        ports.ledger,
        settings,
        within=selection.within,
        ensure_ledger=ensure_ledger,
    )
    return resolve(index, settings, media, query, cache(read_seconds))


def checks_version(settings: Settings) -> str:
    """Return a text that identifies the state of all accuracy checks; empty while there are none."""
    return "-".join(filter(None, (checks.version(settings) for checks in hooks("count_checks"))))


def narrowed(index: CountIndex, store: ObjectStore, selection: Selection) -> CountIndex:
    """Return the index that a query reads: of the whole picture, or of a zone. Raises `Problem`."""
    places = None if selection.within is None else picture_places()
    if places is None or selection.within is None:
        return index
    return places.within(index, store, selection.within, selection.sources)


def resolve(
    index: CountIndex,
    settings: Settings,
    media: MediaTimes,
    query: ChartQuery,
    read_seconds: Callable[[], SecondsIndex] | None = None,
) -> Question:
    """Return the question of a query.

    An open end is set by the sources' counts, and by footage that is not counted according to `media`.

    Args:
        index: What to read, which the caller closes.
        settings: The settings of this process.
        media: The media of all sources.
        query: The query as it was read.
        read_seconds: Returns the seconds of `index`; None to read stored intervals alone.

    Raises:
        Problem: 400 if there is no such model, label or source, if the base is not stored, or if there are
            more days of data than are read at once.
    """
    selection = query.selection
    choice = check_names(index, selection, media.sources)
    is_waiting = choice is None and bool(models := media.models())
    if is_waiting:
        choice = Choice(models[0], [settings.interval_s])
    question = Question(
        stored=index,
        settings=settings,
        media=media,
        query=query,
        sources=selection.sources,
        read_seconds=read_seconds,
    )
    if choice is None:
        return question
    model, bases_s = choice
    question = replace(question, model=model, bases_s=bases_s, is_waiting=is_waiting)
    is_by_second = selection.base_s == SECOND_S and read_seconds is not None
    base_s = None if is_by_second else selection.base_s
    if base_s is not None and base_s not in bases_s:
        raise bad_parameter(
            "base",
            f"{model} is not stored in intervals of {base_s} seconds.",
            remedy=f"Choose one of these (seconds): {', '.join(map(str, bases_s))}, or leave it out.",
        )
    summaries = [
        summary
        for summary in index.sources(model)
        if not selection.sources or summary.source in selection.sources
    ]
    ranges_by_source = {
        summary.source: (summary.first_interval_ms, summary.next_interval_ms) for summary in summaries
    }
    waiting = {
        source: _whole_intervals(span, bases_s[0] * 1000)
        for source, span in media.unanalysed_ranges(model).items()
        if not selection.sources or source in selection.sources
        if not isinstance(index, PartIndex) or index.covers(model, source)
    }
    filmed = [*ranges_by_source.values(), *waiting.values()]
    if not filmed:
        return question
    from_ms = min(first for first, _ in filmed) if selection.from_ms is None else selection.from_ms
    to_ms = selection.to_ms
    if to_ms is None:
        to_ms = open_end_ms(index, model, bases_s, summaries, waiting.values(), from_ms)
    if from_ms >= to_ms:
        return question
    # There are no data outside; the last interval reaches to its end, whatever its base.
    first_ms = min((first for first, _ in ranges_by_source.values()), default=to_ms)
    next_ms = max((end for _, end in ranges_by_source.values()), default=to_ms)
    readable = _spans(selection, max(from_ms, first_ms), min(to_ms, next_ms))
    usable_s = [base_s] if base_s else up_to_date(index, model, bases_s, from_ms, to_ms)
    question = replace(
        question,
        bases_s=usable_s,
        lacking_s=[] if base_s else [stored_s for stored_s in bases_s if stored_s not in usable_s],
        sources=selection.sources or sorted(ranges_by_source.keys() | waiting.keys()),
        from_ms=from_ms,
        to_ms=to_ms,
        spans=readable,
        chosen=_chosen(selection, from_ms, to_ms),
    )
    if base_s is None and read_seconds is not None:
        question = _with_seconds(question, read_seconds, waiting.values())
    if is_by_second:
        if SECOND_S not in question.bases_s:
            raise question.no_seconds("base")
        question = replace(question, bases_s=[SECOND_S])
    return question


def _with_seconds(
    question: Question, read_seconds: Callable[[], SecondsIndex], waiting: Collection[tuple[int, int]]
) -> Question:
    """Return a question with seconds added to the intervals to read, if they can be."""
    bases_s, own_spans = question.bases_s, question.spans
    if SECOND_S in bases_s or not (own_spans or not waiting):
        return question
    ends = (own_spans[0].from_ms, own_spans[-1].to_ms) if own_spans else (question.from_ms, question.to_ms)
    if ends[1] - ends[0] > MOST_MS + 2000 * bases_s[0]:
        return question
    seconds = read_seconds()
    question = replace(question, seconds=seconds)
    footage = seconds.footage(question.model, bases_s[0], question.selection.sources, *ends)
    if footage is None:
        return question
    ranges = [footage, *waiting]
    first_ms, end_ms = min(span[0] for span in ranges), max(span[1] for span in ranges)
    within = max(first_ms, question.from_ms), min(end_ms, question.to_ms)
    return replace(question, footage=within, bases_s=[SECOND_S, *bases_s])


def _whole_intervals(span: tuple[int, int], base_ms: int) -> tuple[int, int]:
    return span[0] - span[0] % base_ms, span[1] + -span[1] % base_ms


def _spans(selection: Selection, from_ms: int, to_ms: int) -> list[Span]:
    if to_ms - from_ms > MAX_SPAN_DAYS * DAY_MS:
        raise bad_parameter(
            "from" if selection.from_ms is None else "to",
            f"The range has {(to_ms - from_ms) // DAY_MS} days of data, but frametally reads at most "
            f"{MAX_SPAN_DAYS} at once.",
            remedy="Choose a shorter range between from and to.",
        )
    return spans(selection.zone.tzinfo, from_ms, to_ms) if from_ms < to_ms else []


def _chosen(selection: Selection, from_ms: int, to_ms: int) -> list[tuple[int, int]] | None:
    if selection.times.week_parts(0) and to_ms - from_ms > MAX_SPAN_DAYS * DAY_MS:
        raise bad_parameter(
            selection.times.parameter,
            f"Hours and days of the week can be chosen in a range of at most {MAX_SPAN_DAYS} days; this "
            f"range has {(to_ms - from_ms) // DAY_MS}.",
            remedy="Choose a shorter range between from and to, or all hours and days.",
        )
    return chosen_ranges(selection.times, selection.zone.tzinfo, from_ms, to_ms)
