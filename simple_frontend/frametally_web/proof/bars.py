"""The bar of a proof, the few intervals of it that have something to show, and its frames by event time.

The index knows which intervals of a bar have boxes, and only those are looked up in the segments. A bar of a
year with one car in it costs a few sums and one interval's lines.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any, Generic, NamedTuple, TypeVar

from frametally.adapters.day_cells.busiest_bars import evidence_order
from frametally.adapters.day_cells.merging import add_coverage
from frametally.adapters.day_cells.storage import rolled_steps
from frametally.adapters.day_cells.sums import join
from frametally.books.evidence import FramesBehind, ProvedFrame
from frametally.errors import Retryable
from frametally.ports.count_index import (
    AGES_S,
    NOT_LOOKED_AT,
    Bucket,
    CountQuery,
    CoverageBucket,
    Histogram,
)
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.ports.picture_places import box_filters
from frametally.process.time_limit import seconds_left
from frametally.records import Evidence
from frametally.rules.known import (
    Basis,
    Missing,
    Number,
    add_up,
    objects_of,
    sum_all_or_unknown,
    why_not_counted,
)
from frametally.rules.times import DAY_S
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.charts.measures import of_span
from frametally_web.charts.question import Question

EntryT = TypeVar("EntryT")
Place = tuple[Any, ...]
"""The sort key of entries."""


class Bar(NamedTuple):
    """The index's counts of a question's range, for its sources and labels together.

    Attributes:
        question: The question.
        base_interval_s: The stored interval that was read.
        from_ms: Start of the first whole interval.
        to_ms: End of the last one.
        detections: Boxes; None if no frame was counted.
        objects: Unique objects; None if they are unknown.
        objects_missing: Why they are.
        frames_analysed: Frames analysed, with or without a box.
    """

    question: Question
    base_interval_s: int
    from_ms: int
    to_ms: int
    detections: int | None = None
    objects: int | None = None
    objects_missing: Missing | None = None
    frames_analysed: int = 0

    @property
    def model(self) -> str:
        """The model that counted."""
        return self.question.model

    @property
    def missing(self) -> Missing | None:
        """Why no frame was counted; None if some were."""
        return self.objects_missing if self.detections is None else None

    def query(self, from_ms: int, to_ms: int) -> CountQuery:
        """Return the query of a part of the bar."""
        selection = self.question.selection
        return CountQuery(
            self.model,
            self.base_interval_s,
            sources=selection.sources,
            labels=selection.labels,
            from_ms=from_ms,
            to_ms=to_ms,
        )

    def parts_of(self, query: CountQuery) -> list[CountQuery]:
        """Return a query of the bar; with chosen times, in parts that each have one offset from UTC."""
        if self.question.chosen is None:
            return [query]
        times = self.question.selection.times
        return [of_span(query, span, times) for span in self.question.spans]


class NoBar(NamedTuple):
    """A question for which no frame was counted, and the index has nothing: its model, and why."""

    model: str | None
    missing: Missing


def find_bar(question: Question) -> Bar | NoBar:
    """Return the bar of a question, if the index has one."""

    def why_absent(reasons: Sequence[Missing] = ()) -> Missing:
        is_waiting = question.is_waiting or any((question.unanalysed or {}).values())
        return why_not_counted([*reasons, "not_analysed"] if is_waiting else reasons)

    if not question.spans:
        return NoBar(None if question.is_waiting else question.model or None, why_absent())
    base_s = question.base_of(None)
    # The index selects whole intervals by their start; the frames are those of the same intervals.
    from_ms, to_ms = (
        -(-ms // (base_s * 1000)) * base_s * 1000
        for ms in (question.spans[0].from_ms, question.spans[-1].to_ms)
    )
    whole = Bar(question, base_s, from_ms, to_ms)
    histogram = _histogram(whole, DAY_S, from_ms, to_ms)
    filmed = reduce(add_coverage, histogram.coverage, CoverageBucket(0, 0, math.inf, objects=0, covered_ms=0))
    if not filmed.frames:
        reasons: list[Any] = [part.reason for part in histogram.not_within]
        if any(part.reason != NOT_LOOKED_AT for part in histogram.blank):
            reasons.append("shows_nothing")
        return whole._replace(objects_missing=why_absent(reasons))
    by_label = defaultdict(list)
    for bucket in histogram.buckets:
        by_label[bucket.label].append(bucket)
    objects = add_up(_objects(of_label, filmed) for of_label in by_label.values() or [()])
    return whole._replace(
        detections=sum(bucket.detections for bucket in histogram.buckets),
        objects=objects.value,
        objects_missing=objects.missing,
        frames_analysed=filmed.frames,
    )


def _objects(of_label: Sequence[Bucket], filmed: CoverageBucket) -> Number:
    """Return the objects of a label in a bar."""
    followed = None if filmed.objects is None else sum_all_or_unknown(part.objects for part in of_label)
    tracked = sum_all_or_unknown(part.tracked_detections for part in of_label)
    boxes = sum(part.detections for part in of_label)
    fast = sum_all_or_unknown(part.fast_objects for part in of_label)
    return objects_of(Basis(followed, boxes, tracked, filmed.slowest_fps, fast_objects=fast))


def sum_before(bar: Bar, before_ms: int) -> tuple[int, int]:
    """Return the bar's boxes, and the frames analysed, before the start of one of its base intervals."""
    if before_ms <= bar.from_ms:
        return 0, 0
    histogram = _histogram(bar, AGES_S, bar.from_ms, before_ms)
    return sum(bucket.detections for bucket in histogram.buckets), sum(
        bucket.frames for bucket in histogram.coverage
    )


def peak_of(bar: Bar) -> Evidence | None:
    """Return the bar's frame with the most boxes of one label, the first of several, or None."""
    parts = bar.parts_of(bar.query(bar.from_ms, bar.to_ms))
    items = [item for part in parts for item in bar.question.index.evidence(part)]
    return min(items, key=lambda item: evidence_order(item)[1:]).evidence if items else None


def intervals(
    bar: Bar, from_ms: int, to_ms: int, *, empty: bool, backward: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield the bar's base intervals in `[from_ms, to_ms)` in which the index has boxes, as ranges, by time.

    With `empty`, yield those in which it has frames; with `backward`, the last one first.
    """
    steps_s = [*reversed(rolled_steps(bar.base_interval_s)), bar.base_interval_s]
    yield from _intervals(_Search(bar, empty, backward), from_ms, to_ms, steps_s)


def days_with_boxes(bar: Bar, from_ms: int) -> Iterator[tuple[int, int]]:
    """Yield the bar's UTC days from `from_ms` on in which the index has boxes, clipped to the bar."""
    for bucket in _starts(_histogram(bar, DAY_S, from_ms, bar.to_ms), empty=False):
        yield max(bucket, from_ms), min(bucket + DAY_S * 1000, bar.to_ms)


def sources_in(bar: Bar, from_ms: int, to_ms: int, *, empty: bool) -> list[str]:
    """Return the bar's sources with boxes (with `empty`: frames) in a range of `intervals`, by slug."""
    if len(bar.question.selection.sources) == 1:
        return bar.question.selection.sources
    histogram = _histogram(bar, AGES_S, from_ms, to_ms, by_source=True)
    if empty:
        return sorted(
            {coverage.source for coverage in histogram.coverage if coverage.source and coverage.frames}
        )
    return sorted({bucket.source for bucket in histogram.buckets if bucket.source and bucket.detections})


class _Search(NamedTuple):
    """The search target, its place, and its direction."""

    bar: Bar
    empty: bool
    backward: bool


def _intervals(search: _Search, from_ms: int, to_ms: int, steps_s: list[int]) -> Iterator[tuple[int, int]]:
    step_s, *finer = steps_s
    step_ms = step_s * 1000
    if finer and to_ms - from_ms <= 2 * step_ms:  # such a long step saves nothing
        yield from _intervals(search, from_ms, to_ms, finer)
        return
    starts = _starts(_histogram(search.bar, step_s, from_ms, to_ms), empty=search.empty)
    for start_ms in reversed(starts) if search.backward else starts:
        part = max(start_ms, from_ms), min(start_ms + step_ms, to_ms)
        if finer:
            yield from _intervals(search, *part, finer)
        else:
            yield part


def _starts(histogram: Histogram, *, empty: bool) -> list[int]:
    if empty:
        return sorted({coverage.start_ms for coverage in histogram.coverage if coverage.frames})
    return sorted({bucket.start_ms for bucket in histogram.buckets if bucket.detections})


def _histogram(bar: Bar, interval_s: int, from_ms: int, to_ms: int, *, by_source: bool = False) -> Histogram:
    query = bar.query(from_ms, to_ms)._replace(interval_s=interval_s, by_source=by_source)
    histograms = [bar.question.index.histogram(part) for part in bar.parts_of(query)]
    if len(histograms) == 1:
        return histograms[0]
    return Histogram(
        bar.model,
        bar.base_interval_s,
        *join([(histogram.buckets, histogram.coverage) for histogram in histograms]),
        [part for histogram in histograms for part in histogram.blank],
        [part for histogram in histograms for part in histogram.not_within],
    )


class Part(NamedTuple, Generic[EntryT]):
    """Entries with their places, and the place at which it stopped, or None if there are no more."""

    entries: list[tuple[Place, EntryT]]
    stopped_at: Place | None


def take(entries: Iterable[tuple[Place, EntryT | None]], limit: int) -> Part[EntryT]:
    """Return the first `limit` entries, up to an entry of None, at which one request has read enough."""
    entries_taken: list[tuple[Place, EntryT]] = []
    for place, entry in entries:
        if entry is None:
            return Part(entries_taken, place)
        if len(entries_taken) == limit:
            return Part(entries_taken, entries_taken[-1][0])
        entries_taken.append((place, entry))
    return Part(entries_taken, None)


_MOST_BYTES = 32 * 1024 * 1024


class RecentRanges:
    """Reads ranges through a small cache that drops the least recently used first."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._bytes = 0

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Read as `ObjectStore.get_range` does."""
        place = (key, first_byte, next_byte)
        data = self._kept.pop(place, None)
        if data is None:
            data = self._store.get_range(key, first_byte, next_byte)
            self._bytes += len(data)
        self._kept[place] = data
        while self._bytes > _MOST_BYTES and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return data


MAX_STRETCHES = 60
"""Most stretches that one page reads; if they show less than the index says, the next page continues."""

_STRETCH_MS = 600_000
"""Event time that is read at once when going backwards."""


class BarFrames:
    """The frames of a bar: those with counted boxes or, with `empty`, all that were analysed.

    The index knows which intervals have frames, and the ledger where the store has their lines. Reading may
    raise `Retryable` if a port is unavailable, or the ledger lists a segment that has gone.
    """

    def __init__(self, ports: DashboardPorts, bar: Bar, *, empty: bool) -> None:
        self._bar = bar
        self._empty = empty
        question, series = bar.question, (bar.model, bar.base_interval_s)
        self._frames = FramesBehind(
            ports.store,
            ports.ledger,
            question.index,
            question.settings,
            series,
            parts=box_filters(question.index, *series),
            ranges=RecentRanges(ports.store),
        )

    def behind(self, after: Place | None) -> Iterator[tuple[Place, ProvedFrame | None]]:
        """Yield the frames after a place (all if None) by time, then path; None means enough for one page."""
        start_ms = after[0] - after[0] % (self._bar.base_interval_s * 1000) if after else self._bar.from_ms
        for number, (from_ms, to_ms) in enumerate(self._intervals(start_ms, self._bar.to_ms)):
            if self._is_enough(number):
                yield (from_ms, ""), None  # before any path
                return
            yield from self.read(from_ms, to_ms, after=after)

    def before(self, end: Place) -> Iterator[tuple[Place, ProvedFrame | None]]:
        """Yield the frames before a place, the last one first, with None as in `behind`."""
        end_ms = min(end[0] + 1 if end[1] else end[0], self._bar.to_ms)
        number = 0
        for from_ms, to_ms in self._intervals(self._bar.from_ms, end_ms, backward=True):
            sources = self._sources(from_ms, to_ms)
            for start_ms in reversed(range(from_ms, to_ms, _STRETCH_MS)):
                until_ms = min(start_ms + _STRETCH_MS, to_ms)
                if self._is_enough(number):
                    yield (until_ms, ""), None
                    return
                places = self._merged(start_ms, until_ms, sources, None)
                yield from reversed([(place, entry) for place, entry in places if place < end])
                number += 1

    def read(
        self, from_ms: int, to_ms: int, *, after: Place | None = None
    ) -> Iterator[tuple[Place, ProvedFrame]]:
        """Yield the frames after `after` in a range that begins with a base interval of the bar."""
        return self._merged(from_ms, to_ms, self._sources(from_ms, to_ms), after)

    def _intervals(self, from_ms: int, to_ms: int, *, backward: bool = False) -> Iterator[tuple[int, int]]:
        return intervals(
            self._bar,
            max(from_ms, self._bar.from_ms),
            to_ms,
            empty=self._empty,
            backward=backward,
        )

    def _sources(self, from_ms: int, to_ms: int) -> list[str]:
        return sources_in(self._bar, from_ms, to_ms, empty=self._empty)

    def _merged(
        self, from_ms: int, to_ms: int, sources: list[str], after: Place | None
    ) -> Iterator[tuple[Place, ProvedFrame]]:
        labels = self._bar.question.selection.labels
        behind = (after[0], after[1]) if after else None
        of_sources = [
            self._frames.read(source, from_ms, to_ms, labels=labels, after=behind, empty=self._empty)
            for source in sources
        ]
        try:
            yield from ((_place(frame), frame) for frame in heapq.merge(*of_sources, key=_place))
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being updated from the store") from error

    def _is_enough(self, number: int) -> bool:
        """Return whether a page ends here, because half of the request's time has passed."""
        if number == MAX_STRETCHES:
            return True
        left_s = seconds_left()
        return (
            number > 0 and left_s is not None and left_s < self._bar.question.settings.web_query_timeout_s / 2
        )


def _place(proved: ProvedFrame) -> tuple[int, str]:
    return proved.frame.captured_at_ms, proved.frame.image_path
