"""The count index port: what the dashboard queries.

A query reads exactly one model and one stored base interval, and never sums over several.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from frametally.errors import FrametallyError, Retryable
from frametally.records import Coverage, Evidence, IntervalCount, Run, with_numbers
from frametally.rules.known import OF_TRACKS, Missing
from frametally.rules.times import DAY_S, HOUR_MS
from frametally.rules.week_parts import WeekParts

AGES_S = 146_097 * DAY_S
"""Seconds in 400 years, for a single bar over all times."""
MAX_BUCKETS = 200_000
"""The maximum number of bars in an answer."""
NOT_LOOKED_AT = "not_looked_at"
"""Marks footage analysed before frametally measured pictures: it is not known whether it shows anything."""
NO_LABEL = ("",)
"""Labels of a query for coverage alone."""
WEAK_LABELS, FAST_LABELS = "\0", "\1"
"""Stand for the labels whose objects are `too_weak` or `too_fast`; no label has these names."""
PARTIAL_LABELS: Mapping[str, Missing] = {WEAK_LABELS: "too_weak", FAST_LABELS: "too_fast"}
"""Why the objects of the labels that these names stand for are known in part."""


REPAIR = "frametally index --repair"
"""The command that repairs an index that is damaged or differs from its store."""


class IndexDamaged(FrametallyError):
    """The contents of the index do not match its checksums, so it does not answer from them."""

    def __init__(self, damage: str) -> None:
        super().__init__(f"the count index is damaged: {damage}", f"run `{REPAIR}`")


class PartsReplaced(Retryable):
    """The index no longer has parts that a run keeps: publish the run with all its records."""


class DayPart(NamedTuple):
    """A source and an hour, in hours since the epoch."""

    source: str
    hour: int


NameOf = Callable[[DayPart], str]
"""Returns the name of a part, 16 hex digits, or "" if it has none; equal names mean equal records."""


def no_name(part: DayPart) -> str:
    """Return "": the part has no name."""
    del part
    return ""


def part_at(source: str, start_ms: int) -> DayPart:
    """Return the part of a base interval."""
    return DayPart(source, start_ms // HOUR_MS)


@with_numbers(OF_TRACKS)
class Bucket(NamedTuple):
    """One bar: a label's counts in `[start_ms, start_ms + interval)`, over the requested sources.

    Attributes:
        start_ms: Start of the interval: `start_ms + offset_ms` is a multiple of its length since the epoch.
        label: Class name; "" for the labels that a query combines, `WEAK_LABELS` and `FAST_LABELS` for those
            of them, combined separately, whose objects are not all known.
        detections: Boxes, summed over frames and sources.
        peak: Most of one label in one frame: the maximum over the base intervals and sources.
        objects: Unique objects, summed; None if some part was not measured.
        source: Slug of the source if bars are by source, else None.
        tracked_detections: Boxes in tracks; None if unknown for some part.
        objects_from_start: How many of `objects` were there when the footage began; None as above.
        fast_objects: Objects that were too fast to follow, which `objects` lacks; None as above.
    """

    start_ms: int
    label: str
    detections: int
    peak: int
    objects: int | None
    source: str | None = None
    tracked_detections: int | None = None
    objects_from_start: int | None = None
    fast_objects: int | None = None


class CoverageBucket(NamedTuple):
    """Distinct frames analysed in `[start_ms, start_ms + interval)`, over the requested sources.

    Attributes:
        start_ms: Start of the interval, as in `Bucket`.
        slowest_fps: The slowest rate at which any part was analysed, as `Coverage.analysed_fps`; None if the
            rate of some part is unknown: objects were not tracked.
        source: Slug of the source if bars are by source, else None.
        objects: Unique objects of all labels, summed; None if some part was not measured.
        covered_ms: How long there was footage, summed over the sources, as `Coverage.covered_ms`; None if
            unknown for some part.
    """

    start_ms: int
    frames: int
    slowest_fps: float | None = None
    source: str | None = None
    objects: int | None = None
    covered_ms: int | None = None


class BlankBucket(NamedTuple):
    """Footage in `[start_ms, start_ms + interval)` that showed nothing for one reason, or was not checked.

    Attributes:
        start_ms: Start of the interval, as in `Bucket`.
        reason: A `BlankReason`, or `NOT_LOOKED_AT`: its frames may show something, and are counted.
        frames: Distinct frames.
        covered_ms: How long they cover; 0 if objects are not tracked.
        source: Slug of the source if bars are by source, else None.
    """

    start_ms: int
    reason: str
    frames: int
    covered_ms: int
    source: str | None = None


class WeekHour(NamedTuple):
    """Everything counted in one hour of the week, over the requested labels and weeks.

    Attributes:
        hour: 0 to 167, starting on Monday at 00:00.
        frames: Distinct frames analysed.
        peak: Most of one label in one frame.
        objects: Unique objects; None if some part was not measured, with or without detections.
        slowest_fps: As in `CoverageBucket`.
        tracked_detections: As in `Bucket`.
        covered_ms: As in `CoverageBucket`.
        least_objects: The sum of the labels whose objects are known, at least in part; None without any.
        source: Slug, or None for the requested sources together.
        objects_missing: Why that is not all, else None.
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
    objects_missing: Missing | None = None


class Histogram(NamedTuple):
    """An answer: its buckets by start, label and source. A start without coverage is a gap, not a zero.

    Footage that shows nothing is in `blank` alone, by start, reason and source. `not_within`
    has the intervals without footage in a zone where the whole picture has some, each with a `Missing`.
    """

    model: str
    base_interval_s: int
    buckets: Sequence[Bucket]
    coverage: Sequence[CoverageBucket]
    blank: Sequence[BlankBucket] = ()
    not_within: Sequence[BlankBucket] = ()


class Series(NamedTuple):
    """A stored combination: a model counted with one base interval."""

    model: str
    base_interval_s: int


class CountedDay(NamedTuple):
    """The fields of a current run that show which of several base intervals are up to date.

    Attributes:
        day_ms: Start of its UTC day.
        published: Greater than that of every run published earlier.
        footage_sha256: As in `Run`, like `params`.
        settings: `Run.settings` as JSON; empty if not recorded.
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
        base_interval_s: The stored interval to read.
        interval_s: Length of a bar, a multiple of the base interval; None means the base interval itself.
        sources: Slugs; empty means all.
        labels: Class names; empty means all.
        from_ms: Start of the first base interval to read; None means the first there is.
        to_ms: Start of the first base interval not to read; None means no end.
        offset_ms: Bars start where the time plus this is a multiple of their length (local time is UTC plus
            its offset); a multiple of the base interval, of either sign.
        by_source: Whether each source has separate bars.
        week_parts: The parts of the UTC week to read, in whole base intervals; empty means all of it.
        of_week: Whether bars are the hours of the week: `week_hours` sets it.
        apart: Labels with separate bars; the other requested labels share bars with the label "". None means
            that all have separate bars.
        partial_apart: Whether those of the latter that are `too_weak` in a bar share one labelled
            `WEAK_LABELS`, and those that are `too_fast` one labelled `FAST_LABELS`.
        measured_only: Whether to read only a source's hours in which objects were measured.
        most_bars: The maximum number of bars; a longer answer is refused.
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
    partial_apart: bool = False
    measured_only: bool = False
    most_bars: int = MAX_BUCKETS

    @property
    def bar_s(self) -> int:
        """The length of a bar in seconds."""
        return self.base_interval_s if self.interval_s is None else self.interval_s


class SourceSummary(NamedTuple):
    """The indexed extent of one source: distinct frames, and event times of its first and last intervals.

    `blank_ms` is how much of its footage shows nothing, by reason, and `blank_share` the largest share of a
    UTC day's frames that does.
    """

    source: str
    frames: int
    first_interval_ms: int
    next_interval_ms: int
    blank_ms: Mapping[str, int] = {}
    blank_share: float = 0.0


class IndexedEvidence(NamedTuple):
    """An evidence frame with its label and bar."""

    source: str
    label: str
    interval_start_ms: int
    evidence: Evidence


class CountIndex(Protocol):
    """The interface of every index adapter. All methods may raise `Retryable` (the index is unavailable).

    Methods that read raise `IndexDamaged` if the data is not as it was written, and `TookTooLong` if a query
    exceeds a `time_limit`.
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
            counts: Its counts, except those of the parts that it keeps.
            coverage: Its coverage, except that of the parts that it keeps.
            name_of: Returns the name of a part of these records.
            kept_names: Names of the parts that it keeps; the index has them, see `part_names`.

        Returns:
            False, with nothing changed, if this run or a later one of the day is already current.

        Raises:
            PartsReplaced: The index does not have the parts that the run keeps.
            Poison: A record is of another model, interval or day, is a duplicate, or is refused.
            Misconfigured: This user may not write.
        """

    def remove(self, run: Run) -> None:
        """Remove the current run of this run's model, interval and day, if there is one.

        Raises:
            Misconfigured: This user may not write.
        """

    def remove_damaged(self) -> list[str]:
        """Remove damaged entries of runs, and entries that belong to no run.

        Returns:
            What was removed, a line each.

        Raises:
            Misconfigured: This user may not write.
        """

    def differing_sources(
        self, run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]
    ) -> list[str]:
        """Return the sources whose data in the current run `run` differs from these records, sorted."""

    def current_runs(self) -> list[Run]:
        """Return the runs that queries read, by model, interval and day."""

    def check(self) -> None:
        """Check quickly, and not from memory, that the index answers and seems whole.

        Raises:
            FrametallyError: It does not answer, or is damaged.
        """

    def one_moment(self) -> AbstractContextManager[None]:
        """Answer all queries in the block from one state of the index, by one transaction."""

    def version(self) -> str:
        """Return a text that every publication changes: data read under the same text is still valid."""

    def series(self) -> list[Series]:
        """Return the stored series: the newest published model first, and its coarsest interval first.

        The model of the demo's simulated town (`rules.places`) comes last, so that no default shows it.
        Series of places (`rules.places`) are not models and not included; a caller that knows their names
        gets their base intervals from `counted_days`.
        """

    def counted_days(self, model: str) -> list[CountedDay]:
        """Return the current runs of the model, in any order."""

    def labels(self, model: str) -> list[tuple[str, int]]:
        """Return labels of the model with their detections, most first, then by name."""

    def sources(self, model: str, base_interval_s: int | None = None) -> list[SourceSummary]:
        """Return the model's sources by name; without a base interval, each from the one with most frames."""

    def histogram(self, query: CountQuery) -> Histogram:
        """Return counts per interval and label.

        Raises:
            Misconfigured: No such interval, offset or part of the week, or too many names or bars.
        """

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        """Return counts per hour of the week in local time, for hours with footage, by hour and source.

        Raises:
            Misconfigured: The base interval does not divide an hour, an offset or a part of the week is not a
                multiple of it, or there are too many names.
        """

    def evidence(self, query: CountQuery, *, limit_per_label: int = 1) -> list[IndexedEvidence]:
        """Return the busiest evidence frames per label: by count (most first), then time, then path.

        Raises:
            Misconfigured: There are too many names, or there is no such part of the week.
        """

    def close(self) -> None:
        """Release connections."""
