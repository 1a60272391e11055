"""Bars of a second, of short ranges: counts the frames behind stored intervals, by the same rules.

Seconds are returned only if they add up: the frames, detections, peaks and objects of each stored interval
must match its seconds. So a bar of a second never contradicts the bar of a minute that contains it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from frametally import keys
from frametally.actions.problems import Problem
from frametally.adapters.day_cells.busiest_bars import evidence_order
from frametally.adapters.day_cells.sums import join
from frametally.books.counted_days import SettingsByDay
from frametally.books.evidence import FramesBehind, ProvedFrame
from frametally.books.runs import find_tracks
from frametally.errors import FrametallyError, Retryable
from frametally.ports.count_index import (
    NOT_LOOKED_AT,
    PARTIAL_LABELS,
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
from frametally.ports.picture_places import BoxFilters, PartIndex, box_filters
from frametally.process.time_limit import time_limit
from frametally.records import Evidence, Run
from frametally.rules.evidence import busiest
from frametally.rules.filmed_time import filmed_time
from frametally.rules.known import basis_of, why_unknown
from frametally.rules.path_columns import FROM_START
from frametally.rules.places import parse_place, source_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.rules.week_parts import holds
from frametally.settings.loading import Settings
from frametally.track_records import TrackHead
from frametally_web.charts.local_bars import MOST_MS, SECOND_S

SECOND_MS = 1000
_MOST_FRAMES = 20_000  # ten minutes of one source at 30 frames a second, and a few more
_PATIENCE_S = 2.0

Interval = tuple[str, int]
"""A source, and the start of its stored interval."""


class FirstSeen(NamedTuple):
    """Objects by source, label and the second when they were first seen; `from_start` is a part of them."""

    every: Counter[tuple[str, str, int]]
    from_start: Counter[tuple[str, str, int]]


class CountedSeconds(NamedTuple):
    """The seconds of one stored interval of a source."""

    buckets: list[Bucket]
    coverage: list[CoverageBucket]
    evidence: list[IndexedEvidence]


def count_seconds(
    interval: CoverageBucket,
    counts: Iterable[Bucket],
    frames: dict[int, list[ProvedFrame]],
    first_seen: FirstSeen,
    filmed: Counter[int],
) -> CountedSeconds:
    """Return the seconds of a stored interval, whose frames are given by second."""
    source = interval.source or ""
    stored = {bucket.label: bucket for bucket in counts}
    objects, is_followed = first_seen.every, interval.objects is not None
    counted = CountedSeconds([], [], [])
    for start_ms, of_second in frames.items():
        labels: dict[str, list[Evidence]] = defaultdict(list)
        for frame in of_second:
            for label, number in Counter(box.label for box in frame.boxes).items():
                image = frame.frame
                labels[label].append(
                    Evidence(image_path=image.image_path, captured_at_ms=image.captured_at_ms, count=number)
                )
        for label, shown in labels.items():
            detections = sum(frame_evidence.count for frame_evidence in shown)
            of_label = stored.get(label)
            counted.buckets.append(
                Bucket(
                    start_ms=start_ms,
                    label=label,
                    detections=detections,
                    peak=max(frame_evidence.count for frame_evidence in shown),
                    objects=_known_as(of_label and of_label.objects, objects[source, label, start_ms]),
                    source=source,
                    tracked_detections=of_label and _share_tracked(of_label, detections),
                    objects_from_start=_known_as(
                        of_label and of_label.objects_from_start,
                        first_seen.from_start[source, label, start_ms],
                    ),
                    fast_objects=of_label and _share_fast(of_label, objects[source, label, start_ms]),
                )
            )
            counted.evidence.extend(
                IndexedEvidence(source, label, start_ms, frame_evidence) for frame_evidence in busiest(shown)
            )
        counted.coverage.append(
            CoverageBucket(
                start_ms=start_ms,
                frames=len(of_second),
                slowest_fps=interval.slowest_fps,
                source=source,
                objects=sum(objects[source, label, start_ms] for label in labels) if is_followed else None,
                covered_ms=None if interval.covered_ms is None else filmed[start_ms],
            )
        )
    return counted


def _known_as(stored: int | None, of_second: int) -> int | None:
    """Return a number of a second, or None if that of its interval is unknown."""
    return None if stored is None else of_second


def _share_tracked(stored: Bucket, detections: int) -> int | None:
    """Return how many of a second's boxes count as being in tracks.

    It is not stored which boxes are. So the interval's share is used, rounded such that the objects of a
    second are known exactly if those of its interval are.
    """
    if stored.tracked_detections is None:
        return None
    share = round(detections * stored.tracked_detections / stored.detections)
    half = -(-detections // 2)
    is_weak = why_unknown("objects", basis_of(stored)) == "too_weak"
    return max(share, half) if not is_weak else min(share, half - 1)


def _share_fast(stored: Bucket, objects: int) -> int | None:
    """Return how many fast objects a second counts: as few as make it too fast if its interval is.

    It is not stored in which second they passed.
    """
    if stored.fast_objects is None:
        return None
    return objects // 10 + 1 if why_unknown("objects", basis_of(stored)) == "too_fast" else 0


def adds_up(counted: CountedSeconds, interval: CoverageBucket, counts: Sequence[Bucket]) -> bool:
    """Return whether the seconds of a stored interval add up to its stored counts."""
    totals: dict[str, list[Bucket]] = defaultdict(list)
    for bucket in counted.buckets:
        totals[bucket.label].append(bucket)
    return (
        sum(second.frames for second in counted.coverage) == interval.frames
        and totals.keys() == {bucket.label for bucket in counts}
        and all(
            sum(bucket.detections for bucket in totals[stored.label]) == stored.detections
            and max(bucket.peak for bucket in totals[stored.label]) == stored.peak
            and (
                stored.objects is None
                or sum(bucket.objects or 0 for bucket in totals[stored.label]) == stored.objects
            )
            for stored in counts
        )
    )


def _label_in(bucket: Bucket, query: CountQuery) -> str:
    """Return the label of a second's bar, grouped as in the query."""
    if query.apart is None or bucket.label in query.apart:
        return bucket.label
    missing = why_unknown("objects", basis_of(bucket)) if query.partial_apart else None
    return next((name for name, reason in PARTIAL_LABELS.items() if reason == missing), "")


def selected(seconds: Mapping[Interval, CountedSeconds], query: CountQuery) -> list[CountedSeconds]:
    """Return the parts of counted seconds that a query selects."""

    def is_wanted(start_ms: int) -> bool:
        return (
            (query.from_ms is None or start_ms >= query.from_ms)
            and (query.to_ms is None or start_ms < query.to_ms)
            and holds(query.week_parts, start_ms)
        )

    return [
        CountedSeconds(
            [
                bucket._replace(label=_label_in(bucket, query))
                for bucket in counted.buckets
                if is_wanted(bucket.start_ms) and (not query.labels or bucket.label in query.labels)
            ],
            [interval for interval in counted.coverage if is_wanted(interval.start_ms)],
            [
                frame_evidence
                for frame_evidence in counted.evidence
                if is_wanted(frame_evidence.interval_start_ms)
            ],
        )
        for (source, _), counted in seconds.items()
        if (not query.sources or source in query.sources)
        and not (query.measured_only and any(interval.objects is None for interval in counted.coverage))
    ]


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

        Return None if it cannot be answered by the second, because its footage is too long, has too many
        frames, shows nothing or is not within the zone in part (which second is not stored), does not add up
        to the stored counts, or cannot be read; without footage, the range itself.
        """
        base_ms = base_s * 1000
        first_ms, end_ms = from_ms - from_ms % base_ms, to_ms + -to_ms % base_ms
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
                known.update(self._count_seconds(stored._replace(coverage=missing)))
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

    def _count_seconds(self, histogram: Histogram) -> dict[Interval, CountedSeconds]:
        """Count the seconds of stored intervals; leave out those that do not add up.

        Raises:
            FrametallyError: The store or the ledger is unavailable, or its contents are damaged.
            ObjectMissing: A segment has gone since the ledger was refreshed.
        """
        base_ms = histogram.base_interval_s * 1000
        series = histogram.model, histogram.base_interval_s
        parts = box_filters(self.stored, *series)
        behind = FramesBehind(self._store, self._ledger, self.stored, self._settings, series, parts=parts)
        first_seen = self._first_seen(histogram, base_ms)
        counts: dict[Interval, list[Bucket]] = defaultdict(list)
        for bucket in histogram.buckets:
            counts[bucket.source or "", bucket.start_ms].append(bucket)
        by_source_and_day: dict[Interval, list[CoverageBucket]] = defaultdict(list)
        for interval in histogram.coverage:
            by_source_and_day[interval.source or "", interval.start_ms // DAY_MS].append(interval)
        seconds: dict[Interval, CountedSeconds] = {}
        for (source, _), of_day in by_source_and_day.items():
            first_ms = min(interval.start_ms for interval in of_day)
            end_ms = max(interval.start_ms for interval in of_day) + base_ms
            by_second: dict[int, list[ProvedFrame]] = defaultdict(list)
            frames = [*behind.read(source, first_ms, end_ms)]
            for frame in frames:
                by_second[frame.frame.captured_at_ms // SECOND_MS * SECOND_MS].append(frame)
            filmed = self._filmed(histogram, of_day, [frame.frame.captured_at_ms for frame in frames])
            for interval in of_day:
                of_second: dict[int, list[ProvedFrame]] = {}
                covered: Counter[int] = Counter()
                for start_ms in range(interval.start_ms, interval.start_ms + base_ms, SECOND_MS):
                    if start_ms in by_second:
                        of_second[start_ms] = by_second[start_ms]
                    # A second without frames, between two frames, counts towards the one before it.
                    covered[next(reversed(of_second), start_ms)] += filmed[start_ms]
                counted = count_seconds(
                    interval, counts[source, interval.start_ms], of_second, first_seen, covered
                )
                if adds_up(counted, interval, counts[source, interval.start_ms]):
                    seconds[source, interval.start_ms] = counted
        return seconds

    def _filmed(
        self, histogram: Histogram, of_day: Sequence[CoverageBucket], times_ms: Sequence[int]
    ) -> Counter[int]:
        """Return how many milliseconds of each second have footage, by the rule of the job."""
        by_day = SettingsByDay(self.stored, histogram.model, histogram.base_interval_s)
        gap_ms = by_day.track_gap_ms_at(of_day[0].start_ms)
        filmed: Counter[int] = Counter()
        for hour_ms, fps in {
            interval.start_ms // HOUR_MS * HOUR_MS: interval.slowest_fps for interval in of_day
        }.items():
            if fps and gap_ms:
                # The step is the mean of the whole hour, of which this may be only a part.
                stretches = filmed_time(times_ms, gap_ms)._replace(step_ms=round(1000 / fps))
                filmed += stretches.covered_ms(hour_ms, SECOND_MS)
        return filmed

    def _first_seen(self, histogram: Histogram, base_ms: int) -> FirstSeen:
        """Return how many objects were first seen in each second, by source and label."""
        first_seen = FirstSeen(Counter(), Counter())
        intervals = {(bucket.source, bucket.start_ms) for bucket in histogram.buckets if bucket.objects}
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
            if (run.model, run.interval_s) == (
                histogram.model,
                histogram.base_interval_s,
            ) and run.day in days:
                for track in find_tracks(
                    self._store,
                    run,
                    is_match=is_wanted,
                    order=lambda head: (head.id,),
                    sources={source for source, _ in intervals if source},
                    span=(min(starts_ms), max(starts_ms) + base_ms),
                ):
                    second_ms = track.first_seen_ms // SECOND_MS * SECOND_MS
                    place = source_of(track.source), track.label, second_ms
                    first_seen.every[place] += 1
                    first_seen.from_start[place] += track.began in FROM_START
        return first_seen

    def _is_by_second(self, model: str, base_s: int) -> bool:
        return base_s == SECOND_S and model in self._bases_s


def _frames(histogram: Histogram) -> int:
    return sum(interval.frames for interval in histogram.coverage)
