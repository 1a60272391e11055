"""The scope of a query: model, range and stored interval, defaults, and existing names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from frametally.books.counted_days import open_end_ms, up_to_date
from frametally.naming import NoSuchName, labels_to_count, no_such
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_web.access.visitors import visitor
from frametally_web.charts.bars import Span, base_of, chosen_ranges, spans
from frametally_web.charts.measures import Reader
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.seconds import MOST_MS, SECOND_S, SecondsIndex, by_second
from frametally_web.requests.parameters import shown
from frametally_web.requests.problems import Problem, as_sentence, bad_parameter
from frametally_web.requests.query import Selection

MAX_SPAN_DAYS = 3660
"""Longest range of data that one query may read."""


class Choice(NamedTuple):
    """The one model that a query reads, with its stored base intervals.

    The model is `NO_MODEL` where nothing was detected yet.

    Once a question has a range these are those that have its footage (or the one that was asked for);
    `lacking_s` are those that lack some of it.
    """

    model: str
    base_intervals_s: list[int]
    lacking_s: Sequence[int] = ()


class ResolvedQuery(NamedTuple):
    """A query without open values: those that were not chosen have their defaults.

    `spans` are the parts of `[from_ms, to_ms)` that can have data, each of one offset from UTC. `chosen`
    are the chosen hours and weekdays in it; None: all of it. `footage` goes from the first second with
    footage to the end of the last one, where seconds can be read; else None.
    """

    choice: Choice
    sources: list[str]
    from_ms: int
    to_ms: int
    spans: list[Span]
    chosen: list[tuple[int, int]] | None
    footage: tuple[int, int] | None = None

    def ends_with_footage(self, selection: Selection) -> ResolvedQuery:
        """Return it with those ends that are not asked for where its footage begins and ends."""
        if self.footage is None:
            return self
        return self._replace(
            from_ms=self.footage[0] if selection.from_ms is None else self.from_ms,
            to_ms=self.footage[1] if selection.to_ms is None else self.to_ms,
        )

    def base_of(self, selection: Selection, interval_s: int | None) -> int:
        """Return the stored base interval to read for bars of `interval_s`; see `bars.base_of`."""
        return base_of(
            self.choice.base_intervals_s,
            interval_s,
            selection.from_ms,
            selection.to_ms,
            {span.offset_ms for span in self.spans} if interval_s else (),
            selection.zone.name,
            lacking_s=self.choice.lacking_s,
            times=selection.times,
            times_ms={
                border_ms
                for span in self.spans
                for part in selection.times.week_parts(span.offset_ms)
                for border_ms in part
            },
        )

    def reader(self, index: CountIndex, selection: Selection, interval_s: int | None) -> Reader:
        """Return what reads bars of `interval_s`; see `base_of`."""
        query = CountQuery(
            self.choice.model,
            self.base_of(selection, interval_s),
            sources=selection.sources,
            labels=selection.labels,
        )
        return Reader(index, query, selection.zone.tzinfo, self.spans, selection.times)


def stored_intervals(index: CountIndex) -> dict[str, list[int]]:
    """Return the stored base intervals of each model, finest first; the model published last comes first."""
    bases: dict[str, list[int]] = {}
    for series in index.series():
        bases.setdefault(series.model, []).append(series.base_interval_s)
    return {model: sorted(intervals_s) for model, intervals_s in bases.items()}


def choose_model(index: CountIndex, model_name: str | None) -> Choice | None:
    """Return the model asked for, or the newest; None if nothing is indexed and none was asked for.

    Raises:
        Problem: 400, if there is no such model, with the known ones.
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


def choose_filmed(
    index: CountIndex, settings: Settings, media: MediaTimes, selection: Selection
) -> Choice | None:
    """Return `choose_model`; where nothing is counted yet, a model with footage that waits, or `NO_MODEL`.

    Raises as `check_names`.
    """
    choice = check_names(index, selection, media.sources)
    waiting = media.models() if choice is None else []
    return Choice(waiting[0], [settings.interval_s]) if waiting else choice


def resolve(
    index: CountIndex, choice: Choice, selection: Selection, media: MediaTimes | None
) -> ResolvedQuery | None:
    """Return the resolved request; None if there is nothing.

    An open end is filled by what the sources have: counts, and footage that `media` says is not counted.

    Raises:
        Problem: 400, if the base is not stored, or there are more days of data than are read at once.
    """
    is_by_second = selection.base_s == SECOND_S and isinstance(index, SecondsIndex)
    base_s = None if is_by_second else selection.base_s
    _check_base(choice, base_s)
    summaries = [
        summary
        for summary in index.sources(choice.model)
        if not selection.sources or summary.source in selection.sources
    ]
    ranges_by_source = {
        summary.source: (summary.first_interval_ms, summary.next_interval_ms) for summary in summaries
    }
    waiting = {
        source: _whole_intervals(span, choice.base_intervals_s[0] * 1000)
        for source, span in (media.unanalysed_ranges(choice.model) if media else {}).items()
        if not selection.sources or source in selection.sources
    }
    filmed = [*ranges_by_source.values(), *waiting.values()]
    if not filmed:
        return None
    from_ms = min(first for first, _ in filmed) if selection.from_ms is None else selection.from_ms
    if (to_ms := selection.to_ms) is None:
        bases_s = choice.base_intervals_s
        to_ms = open_end_ms(index, choice.model, bases_s, summaries, waiting.values(), from_ms)
    if from_ms >= to_ms:
        return None
    # Data cannot lie outside; the last interval reaches to its end, whatever its base.
    first_ms = min((first for first, _ in ranges_by_source.values()), default=to_ms)
    next_ms = max((end for _, end in ranges_by_source.values()), default=to_ms)
    readable = _spans(selection, max(from_ms, first_ms), min(to_ms, next_ms))
    up_to_date_choice = _up_to_date(index, choice, base_s, from_ms, to_ms)
    chosen = _chosen(selection, from_ms, to_ms)
    names = selection.sources or sorted(ranges_by_source.keys() | waiting.keys())
    resolved = ResolvedQuery(up_to_date_choice, names, from_ms, to_ms, readable, chosen)
    return (
        resolved
        if base_s
        else _with_seconds(index, resolved, selection.sources, waiting.values(), is_by_second)
    )


def _with_seconds(
    index: CountIndex,
    resolved: ResolvedQuery,
    sources: Sequence[str],
    waiting: Collection[tuple[int, int]],
    is_by_second: bool,
) -> ResolvedQuery:
    """Return a question with seconds among the intervals to read, or as the only one, where there are any."""
    choice = resolved.choice
    bases = choice.base_intervals_s
    ends = resolved.from_ms, resolved.to_ms
    if resolved.spans:
        ends = resolved.spans[0].from_ms, resolved.spans[-1].to_ms
    is_counted = bool(resolved.spans) or not waiting
    footage = None
    if SECOND_S not in bases and is_counted:
        footage = by_second(index, choice.model, bases[0], sources, *ends)
    if footage is not None:
        ranges = [footage, *waiting]
        first_ms, end_ms = min(span[0] for span in ranges), max(span[1] for span in ranges)
        footage = max(first_ms, resolved.from_ms), min(end_ms, resolved.to_ms)
        bases = [SECOND_S, *bases]
    if is_by_second:
        if SECOND_S not in bases:
            raise no_seconds(index, "base")
        bases = [SECOND_S]
    return resolved._replace(choice=choice._replace(base_intervals_s=bases), footage=footage)


def no_seconds(index: CountIndex, parameter: str) -> Exception:
    """Return why the chart cannot be read by the second."""
    fault = index.fault if isinstance(index, SecondsIndex) else None
    return fault or bad_parameter(
        parameter,
        f"{parameter}={SECOND_S}: this footage cannot be charted by the second.",
        remedy=f"Choose a range of at most {MOST_MS // 60_000} minutes, or leave {parameter} out.",
    )


def _whole_intervals(span: tuple[int, int], base_ms: int) -> tuple[int, int]:
    return span[0] - span[0] % base_ms, span[1] + -span[1] % base_ms


def _check_base(choice: Choice, base_s: int | None) -> None:
    if base_s is not None and base_s not in choice.base_intervals_s:
        raise bad_parameter(
            "base",
            f"{choice.model} is not stored in intervals of {base_s} seconds.",
            remedy=f"Choose one of these (seconds): {', '.join(map(str, choice.base_intervals_s))}, or "
            "leave it out.",
        )


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


def _up_to_date(index: CountIndex, choice: Choice, base_s: int | None, from_ms: int, to_ms: int) -> Choice:
    """Return the choice with the stored intervals that have the footage of the range, or with `base_s`."""
    if base_s is not None:
        return Choice(choice.model, [base_s])
    usable = up_to_date(index, choice.model, choice.base_intervals_s, from_ms, to_ms)
    return Choice(choice.model, usable, [base for base in choice.base_intervals_s if base not in usable])


_MOST_NAMED = 5


def check_names(
    index: CountIndex, selection: Selection, sources_with_media: Callable[[], Iterable[str]]
) -> Choice | None:
    """Return `choose_model`, if labels were ever counted, and there is anything of the sources.

    What was counted, and is not there in the range, is a zero. A source is known, too, if its footage is
    announced and not counted yet; both are, if they were counted with another model.

    Raises:
        Problem: 400, with the names that are nearest, or if there is no such model.
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
    """Return the problem that names asked for are none of those known, with the nearest ones."""
    return _refusal(_missing(parameter, names, known_names))


def _missing(parameter: str, names: Iterable[str], known_names: Sequence[str]) -> list[NoSuchName]:
    return [no_such(parameter, name, known_names) for name in names if name not in known_names]


def _refusal(missing: Sequence[NoSuchName]) -> Problem:
    first, first_missing = missing[0], missing[:_MOST_NAMED]
    remedies = [
        name.remedy if len(missing) == 1 else f"{name.kind} {shown(name.name)!r}: {name.remedy}"
        for name in first_missing
    ]
    return bad_parameter(
        first.kind,
        " ".join(f"There is no {name.kind} named {shown(name.name)!r}." for name in first_missing),
        remedy=" ".join(map(as_sentence, remedies)),
        value=first.name,
        instead=first.near,
    )
