"""The count index port: what the dashboard queries.

A query uses exactly one model and one stored base interval, and sums over neither.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from frametally.errors import FrametallyError, Retryable
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.rules.times import DAY_S, HOUR_MS
from frametally.rules.week_parts import WeekParts

AGES_S = 146_097 * DAY_S
"""Days of 400 years: a bar of all times."""
MAX_BUCKETS = 200_000
"""Most bars of an answer."""
NOT_LOOKED_AT = "not_looked_at"
"""Of footage that was analysed before pictures were measured: nobody knows whether it shows anything."""
NO_LABEL = ("",)
"""Labels of a query that asks for coverage alone."""
WEAK_LABELS = "\0"
"""No label has such a name."""


REPAIR = "frametally index --repair"
"""What mends an index that is damaged, or that differs from its store."""


class IndexDamaged(FrametallyError):
    """The contents of the index differ from its checksums: it does not answer from them."""

    def __init__(self, damage: str) -> None:
        super().__init__(f"the count index is damaged: {damage}; run `{REPAIR}`")


class PartsReplaced(Retryable):
    """The index does not have the parts (any more) that a run keeps: publish it with all its records."""


class DayPart(NamedTuple):
    """A source and an hour, in hours since the epoch."""

    source: str
    hour: int


NameOf = Callable[[DayPart], str]
"""Returns the name of a part, 16 hex digits, empty if it has none; the same name means the same records."""


def no_name(part: DayPart) -> str:
    """Return that a part has no name."""
    del part
    return ""


def part_at(source: str, start_ms: int) -> DayPart:
    """Return the part of a base interval."""
    return DayPart(source, start_ms // HOUR_MS)


class Bucket(NamedTuple):
    """One bar: a label's counts in `[start_ms, start_ms + interval)`, over the sources asked for.

    Attributes:
        start_ms: Start of the interval: `start_ms + offset_ms` is a multiple of its length since the epoch.
        label: Class name; "" of the labels that a query has together, `WEAK_LABELS` of those of them by
            themselves that were seen too weakly.
        detections: Boxes, summed over frames and sources.
        peak: Most of one label in one frame: the maximum over the base intervals and sources.
        objects: Unique objects, summed; None where any part was not measured.
        source: Slug of the source, where bars are by source; else None.
        tracked_detections: Boxes that lie in tracks; None where that is not known of any part.
        objects_from_start: Those of `objects` that were there as the footage began; None likewise.
    """

    start_ms: int
    label: str
    detections: int
    peak: int
    objects: int | None
    source: str | None = None
    tracked_detections: int | None = None
    objects_from_start: int | None = None


class CoverageBucket(NamedTuple):
    """Distinct frames analysed in `[start_ms, start_ms + interval)`, over the sources asked for.

    Attributes:
        start_ms: Start of the interval, as in `Bucket`.
        slowest_fps: The slowest rate at which any part was analysed, as `Coverage.analysed_fps`; None if that
            is None of any part: objects were not tracked there (or by a version that did not say so).
        source: Slug of the source, where bars are by source; else None.
        objects: Unique objects of all labels, summed; None where any part was not measured.
        covered_ms: How long there was footage, summed over the sources, as `Coverage.covered_ms`; None where
            that is not known of any part.
    """

    start_ms: int
    frames: int
    slowest_fps: float | None = None
    source: str | None = None
    objects: int | None = None
    covered_ms: int | None = None


class BlankBucket(NamedTuple):
    """Footage in `[start_ms, start_ms + interval)` that showed nothing for one reason, or was not looked at.

    Attributes:
        start_ms: Start of the interval, as in `Bucket`.
        reason: A `BlankReason`, or `NOT_LOOKED_AT`: its frames may show something, and are counted.
        frames: Distinct frames.
        covered_ms: How long they cover; 0 where objects are not tracked.
        source: Slug of the source, where bars are by source; else None.
    """

    start_ms: int
    reason: str
    frames: int
    covered_ms: int
    source: str | None = None


class WeekHour(NamedTuple):
    """All that was counted in one hour of the week, over the labels and the weeks asked for.

    Attributes:
        hour: 0 to 167, from Monday 00:00 on.
        frames: Distinct frames analysed.
        peak: Most of one label in one frame.
        objects: Unique objects; None where any part was not measured, seen or not.
        slowest_fps: As in `CoverageBucket`.
        tracked_detections: As in `Bucket`.
        covered_ms: As in `CoverageBucket`.
        least_objects: Where some labels were seen too weakly, the objects of the others; None: none were.
        source: Slug; None: the sources asked for together.
    """

    hour: int
    frames: int
    detections: int
    peak: int
    objects: int | None
    slowest_fps: float | None = None
    tracked_detections: int | None = None
    covered_ms: int | None = None
    least_objects: int | None = None
    source: str | None = None


class Histogram(NamedTuple):
    """An answer: its buckets by start, label and source. A start without coverage is a gap, not a zero.

    What shows nothing is in `blank` alone, by start, reason and source.
    """

    model: str
    base_interval_s: int
    buckets: Sequence[Bucket]
    coverage: Sequence[CoverageBucket]
    blank: Sequence[BlankBucket] = ()


class Series(NamedTuple):
    """One stored choice: a model counted with one base interval."""

    model: str
    base_interval_s: int


class CountedDay(NamedTuple):
    """A current run, as far as it tells which of several base intervals are up to date.

    Attributes:
        day_ms: When its UTC day begins.
        published: Greater than that of every run that was published before.
        footage_sha256: As `params` in `Run`.
        settings: `Run.settings` as JSON; empty where they were not recorded.
    """

    base_interval_s: int
    day_ms: int
    frames: int
    published: int
    footage_sha256: str = ""
    params: str = ""
    settings: str = ""


class CountQuery(NamedTuple):
    """A query of a count index: one model, one stored base interval, a range, sources and labels.

    Attributes:
        base_interval_s: Which stored interval is read.
        interval_s: Length of a bar, a multiple of the base interval; None: the base interval itself.
        sources: Slugs; empty means all.
        labels: Class names; empty means all.
        from_ms: First start of a base interval (inclusive); None: from the first on.
        to_ms: Start of the first base interval that is not read; None: to the last.
        offset_ms: Bars start where the time plus this is a multiple of their length (as local time is UTC
            plus its offset); a multiple of the base interval, of either sign.
        by_source: Whether each source has bars of its own.
        week_parts: The parts of the week of UTC that are read, whole base intervals; none: all of it.
        of_week: Whether bars are the hours of the week: `week_hours` sets it.
        apart: Labels with bars of their own; the other requested ones have theirs together, with the
            label "". None: all have bars of their own.
        weak_apart: Whether those of them whose objects are `too_weak` in a bar have theirs as `WEAK_LABELS`.
        measured_only: Whether only hours of a source are read in which objects were measured.
        most_bars: Most bars of the answer; with more there is none.
    """

    model: str
    base_interval_s: int
    interval_s: int | None = None
    sources: Sequence[str] = ()
    labels: Sequence[str] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    offset_ms: int = 0
    by_source: bool = False
    week_parts: WeekParts = ()
    of_week: bool = False
    apart: Sequence[str] | None = None
    weak_apart: bool = False
    measured_only: bool = False
    most_bars: int = MAX_BUCKETS

    @property
    def bar_s(self) -> int:
        """Length of a bar in seconds."""
        return self.base_interval_s if self.interval_s is None else self.interval_s


class SourceSummary(NamedTuple):
    """The indexed extent of one source: distinct frames and event time of its first and last interval.

    `blank_ms` is how much of its footage shows nothing, by reason.
    """

    source: str
    frames: int
    first_interval_ms: int
    next_interval_ms: int
    blank_ms: Mapping[str, int] = {}


class IndexedEvidence(NamedTuple):
    """An evidence frame, and its label and bar."""

    source: str
    label: str
    interval_start_ms: int
    evidence: Evidence


class CountIndex(Protocol):
    """The interface of every index adapter. All methods may raise `Retryable` (the index is unavailable).

    What reads, and finds that what it has read is not as it was written, raises `IndexDamaged`.
    Under a `time_limit` a query that takes longer is ended with `TookTooLong`.
    """

    url: str

    def part_names(self, run: Run) -> Collection[str]:
        """Return the names of the parts that a run of this model, interval and day can keep."""

    def publish(
        self,
        run: Run,
        counts: Iterable[IntervalCount],
        coverage: Iterable[Coverage],
        *,
        name_of: NameOf = no_name,
        kept_names: Collection[str] = (),
    ) -> bool:
        """Make `run` the current one of its model, params, interval and day: readers see the old or the new.

        Args:
            run: The run.
            counts: Its counts, without those of the parts that it keeps.
            coverage: Its coverage, likewise.
            name_of: The name of a part of these records.
            kept_names: Of the parts that it keeps; the index has them, see `part_names`.

        Returns:
            False, with nothing changed, if this run or a later one of the day is already current.

        Raises:
            PartsReplaced: The index does not have the parts that the run keeps.
            Poison: A record of another model, interval or day, one that comes twice, or one that is refused.
            Misconfigured: This user may not write.
        """

    def remove(self, run: Run) -> None:
        """Have no run of this run's model, interval and day.

        Raises:
            Misconfigured: This user may not write.
        """

    def remove_damaged(self) -> list[str]:
        """Remove damaged entries of runs, and entries that belong to no run.

        Returns:
            What was taken out, a line each.

        Raises:
            Misconfigured: This user may not write.
        """

    def differing_sources(
        self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
    ) -> list[str]:
        """Return the sources whose data of `run`, a current one, differs from that of `publish`, sorted."""

    def current_runs(self) -> list[Run]:
        """Return the runs that queries read, by model, interval and day."""

    def check(self) -> None:
        """Look whether the index answers and is whole, as far as a short look tells; not from memory.

        Raises:
            FrametallyError: It does not, or is not.
        """

    def one_moment(self) -> AbstractContextManager[None]:
        """Answer all that is asked in the block from one state of the index, by one transaction."""

    def version(self) -> str:
        """Return a text that every publication changes: data read under the same text is still valid."""

    def series(self) -> list[Series]:
        """Return the existing series: the newest published model first, in it the coarsest interval.

        The model of the demo's simulated town (`rules.places`) is the last one, so that no default shows it.
        Series of places (`rules.places`) are not models and not among them. A caller that knows
        them passes their names: `counted_days` says which base intervals they have.
        """

    def counted_days(self, model: str) -> list[CountedDay]:
        """Return the current runs of the model, in no order."""

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Return labels of the model with their detections, most first, then by name."""

    def sources(self, model: str, base_interval_s: int | None = None) -> list[SourceSummary]:
        """Return sources of the model, by name: of one base interval, or each of that with most frames."""

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label.

        Raises:
            Misconfigured: No such interval, offset or part of the week, too many names, or more bars than an
                answer holds.
        """

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Return counts per hour of the week of local time, those that were filmed, by hour and source.

        Raises:
            Misconfigured: A base interval that divides no hour, an offset or a part of the week that is
                not a multiple of it, or too many names.
        """

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label: by count (most first), then time, then path.

        Raises:
            Misconfigured: Too many names, or no such part of the week.
        """

    def close(self) -> None:
        """Release connections."""
