"""Which model, range and stored interval a query reads: what it leaves open is filled from the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.ports.count_index import CountIndex, CountQuery
from frametally.ports.count_questions import up_to_date
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_web.charts import intervals
from frametally_web.charts.bars import Span, chosen_ranges, spans
from frametally_web.charts.measures import Reader
from frametally_web.charts.media_times import MediaTimes
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import Selection

MAX_SPAN_DAYS = 3660
"""Longest range of data that one query may read."""


class Choice(NamedTuple):
    """The one model that a query reads, with its stored base intervals.

    The model is `NO_MODEL` where nothing was detected yet.

    Once a range is asked for these are those that have its footage (or the one that was asked for);
    `lacking_s` are those that lack some of it.
    """

    model: str
    base_intervals_s: list[int]
    lacking_s: Sequence[int] = ()


class ResolvedQuery(NamedTuple):
    """A query with nothing left open: what was not asked for is what there is.

    `spans` are what of `[from_ms, to_ms)` can have data, each of one offset from UTC; `chosen` are the hours
    and weekdays in that range that are asked for; None: all of it.
    """

    choice: Choice
    sources: list[str]
    from_ms: int
    to_ms: int
    spans: list[Span]
    chosen: list[tuple[int, int]] | None

    def base_of(self, selection: Selection, interval_s: int | None) -> int:
        """Return the stored base interval to read for bars of `interval_s`; see `intervals.base_of`."""
        return intervals.base_of(
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
    return {model: sorted(stored) for model, stored in bases.items()}


def choose_model(index: CountIndex, asked: str | None) -> Choice | None:
    """Return the model asked for, or the newest; None if nothing is indexed and none was asked for.

    Raises:
        Problem: 400, if there is no such model, with those that there are.
    """
    bases = stored_intervals(index)
    model = next(iter(bases), None) if asked is None else asked
    if model is None:
        return None
    if model not in bases:
        raise bad_parameter(
            "model",
            f"Nothing was counted with the model {model!r}.",
            remedy=f"Choose one of these: {', '.join(bases)}." if bases else "There are no counts yet.",
        )
    return Choice(model, bases[model])


def choose_filmed(
    index: CountIndex, settings: Settings, media: MediaTimes, asked: str | None
) -> Choice | None:
    """Return `choose_model`; where nothing is counted yet, a model with footage that waits, or `NO_MODEL`.

    Raises:
        Problem: 400, if there is no such model.
    """
    choice = choose_model(index, asked)
    waiting = media.models() if choice is None else []
    return Choice(waiting[0], [settings.interval_s]) if waiting else choice


def resolve(
    index: CountIndex, choice: Choice, selection: Selection, media: MediaTimes | None
) -> ResolvedQuery | None:
    """Return what is asked for; None if there is nothing.

    An open end is filled by what the sources have: counts, and footage that `media` says is not counted.

    Raises:
        Problem: 400, if the base is not stored, or there are more days of data than are read at once.
    """
    _check_base(choice, selection.base_s)
    summaries = [
        summary
        for summary in index.sources(choice.model)
        if not selection.sources or summary.source in selection.sources
    ]
    counted = {one.source: (one.first_interval_ms, one.next_interval_ms) for one in summaries}
    waiting = {
        source: _whole_intervals(span, choice.base_intervals_s[0] * 1000)
        for source, span in (media.unanalysed_ranges(choice.model) if media else {}).items()
        if not selection.sources or source in selection.sources
    }
    filmed = [*counted.values(), *waiting.values()]
    if not filmed:
        return None
    from_ms = min(first for first, _ in filmed) if selection.from_ms is None else selection.from_ms
    to_ms = max(end for _, end in filmed) if selection.to_ms is None else selection.to_ms
    if from_ms >= to_ms:
        return None
    # Data cannot lie outside; the last interval reaches to its end, whatever its base.
    first_ms = min((first for first, _ in counted.values()), default=to_ms)
    next_ms = max((end for _, end in counted.values()), default=to_ms)
    readable = _spans(selection, max(from_ms, first_ms), min(to_ms, next_ms))
    up_to_date_choice = _up_to_date(index, choice, selection.base_s, from_ms, to_ms)
    chosen = _chosen(selection, from_ms, to_ms)
    names = selection.sources or sorted(counted.keys() | waiting.keys())
    return ResolvedQuery(up_to_date_choice, names, from_ms, to_ms, readable, chosen)


def _whole_intervals(span: tuple[int, int], base_ms: int) -> tuple[int, int]:
    return span[0] - span[0] % base_ms, span[1] + -span[1] % base_ms


def _check_base(choice: Choice, base_s: int | None) -> None:
    if base_s is not None and base_s not in choice.base_intervals_s:
        raise bad_parameter(
            "base",
            f"{choice.model} is not stored in intervals of {base_s} seconds.",
            remedy=f"Give one of these (seconds): {', '.join(map(str, choice.base_intervals_s))}, "
            "or leave it out.",
        )


def _spans(selection: Selection, from_ms: int, to_ms: int) -> list[Span]:
    if to_ms - from_ms > MAX_SPAN_DAYS * DAY_MS:
        raise bad_parameter(
            "from" if selection.from_ms is None else "to",
            f"The range holds {(to_ms - from_ms) // DAY_MS} days of data; at most "
            f"{MAX_SPAN_DAYS} are read at once.",
            remedy="Give a from and a to that are nearer to each other.",
        )
    return spans(selection.zone.tzinfo, from_ms, to_ms) if from_ms < to_ms else []


def _chosen(selection: Selection, from_ms: int, to_ms: int) -> list[tuple[int, int]] | None:
    if selection.times.week_parts(0) and to_ms - from_ms > MAX_SPAN_DAYS * DAY_MS:
        raise bad_parameter(
            selection.times.parameter,
            f"Hours and weekdays are chosen in at most {MAX_SPAN_DAYS} days; the range has "
            f"{(to_ms - from_ms) // DAY_MS}.",
            remedy="Give a from and a to that are nearer to each other, or choose all hours and weekdays.",
        )
    return chosen_ranges(selection.times, selection.zone.tzinfo, from_ms, to_ms)


def _up_to_date(index: CountIndex, choice: Choice, base_s: int | None, from_ms: int, to_ms: int) -> Choice:
    """Return the choice with the stored intervals that have the footage of the range, or with `base_s`."""
    if base_s is not None:
        return Choice(choice.model, [base_s])
    usable = up_to_date(index, choice.model, choice.base_intervals_s, from_ms, to_ms)
    return Choice(choice.model, usable, [base for base in choice.base_intervals_s if base not in usable])
