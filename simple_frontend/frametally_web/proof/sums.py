"""The bar of a proof, and the few intervals of it that have something to show.

The index knows which intervals of a bar have boxes, and only those are looked up in the segments. A bar of a
year with one car in it costs a few sums and one interval's lines.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

from frametally.adapters.day_cells.busiest_bars import evidence_order
from frametally.adapters.day_cells.merging import add_coverage
from frametally.adapters.day_cells.storage import rolled_steps
from frametally.adapters.day_cells.sums import join
from frametally.ports.count_index import (
    AGES_S,
    NOT_LOOKED_AT,
    Bucket,
    CountIndex,
    CountQuery,
    CoverageBucket,
    Histogram,
)
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
from frametally_web.charts import catalogue, scope
from frametally_web.charts.catalogue import MediaTimes
from frametally_web.charts.counts import unanalysed_in
from frametally_web.charts.local_bars import Ranges, Span
from frametally_web.charts.measures import of_span
from frametally_web.requests.query import ChosenTimes, Selection


class Bar(NamedTuple):
    """The index's counts of a bar `[from_ms, to_ms)`, for sources and labels together (all if empty).

    `base_interval_s` is the stored interval that was read. `detections` is None if no frame was counted, and
    `objects` also if they were not measured: `objects_missing` says why. Each of `spans` has one offset from
    UTC. Only `times` are counted, which are the ranges `chosen`, or None for all. The bar covers the whole
    picture, or the zone `within`.
    """

    model: str
    base_interval_s: int
    sources: list[str]
    labels: list[str]
    from_ms: int
    to_ms: int
    detections: int | None
    objects: int | None
    objects_missing: Missing | None
    frames_analysed: int
    times: ChosenTimes
    spans: Sequence[Span]
    chosen: Ranges | None
    within: str | None = None

    @property
    def missing(self) -> Missing | None:
        """Why no frame was counted; None if some were."""
        return self.objects_missing if self.detections is None else None

    def parts_of(self, query: CountQuery) -> list[CountQuery]:
        """Return a query of the bar; with chosen times, in parts that each have one offset from UTC."""
        return [query] if self.chosen is None else [of_span(query, span, self.times) for span in self.spans]


class NoBar(NamedTuple):
    """A selection in which no frame was counted, and the index has nothing: its model, and why."""

    model: str | None
    missing: Missing


def find_bar(index: CountIndex, selection: Selection, media: MediaTimes) -> Bar | NoBar:
    """Return the bar of a selection, if the index has one.

    Raises:
        Problem: 400 if the model does not exist, or the request is too large.
    """
    choice = catalogue.choose_model(index, selection.model)
    resolved = scope.resolve(index, choice, selection, media) if choice else None

    def why_absent(reasons: Sequence[Missing] = ()) -> Missing:
        if resolved is None:
            is_waiting = choice is None and bool(media.models())
        else:
            is_waiting = any((unanalysed_in(media, resolved) or {}).values())
        return why_not_counted([*reasons, "not_analysed"] if is_waiting else reasons)

    if choice is None or resolved is None or not resolved.spans:
        return NoBar(choice and choice.model, why_absent())
    base_s = resolved.base_of(selection, None)
    # The index selects whole intervals by their start; the frames are those of the same intervals.
    from_ms, to_ms = (
        -(-ms // (base_s * 1000)) * base_s * 1000
        for ms in (resolved.spans[0].from_ms, resolved.spans[-1].to_ms)
    )
    times = selection.times, resolved.spans, resolved.chosen, selection.within
    nothing = None, None, None, 0
    whole = Bar(choice.model, base_s, selection.sources, selection.labels, from_ms, to_ms, *nothing, *times)
    histogram = _histogram(index, whole, DAY_S, from_ms, to_ms)
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


def sum_before(index: CountIndex, bar: Bar, before_ms: int) -> tuple[int, int]:
    """Return the bar's boxes, and the frames analysed, before the start of one of its base intervals."""
    if before_ms <= bar.from_ms:
        return 0, 0
    histogram = _histogram(index, bar, AGES_S, bar.from_ms, before_ms)
    return sum(bucket.detections for bucket in histogram.buckets), sum(
        bucket.frames for bucket in histogram.coverage
    )


def peak_of(index: CountIndex, bar: Bar) -> Evidence | None:
    """Return the bar's frame with the most boxes of one label, the first of several, or None."""
    query = CountQuery(
        bar.model,
        bar.base_interval_s,
        sources=bar.sources,
        labels=bar.labels,
        from_ms=bar.from_ms,
        to_ms=bar.to_ms,
    )
    items = [item for part in bar.parts_of(query) for item in index.evidence(part)]
    return min(items, key=lambda item: evidence_order(item)[1:]).evidence if items else None


def intervals(
    index: CountIndex, bar: Bar, from_ms: int, to_ms: int, *, empty: bool, backward: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield the bar's base intervals in `[from_ms, to_ms)` in which the index has boxes, as ranges, by time.

    With `empty`, yield those in which it has frames; with `backward`, the last one first.
    """
    steps_s = [*reversed(rolled_steps(bar.base_interval_s)), bar.base_interval_s]
    yield from _intervals(_Search(index, bar, empty, backward), from_ms, to_ms, steps_s)


def days_with_boxes(index: CountIndex, bar: Bar, from_ms: int) -> Iterator[tuple[int, int]]:
    """Yield the bar's UTC days from `from_ms` on in which the index has boxes, clipped to the bar."""
    for bucket in _starts(_histogram(index, bar, DAY_S, from_ms, bar.to_ms), empty=False):
        yield max(bucket, from_ms), min(bucket + DAY_S * 1000, bar.to_ms)


def sources_in(index: CountIndex, bar: Bar, from_ms: int, to_ms: int, *, empty: bool) -> list[str]:
    """Return the bar's sources with boxes (with `empty`: frames) in a range of `intervals`, by slug."""
    if len(bar.sources) == 1:
        return bar.sources
    histogram = _histogram(index, bar, AGES_S, from_ms, to_ms, by_source=True)
    if empty:
        return sorted(
            {coverage.source for coverage in histogram.coverage if coverage.source and coverage.frames}
        )
    return sorted({bucket.source for bucket in histogram.buckets if bucket.source and bucket.detections})


class _Search(NamedTuple):
    """The search target, its place, and its direction."""

    counts: CountIndex
    bar: Bar
    empty: bool
    backward: bool


def _intervals(search: _Search, from_ms: int, to_ms: int, steps_s: list[int]) -> Iterator[tuple[int, int]]:
    step_s, *finer = steps_s
    step_ms = step_s * 1000
    if finer and to_ms - from_ms <= 2 * step_ms:  # such a long step saves nothing
        yield from _intervals(search, from_ms, to_ms, finer)
        return
    starts = _starts(_histogram(search.counts, search.bar, step_s, from_ms, to_ms), empty=search.empty)
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


def _histogram(
    index: CountIndex, bar: Bar, interval_s: int, from_ms: int, to_ms: int, *, by_source: bool = False
) -> Histogram:
    query = CountQuery(bar.model, bar.base_interval_s, interval_s, bar.sources, bar.labels, from_ms, to_ms)
    query = query._replace(by_source=by_source)
    histograms = [index.histogram(part) for part in bar.parts_of(query)]
    if len(histograms) == 1:
        return histograms[0]
    return Histogram(
        bar.model,
        bar.base_interval_s,
        *join([(histogram.buckets, histogram.coverage) for histogram in histograms]),
        [part for histogram in histograms for part in histogram.blank],
        [part for histogram in histograms for part in histogram.not_within],
    )
