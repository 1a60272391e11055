"""The scope of a query: range, spans of local time, and stored interval, which may be a second.

Short ranges are also read by the second, from the frames behind the stored intervals, by the same rules.
Seconds are returned only if they add up: the frames, detections, peaks and objects of each stored interval
must match its seconds. So a bar of a second never contradicts the bar of a minute that contains it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple, cast

from msgspec.structs import replace

from frametally.actions.parameters import Args, read_one
from frametally.actions.problems import Problem, bad_parameter
from frametally.adapters.day_cells.busiest_bars import evidence_order
from frametally.adapters.day_cells.sums import join
from frametally.books.counted_days import open_end_ms, up_to_date
from frametally.errors import FrametallyError, Retryable
from frametally.ports.count_index import (
    NOT_LOOKED_AT,
    CountedDay,
    CountIndex,
    CountQuery,
    Histogram,
    IndexedEvidence,
)
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.ports.picture_places import BoxFilters, PartIndex
from frametally.process.time_limit import time_limit
from frametally.records import Run
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts, SeenIndex
from frametally_web.access.visitors import visitor
from frametally_web.charts.catalogue import Choice, MediaTimes, box_filters, narrowed
from frametally_web.charts.counted_seconds import SECOND_MS, CountedSeconds, FootageBehind, Interval, selected
from frametally_web.charts.local_bars import MOST_MS, SECOND_S, Span, base_of, chosen_ranges, cut, spans
from frametally_web.charts.measures import Reader
from frametally_web.requests.query import Selection

MAX_SPAN_DAYS = 3660
"""Longest range of data that one query may read."""

_MOST_FRAMES = 20_000  # ten minutes of one source at 30 frames a second, and a few more
_PATIENCE_S = 2.0


class ResolvedQuery(NamedTuple):
    """A query in which all open values have their defaults.

    `spans` are the parts of `[from_ms, to_ms)` that can have data, each of one offset from UTC. `chosen` are
    the chosen hours and weekdays in it, or None for all of it. If seconds can be read, `footage` goes from
    the first second with footage to the end of the last one; else it is None.
    """

    choice: Choice
    sources: list[str]
    from_ms: int
    to_ms: int
    spans: list[Span]
    chosen: list[tuple[int, int]] | None
    footage: tuple[int, int] | None = None

    def ends_with_footage(self, selection: Selection) -> ResolvedQuery:
        """Return the query with its open ends set to those of its footage."""
        if self.footage is None:
            return self
        return self._replace(
            from_ms=self.footage[0] if selection.from_ms is None else self.from_ms,
            to_ms=self.footage[1] if selection.to_ms is None else self.to_ms,
        )

    def asked_ms(self, from_ms: int, to_ms: int) -> int:
        """Return how much of a stretch is in the range, the hours and the weekdays of the question."""
        within = max(from_ms, self.from_ms), min(to_ms, self.to_ms)
        return sum(max(end_ms - start_ms, 0) for start_ms, end_ms in cut([within], self.chosen))

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
        """Return a reader for bars of `interval_s`; see `base_of`."""
        query = CountQuery(
            self.choice.model,
            self.base_of(selection, interval_s),
            sources=selection.sources,
            labels=selection.labels,
        )
        return Reader(index, query, selection.zone.tzinfo, self.spans, selection.times)


def resolve(
    index: CountIndex, choice: Choice, selection: Selection, media: MediaTimes | None
) -> ResolvedQuery | None:
    """Return the resolved request, or None if there is nothing to read.

    An open end is set by the sources' counts, and by footage that is not counted according to `media`.

    Raises:
        Problem: 400 if the base is not stored, or there are more days of data than are read at once.
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
    stored = index.stored if isinstance(index, SecondsIndex) else index
    waiting = {
        source: _whole_intervals(span, choice.base_intervals_s[0] * 1000)
        for source, span in (media.unanalysed_ranges(choice.model) if media else {}).items()
        if not selection.sources or source in selection.sources
        if not isinstance(stored, PartIndex) or stored.covers(choice.model, source)
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
    # There are no data outside; the last interval reaches to its end, whatever its base.
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
    """Return a question with seconds added to the intervals to read, or as the only one, if available."""
    choice = resolved.choice
    bases = choice.base_intervals_s
    ends = resolved.from_ms, resolved.to_ms
    if resolved.spans:
        ends = resolved.spans[0].from_ms, resolved.spans[-1].to_ms
    is_counted = bool(resolved.spans) or not waiting
    footage = None
    if SECOND_S not in bases and is_counted and isinstance(index, SecondsIndex):
        footage = index.footage(choice.model, bases[0], sources, *ends)
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
    if isinstance(index, SecondsIndex) and index.fault:
        return index.fault
    if isinstance(index, SecondsIndex) and index.missing:
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
    """Return the choice with the stored intervals that have the range's footage, or with `base_s`."""
    if base_s is not None:
        return Choice(choice.model, [base_s])
    usable = up_to_date(index, choice.model, choice.base_intervals_s, from_ms, to_ms)
    return Choice(choice.model, usable, [base for base in choice.base_intervals_s if base not in usable])


class SecondsIndex:
    """A `CountIndex` that also has the seconds of short ranges, with the stored interval `SECOND_S`.

    Each object answers one request: it keeps the counted seconds.
    """

    def __init__(
        self,
        stored: CountIndex,
        store: ObjectStore,
        ledger: Ledger,
        settings: Settings,
        *,
        within: str | None,
        ensure_ledger: Callable[[], None],
    ) -> None:
        """Wrap `stored`, which the caller closes; `within` names the zone to which it is limited."""
        self.stored = stored
        self.fault: FrametallyError | Problem | None = None
        """Why frames could not be read, if that is temporary."""
        self.missing: Literal["shows_nothing", "not_within"] | None = None
        """Why a range that is short enough has no seconds, if that stays so."""
        self._store, self._ledger, self._settings = store, ledger, settings
        self._within, self._ensure_ledger = within, ensure_ledger
        self._bases_s: dict[str, int] = {}
        self._counted: dict[str, dict[Interval, CountedSeconds]] = defaultdict(dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stored, name)

    def footage(
        self, model: str, base_s: int, sources: Sequence[str], from_ms: int, to_ms: int
    ) -> tuple[int, int] | None:
        """Count the seconds of a range; return the start of the first and the end of the last filmed one.

        Return None if it cannot be answered by the second, because the footage is too long, has too many
        frames, shows nothing or is not within the zone in part (which second is not stored), does not add up
        to the stored counts, or cannot be read; without footage, the range itself.
        """
        base_ms = base_s * 1000
        first_ms, end_ms = from_ms - from_ms % base_ms, to_ms + -to_ms % base_ms
        if to_ms - from_ms > MOST_MS + 2 * base_ms:
            return None
        query = CountQuery(model, base_s, sources=sources, from_ms=first_ms, to_ms=end_ms, by_source=True)
        stored = self.stored.histogram(query)
        if _frames(stored) > _MOST_FRAMES:
            return None
        whole = stored
        if isinstance(self.stored, PartIndex):
            with_part = sources or [summary.source for summary in self.stored.sources(model)]
            whole = self.stored.whole.histogram(query._replace(sources=with_part)) if with_part else stored
        if any(part.reason != NOT_LOOKED_AT for part in whole.blank):
            self.missing = "shows_nothing"
            return None
        if _frames(whole) > _frames(stored):
            self.missing = "not_within"
            return None
        self._bases_s[model] = base_s
        known = self._counted[model]
        missing = [
            interval for interval in stored.coverage if (interval.source, interval.start_ms) not in known
        ]
        try:
            if missing:
                with time_limit(_PATIENCE_S):
                    self._ensure_ledger()
                footage_behind = FootageBehind(
                    self.stored, self._store, self._ledger, self._settings, self._within
                )
                known.update(footage_behind.count_seconds(stored._replace(coverage=missing)))
        except (FrametallyError, ObjectMissing, Problem) as error:
            self.fault = Retryable(str(error)) if isinstance(error, ObjectMissing) else error
            return None
        intervals = [(interval.source or "", interval.start_ms) for interval in stored.coverage]
        if not known.keys() >= {*intervals}:
            return None
        within = [
            second.start_ms
            for interval in intervals
            for second in known[interval].coverage
            if from_ms <= second.start_ms < to_ms
        ]
        if not within:
            return from_ms, to_ms
        footage = min(within), max(within) + SECOND_MS
        return footage if footage[1] - footage[0] <= MOST_MS else None

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label; see `CountIndex.histogram`."""
        if not self._is_by_second(query.model, query.base_interval_s):
            return self.stored.histogram(query)
        bar_ms = query.bar_s * 1000

        def bar(start_ms: int) -> int:
            return start_ms - (start_ms + query.offset_ms) % bar_ms

        counted_here = selected(self._counted[query.model], query)
        buckets = [
            bucket._replace(
                start_ms=bar(bucket.start_ms),
                source=bucket.source if query.by_source else None,
            )
            for counted in counted_here
            for bucket in counted.buckets
        ]
        coverage = [
            interval._replace(
                start_ms=bar(interval.start_ms), source=interval.source if query.by_source else None
            )
            for counted in counted_here
            for interval in counted.coverage
        ]
        return Histogram(query.model, query.base_interval_s, *join([(buckets, coverage)]))

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label; see `CountIndex.evidence`."""
        if not self._is_by_second(query.model, query.base_interval_s):
            return self.stored.evidence(query, limit_per_label=limit_per_label)
        busiest: dict[str, list[IndexedEvidence]] = defaultdict(list)
        counted_here = selected(self._counted[query.model], query)
        evidence = chain.from_iterable(counted.evidence for counted in counted_here)
        for shown in sorted(evidence, key=evidence_order):
            if not query.labels or shown.label in query.labels:
                busiest[shown.label].append(shown)
        return [item for of_label in busiest.values() for item in of_label[:limit_per_label]]

    def counted_days(self, model: str) -> list[CountedDay]:
        """Return the current runs of the model; those behind the seconds also as runs of seconds."""
        days = self.stored.counted_days(model)
        base_s = self._bases_s.get(model)
        return [*days, *(day._replace(base_interval_s=SECOND_S) for day in days if day[0] == base_s)]

    def current_runs(self) -> list[Run]:
        """Return the runs that queries read; those behind the seconds also as runs of seconds."""
        runs = self.stored.current_runs()
        behind = [run for run in runs if run.interval_s == self._bases_s.get(run.model)]
        return [*runs, *(replace(run, interval_s=SECOND_S) for run in behind)]

    def stored_interval_s(self, model: str, base_s: int) -> int:
        """Return the stored interval behind the one that is read."""
        return self._bases_s.get(model, base_s) if base_s == SECOND_S else base_s

    def box_filters(self, model: str, base_s: int) -> BoxFilters | None:
        """Return which boxes are counted; see `catalogue.box_filters`."""
        return box_filters(self.stored, model, self.stored_interval_s(model, base_s))

    def _is_by_second(self, model: str, base_s: int) -> bool:
        return base_s == SECOND_S and model in self._bases_s


def _frames(histogram: Histogram) -> int:
    return sum(interval.frames for interval in histogram.coverage)


def index_by_second(
    ports: DashboardPorts, settings: Settings, args: Args, ensure_ledger: Callable[[], None]
) -> CountIndex:
    """Return the index that a query reads, with the seconds of short ranges. Raises as `narrowed`."""
    stored = ports.index
    if isinstance(stored, SeenIndex) and not visitor().sources:
        stored = stored.whole
    index = SecondsIndex(
        narrowed(stored, ports.store, args),
        ports.store,
        ports.ledger,
        settings,
        within=read_one(args, "zone"),
        ensure_ledger=ensure_ledger,
    )
    return cast(CountIndex, index)


def stored_interval_s(index: CountIndex, model: str, base_s: int) -> int:
    """Return the stored interval behind the one that is read from an index; see `SecondsIndex`."""
    return index.stored_interval_s(model, base_s) if isinstance(index, SecondsIndex) else base_s
