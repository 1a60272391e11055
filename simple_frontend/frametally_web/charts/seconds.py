"""Counts by the second of a short range, from the frames behind the stored intervals, by their rules.

They are answered where they add up alone: the frames, detections, peaks and objects of each stored interval
are those of its seconds. So a bar of a second never contradicts the bar of a minute that it is part of.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, cast

from msgspec.structs import replace

from frametally import keys
from frametally.books.count_settings import SettingsByDay
from frametally.books.evidence import ProvedFrame, frames_of_bar
from frametally.books.runs import find_tracks
from frametally.errors import FrametallyError, Retryable
from frametally.media.overlapping import NotCounted
from frametally.ports.base_index import evidence_order
from frametally.ports.columns import join
from frametally.ports.count_index import (
    Bucket,
    CountedDay,
    CountIndex,
    CountQuery,
    CoverageBucket,
    Histogram,
    IndexedEvidence,
)
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.time_limit import time_limit
from frametally.records import Run
from frametally.rules.filmed_time import filmed_time
from frametally.rules.places import parse_place, source_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.rules.week_parts import holds
from frametally.settings.loading import Settings
from frametally.track_records import TrackHead
from frametally_web.access.seen_index import DashboardPorts, SeenIndex
from frametally_web.access.visitors import visitor
from frametally_web.charts.counted_seconds import CountedSeconds, adds_up, count_seconds
from frametally_web.charts.narrowing import BoxFilters, box_filters, narrowed
from frametally_web.requests.parameters import Args
from frametally_web.requests.problems import Problem

SECOND_S = 1
"""The stored interval where seconds are read."""

MOST_MS = 600_000
"""Longest footage, from its first second to its last, that is charted by the second."""

_SECOND_MS = 1000
_MOST_FRAMES = 20_000  # ten minutes of one source at 30 frames a second, and some more
_PATIENCE_S = 2.0

_Interval = tuple[str, int]
"""A source, and when its stored interval begins."""


class SecondsIndex:
    """A `CountIndex` that also has the seconds of short ranges, with `SECOND_S` for the stored interval.

    One answers one request: it keeps the seconds that were counted.
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
        """Look through `stored`, which the caller closes; `within` names the zone that it is narrowed to."""
        self.stored = stored
        self.fault: FrametallyError | Problem | None = None
        """Why frames could not be read, where that passes."""
        self._store, self._ledger, self._settings = store, ledger, settings
        self._within, self._ensure_ledger = within, ensure_ledger
        self._bases_s: dict[str, int] = {}
        self._counted: dict[str, dict[_Interval, CountedSeconds]] = defaultdict(dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stored, name)

    def footage(
        self, model: str, base_s: int, sources: Sequence[str], from_ms: int, to_ms: int
    ) -> tuple[int, int] | None:
        """Count the seconds of a range, and return its first and the end of its last with footage.

        None: it is not answered by the second, as the footage is too long, has too many frames, does not add
        up to what is stored, or cannot be read. Without footage it is the range itself.
        """
        base_ms = base_s * 1000
        first_ms, end_ms = from_ms - from_ms % base_ms, to_ms + -to_ms % base_ms
        if to_ms - from_ms > MOST_MS + 2 * base_ms:
            return None
        query = CountQuery(model, base_s, sources=sources, from_ms=first_ms, to_ms=end_ms, by_source=True)
        stored = self.stored.histogram(query)
        if sum(interval.frames for interval in stored.coverage) > _MOST_FRAMES:
            return None
        self._bases_s[model] = base_s
        known = self._counted[model]
        missing = [
            interval for interval in stored.coverage if (interval.source, interval.start_ms) not in known
        ]
        try:
            if missing:
                known.update(self._count(stored._replace(coverage=missing)))
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
        footage = min(within), max(within) + _SECOND_MS
        return footage if footage[1] - footage[0] <= MOST_MS else None

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label; see `CountIndex.histogram`."""
        if not self._is_by_second(query.model, query.base_interval_s):
            return self.stored.histogram(query)
        bar_ms = query.bar_s * 1000

        def bar(start_ms: int) -> int:
            return start_ms - (start_ms + query.offset_ms) % bar_ms

        counted_here = self._counted_in(query)
        buckets = [
            bucket._replace(
                start_ms=bar(bucket.start_ms),
                label=bucket.label if query.apart is None or bucket.label in query.apart else "",
                source=bucket.source if query.by_source else None,
            )
            for counted in counted_here
            for bucket in counted.buckets
            if not query.labels or bucket.label in query.labels
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
        for frame_evidence in sorted(
            (frame_evidence for counted in self._counted_in(query) for frame_evidence in counted.evidence),
            key=evidence_order,
        ):
            if not query.labels or frame_evidence.label in query.labels:
                busiest[frame_evidence.label].append(frame_evidence)
        return [evidence for of_label in busiest.values() for evidence in of_label[:limit_per_label]]

    def counted_days(self, model: str) -> list[CountedDay]:
        """Return the current runs of the model, those behind the seconds also as runs of seconds."""
        days = self.stored.counted_days(model)
        base_s = self._bases_s.get(model)
        return [*days, *(day._replace(base_interval_s=SECOND_S) for day in days if day[0] == base_s)]

    def current_runs(self) -> list[Run]:
        """Return the runs that queries read, those behind the seconds also as runs of seconds."""
        runs = self.stored.current_runs()
        behind = [run for run in runs if run.interval_s == self._bases_s.get(run.model)]
        return [*runs, *(replace(run, interval_s=SECOND_S) for run in behind)]

    def stored_interval_s(self, model: str, base_s: int) -> int:
        """Return the stored interval behind one that is read."""
        return self._bases_s.get(model, base_s) if base_s == SECOND_S else base_s

    def box_filters(self, model: str, base_s: int) -> BoxFilters | None:
        """Return which boxes are counted; see `narrowing.box_filters`."""
        return box_filters(self.stored, model, self.stored_interval_s(model, base_s))

    def _is_by_second(self, model: str, base_s: int) -> bool:
        return base_s == SECOND_S and model in self._bases_s

    def _counted_in(self, query: CountQuery) -> list[CountedSeconds]:
        """Return what was counted, as far as a query asks for it."""
        measured = query.measured_only

        def is_wanted(start_ms: int) -> bool:
            return (
                (query.from_ms is None or start_ms >= query.from_ms)
                and (query.to_ms is None or start_ms < query.to_ms)
                and holds(query.week_parts, start_ms)
            )

        return [
            CountedSeconds(
                [bucket for bucket in counted.buckets if is_wanted(bucket.start_ms)],
                [interval for interval in counted.coverage if is_wanted(interval.start_ms)],
                [
                    frame_evidence
                    for frame_evidence in counted.evidence
                    if is_wanted(frame_evidence.interval_start_ms)
                ],
            )
            for (source, _), counted in self._counted[query.model].items()
            if (not query.sources or source in query.sources)
            and not (measured and any(interval.objects is None for interval in counted.coverage))
        ]

    def _count(self, stored: Histogram) -> dict[_Interval, CountedSeconds]:
        """Count the seconds of stored intervals; those that do not add up are left out.

        Raises:
            FrametallyError: The store or the ledger is away, or what is in it is damaged.
            ObjectMissing: A segment has gone since the ledger was refreshed.
            Problem: 503, the ledger is not up to date yet.
        """
        with time_limit(_PATIENCE_S):
            self._ensure_ledger()
        base_ms = stored.base_interval_s * 1000
        objects = self._first_seen(stored, base_ms)
        counts: dict[_Interval, list[Bucket]] = defaultdict(list)
        for bucket in stored.buckets:
            counts[bucket.source or "", bucket.start_ms].append(bucket)
        by_source_and_day: dict[_Interval, list[CoverageBucket]] = defaultdict(list)
        for interval in stored.coverage:
            by_source_and_day[interval.source or "", interval.start_ms // DAY_MS].append(interval)
        seconds: dict[_Interval, CountedSeconds] = {}
        for (source, _), of_day in by_source_and_day.items():
            first_ms = min(interval.start_ms for interval in of_day)
            end_ms = max(interval.start_ms for interval in of_day) + base_ms
            by_second: dict[int, list[ProvedFrame]] = defaultdict(list)
            frames = self._frames(stored, source, first_ms, end_ms)
            for frame in frames:
                by_second[frame.frame.captured_at_ms // _SECOND_MS * _SECOND_MS].append(frame)
            filmed = self._filmed(stored, of_day, [frame.frame.captured_at_ms for frame in frames])
            for interval in of_day:
                of_second: dict[int, list[ProvedFrame]] = {}
                covered: Counter[int] = Counter()
                for start_ms in range(interval.start_ms, interval.start_ms + base_ms, _SECOND_MS):
                    if start_ms in by_second:
                        of_second[start_ms] = by_second[start_ms]
                    # A second between two frames, without one of its own, goes with the one before it.
                    covered[next(reversed(of_second), start_ms)] += filmed[start_ms]
                counted = count_seconds(
                    interval, counts[source, interval.start_ms], of_second, objects, covered
                )
                if adds_up(counted, interval, counts[source, interval.start_ms]):
                    seconds[source, interval.start_ms] = counted
        return seconds

    def _frames(self, stored: Histogram, source: str, from_ms: int, to_ms: int) -> list[ProvedFrame]:
        """Return the frames of a source within one UTC day, as they were counted, by time."""
        settings = self._settings
        by_day = SettingsByDay(self.stored, stored.model, stored.base_interval_s)
        parts = box_filters(self.stored, stored.model, stored.base_interval_s)
        left_out = NotCounted(self._ledger).by(by_day.overlaps_at(from_ms, settings.count_overlaps))
        return [
            *frames_of_bar(
                self._store,
                self._ledger,
                model=stored.model,
                source=source,
                labels=(),
                from_ms=from_ms,
                to_ms=to_ms,
                limits=by_day.counted_boxes_at(from_ms, settings.counted_boxes()),
                not_counted=left_out,
                empty=True,
                part=None if parts is None else parts(source, from_ms),
            )
        ]

    def _filmed(
        self, stored: Histogram, of_day: Sequence[CoverageBucket], times_ms: Sequence[int]
    ) -> Counter[int]:
        """Return how many milliseconds of each second there was footage of, by the rule of the job."""
        by_day = SettingsByDay(self.stored, stored.model, stored.base_interval_s)
        gap_ms = by_day.track_gap_ms_at(of_day[0].start_ms)
        filmed: Counter[int] = Counter()
        for hour_ms, fps in {
            interval.start_ms // HOUR_MS * HOUR_MS: interval.slowest_fps for interval in of_day
        }.items():
            if fps and gap_ms:
                # The step is the mean of the whole hour, of which there may be a part here.
                stretches = filmed_time(times_ms, gap_ms)._replace(step_ms=round(1000 / fps))
                filmed += stretches.covered_ms(hour_ms, _SECOND_MS)
        return filmed

    def _first_seen(self, stored: Histogram, base_ms: int) -> Counter[tuple[str, str, int]]:
        """Return how many objects of a source and label were first seen in a second."""
        first_seen: Counter[tuple[str, str, int]] = Counter()
        intervals = {(bucket.source, bucket.start_ms) for bucket in stored.buckets if bucket.objects}
        starts_ms = {start_ms for _, start_ms in intervals}
        days = {keys.utc_day(start_ms) for start_ms in starts_ms}

        def is_wanted(head: TrackHead) -> bool:
            start_ms = head.first_seen_ms - head.first_seen_ms % base_ms
            return (
                head.is_counted
                and (source_of(head.source), start_ms) in intervals
                and (self._within is None or parse_place(head.source).names == (self._within,))
            )

        for run in self.stored.current_runs():
            if (run.model, run.interval_s) == (stored.model, stored.base_interval_s) and run.day in days:
                for track in find_tracks(
                    self._store,
                    run,
                    is_match=is_wanted,
                    order=lambda head: (head.id,),
                    sources={source for source, _ in intervals if source},
                    span=(min(starts_ms), max(starts_ms) + base_ms),
                ):
                    second_ms = track.first_seen_ms // _SECOND_MS * _SECOND_MS
                    first_seen[source_of(track.source), track.label, second_ms] += 1
        return first_seen


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
        within=args.get("zone"),
        ensure_ledger=ensure_ledger,
    )
    return cast(CountIndex, index)


def stored_interval_s(index: CountIndex, model: str, base_s: int) -> int:
    """Return the stored interval behind one that is read from an index; see `SecondsIndex`."""
    return index.stored_interval_s(model, base_s) if isinstance(index, SecondsIndex) else base_s


def by_second(
    index: CountIndex, model: str, base_s: int, sources: Sequence[str], from_ms: int, to_ms: int
) -> tuple[int, int] | None:
    """Return `SecondsIndex.footage`; None of an index that has no seconds."""
    if not isinstance(index, SecondsIndex):
        return None
    return index.footage(model, base_s, sources, from_ms, to_ms)
