"""Answers with the data of charts."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from frametally.actions.answers import Answer
from frametally.records import with_numbers
from frametally.rules.blank_stretches import BlankReason
from frametally.rules.known import OF_TRACKS, Metric, Missing
from frametally_web.requests.answers import CountCheck, TimeRange


@with_numbers(OF_TRACKS)
class CountBucket(Answer, frozen=True, kw_only=False, gc=False, omit_defaults=True):
    """One label in one interval.

    Attributes:
        start_ms: Start of the interval.
        label: Class name; null for the labels that `top` merges.
        source: Slug if the request splits by source, otherwise null.
        detections: Boxes, summed over frames and sources.
        peak: Most boxes of one label in one frame: the maximum over the interval and the sources.
        mean_per_frame: `detections` / frames analysed in the interval; for several sources together, the mean
            of their values, all with the same weight; null if coverage does not show it.
        objects: Unique objects first seen in it; null if unknown. An object that moves further than its own
            size between frames is only counted from four boxes on; with fewer, it is in `fast_objects`.
        objects_missing: Why not; null if they are known.
        tracked_detections: How many of `detections` are in tracks; null if not recorded. For a second that
            was counted from frames, its share of the stored interval's.
        followed_objects: The followed objects among `too_weak` and `too_fast`.
        objects_from_start: How many of `objects`, or else of `measured_objects`, were there when the
            footage began: they did not arrive in the interval. Absent if unknown.
        measured_objects: The known part of objects that are known in part: those in measured footage, or, for
            several labels together, those of labels that are not `too_weak`, or, with `too_fast`, those that
            were followed. There are at least so many.
        fast_objects: Objects that were seen but too fast to follow. If they exceed a tenth of the followed
            ones, `objects` is null, and `objects_missing` is `too_fast`. Absent if none was seen, or if
            objects were not tracked.
        estimate: `objects` (or `detections`, for other metrics) without the errors of the model, as estimated
            by an accuracy check.
        low: Lower end of the interval of the true number; absent if no check covers the bucket.
        high: Upper end of that interval.
        check: ID of the check, which is in `checks`.
    """

    start_ms: int
    label: str | None
    source: str | None
    detections: int
    peak: int
    mean_per_frame: float | None
    objects: int | None
    objects_missing: Missing | None
    tracked_detections: int | None
    followed_objects: int | None = None
    objects_from_start: int | None = None
    measured_objects: int | None = None
    fast_objects: int | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    check: str | None = None


class FramesAnalysed(Answer, frozen=True, gc=False):
    """An interval with footage. An interval that is not listed has none.

    Attributes:
        start_ms: Start of the interval.
        end_ms: Its end, exclusive.
        source: Slug if the request splits by source, otherwise null.
        frames: Frames analysed.
        slowest_fps: Slowest rate at which any of it was analysed; null if objects were not tracked.
        objects_missing: Why objects of a label without a bucket are not known; null if there are 0.
        covered_s: Seconds with footage, summed over sources; null if not recorded.
        asked_s: Requested seconds of it, of each source.
        filmed_part: Share of `asked_s` of all sources with film in the range that was filmed, 0 to 1; null
            where that is not known, as of single pictures.
    """

    start_ms: int
    end_ms: int
    source: str | None
    frames: int
    slowest_fps: float | None
    objects_missing: Missing | None
    covered_s: float | None
    asked_s: float
    filmed_part: float | None


class Filmed(Answer, frozen=True, kw_only=True):
    """How much of a question was filmed: every share of an answer has this base.

    Attributes:
        source: Slug if the request splits by source, otherwise null.
        filmed_s: Seconds with footage that shows something, summed over sources; null if not recorded.
        asked_s: Requested seconds of each source.
        sources: Number of sources with video: the question covers `sources` times `asked_s`. Single
            pictures cover no time.
        part: Filmed share of that, 0 to 1; null if unknown.
    """

    source: str | None
    filmed_s: float | None
    asked_s: float
    sources: int
    part: float | None


class ShowsNothing(Answer, frozen=True, kw_only=True):
    """Footage of an interval that shows nothing for one reason: it is in no number.

    The other fields are those of `FramesAnalysed`; without an entry there, the whole interval shows nothing.

    Attributes:
        reason: The picture is black, or of one colour, or it is frozen: no new picture came for a minute.
        frames: Frames analysed that are left out.
        covered_s: Seconds that they cover, summed over sources; 0 of single pictures.
    """

    start_ms: int
    end_ms: int
    source: str | None
    reason: BlankReason
    frames: int
    covered_s: float


class NotWithin(Answer, frozen=True, kw_only=True):
    """An interval whose footage is analysed, but not counted within the zone of the question.

    Attributes:
        missing: The pictures have another shape than the drawing, the zone was not drawn for that time, or it
            is not counted yet.
    """

    start_ms: int
    end_ms: int
    source: str | None
    missing: Missing


class NothingShown(Answer, frozen=True, kw_only=True):
    """Footage of a whole range that shows nothing for one reason; the fields are those of `ShowsNothing`."""

    reason: BlankReason
    frames: int
    covered_s: float


class NotAnalysed(Answer, frozen=True, kw_only=True):
    """An interval without coverage that was filmed: it is not analysed yet, or never will be (dead letters).

    The fields are those of `FramesAnalysed`.
    """

    start_ms: int
    end_ms: int
    source: str | None


@with_numbers(OF_TRACKS)
class Total(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """One label over the whole answer; the fields are those of `CountBucket`.

    If no frame was counted, all numbers are null and `objects_missing` says why: `no_footage`, `not_analysed`
    `shows_nothing` or, within a zone, `other_size` or `not_drawn`.
    """

    label: str | None
    source: str | None
    detections: int | None
    peak: int | None
    mean_per_frame: float | None
    objects: int | None
    objects_missing: Missing | None
    tracked_detections: int | None
    followed_objects: int | None = None
    objects_from_start: int | None = None
    measured_objects: int | None = None
    fast_objects: int | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    check: str | None = None


class OfSources(Answer, frozen=True, kw_only=True):
    """The number of sources with a property in at least some of their footage, of all with footage."""

    sources: int
    of_sources: int


class FileTime(Answer, frozen=True, kw_only=True):
    """A range of a source whose event time is only a file's modification date."""

    source: str
    from_ms: int
    to_ms: int


class OverlappingMedia(Answer, frozen=True, kw_only=True):
    """A range of a source in which the medium `not_counted` does not count, as `counted` has that time.

    Each is a name, then in brackets the beginning of the sha256 that `frametally forget` takes.
    """

    source: str
    from_ms: int
    to_ms: int
    counted: str
    not_counted: str


class RecordedSettings(Answer, frozen=True, kw_only=True):
    """Settings that some of the days were counted with; `settings` is null if the run did not record them.

    `params` is their hash, and `words` are they on one line.
    """

    params: str
    settings: dict[str, Any] | None
    words: str


class Shift(Answer, frozen=True, kw_only=True):
    """From `from_ms` on, a moment is `earlier_ms` after its neighbour; if null, clocks never showed it."""

    from_ms: int
    earlier_ms: int | None


class OtherPeriod(Answer, frozen=True, kw_only=True):
    """A period that the answer can be compared with.

    Attributes:
        compare: How `compare` names it: `previous`, `day` or `week`.
        name: It in words.
        from_ms: Its start.
        to_ms: Its end, exclusive.
        shifts: Pairs of its moments and those of the answer, in order of time.
    """

    compare: Literal["previous", "day", "week"]
    name: str
    from_ms: int
    to_ms: int
    shifts: list[Shift]


class Counts(Answer, frozen=True, kw_only=True):
    """`/api/counts`.

    Attributes:
        model: The one model counted; null before there is any data.
        base_interval_s: The one interval that was read: a stored one, or 1 of seconds that were counted from
            frames; null without data.
        seconds_missing: Why a range that is short enough has no seconds: some of its footage shows nothing,
            and it is not stored in which seconds. Null if it has some, is too long, or cannot be read now.
        interval_s: Length of a bar in seconds; bars over an hour are of local time.
        timezone: IANA name of the zone of the bars.
        hours: The hours of each day that are counted; null means all day.
        weekdays: The days of the week that are counted, 1 is Monday; empty means every day.
        asked: The parts of the range that you asked for, in order; null means the whole range. Bars outside
            these parts are left out.
        metric: The metric that orders the labels; for `auto`, the chosen one.
        interval_choices_s: Sensible lengths for this range and these labels.
        from_ms: Start of the range, event time; the requested one, or that of the footage.
        to_ms: End of the range, exclusive; the requested one, or that of the footage.
        frames: Frames analysed, summed over intervals and sources.
        sources: The requested sources, or those of the model, by name.
        labels: The requested labels, or the detected ones, by descending metric.
        rest: The labels that `top` merges, in the same order.
        buckets: By start, then label. A label without a bucket counts 0 if there is coverage.
        coverage: By start. Without an entry, nothing was filmed there, unless `not_analysed` or
            `shows_nothing` has an entry.
        bars: All labels together, for each entry of `coverage`; empty if `buckets` has them (`top=0`).
        filmed: How much was filmed: one entry, or one for each source if the request splits by source.
        not_analysed: By start; null while the store cannot be read.
        shows_nothing: By start, reason and source: footage that is left out of all numbers.
        not_within: By start and source, with a `zone`: footage that is not counted within it.
        frames_not_looked_at: How many of `frames` frametally did not look at: they may show nothing.
        totals: In the order of `labels`, then the labels that `top` merges.
        rest_totals: The totals of each label of `rest`; empty if the request splits by source.
        together: All labels together: one entry, or one for each source if the request splits by source.
        file_times: Ranges whose time is only a file's date; null while the store cannot be read.
        overlaps: Overlaps of media, by source and time; null while the store cannot be read.
        overlaps_left_out: Number of further overlaps.
        objects_note: A sentence about footage whose unique objects are unknown; null if all are known.
        objects_measured_in: How many sources were measured, if not all footage was; otherwise null.
        counted_with: The settings of the days in the range, each once.
        comparisons: The periods that the range can be compared with.
        zone: Name of the zone of the picture that all is counted within; null means the whole picture.
        checks: The accuracy checks of this footage; absent if there are none.
    """

    model: str | None
    base_interval_s: int | None
    seconds_missing: Literal["shows_nothing", "not_within"] | None
    interval_s: int | None
    timezone: str
    hours: str | None
    weekdays: list[int]
    asked: list[TimeRange] | None
    metric: Metric
    interval_choices_s: list[int]
    from_ms: int | None
    to_ms: int | None
    frames: int
    sources: list[str]
    labels: list[str]
    rest: list[str]
    buckets: list[CountBucket]
    coverage: list[FramesAnalysed]
    bars: list[CountBucket]
    filmed: list[Filmed]
    not_analysed: list[NotAnalysed] | None
    shows_nothing: list[ShowsNothing]
    not_within: list[NotWithin]
    frames_not_looked_at: int
    totals: list[Total]
    rest_totals: list[Total]
    together: list[Total]
    file_times: list[FileTime] | None
    overlaps: list[OverlappingMedia] | None
    overlaps_left_out: int
    objects_note: str | None
    objects_measured_in: OfSources | None
    counted_with: list[RecordedSettings]
    comparisons: list[OtherPeriod]
    zone: str | None
    checks: list[CountCheck] | msgspec.UnsetType = msgspec.UNSET


class BusyInterval(Answer, frozen=True, kw_only=True):
    """One of the busiest intervals.

    Attributes:
        start_ms: Start of the interval.
        end_ms: Its end, exclusive.
        value: Value of the metric, labels and sources together.
        objects_from_start: Unique objects that were there when the footage began; they do not make an
            interval busy. Null for other metrics, and if unknown.
        is_least: Whether `value` is a minimum, because unique objects are known only in part.
        frames: Frames analysed.
        asked_s: As in `FramesAnalysed`.
        filmed_part: As in `FramesAnalysed`.
    """

    start_ms: int
    end_ms: int
    value: float
    objects_from_start: int | None
    is_least: bool
    frames: int
    asked_s: float
    filmed_part: float | None


class PeakFrame(Answer, frozen=True, kw_only=True):
    """The frame with most boxes of one label, and the interval that it is in."""

    label: str
    source: str
    count: int
    captured_at_ms: int
    start_ms: int
    end_ms: int
    image_path: str | None


class WeekBefore(Answer, frozen=True, kw_only=True):
    """The same stretch of local time, earlier by the fewest whole weeks without an overlap.

    Attributes:
        from_ms: Its beginning.
        to_ms: Its end, exclusive.
        value: Value of the metric in that stretch; null if unknown.
        value_same_hours: The same, only for intervals of a source that were filmed both times.
        now_same_hours: The value now in these intervals.
        change: `now_same_hours` / `value_same_hours` - 1; null if one is unknown, or there was nothing then.
        same_hours: `intervals` / `of_intervals`, 0 to 1.
        intervals: Intervals of one source each that were filmed both times.
        of_intervals: Intervals of one source each that were filmed now.
        compared_in: How many of the sources that filmed now have such intervals.
    """

    from_ms: int
    to_ms: int
    value: float | None
    value_same_hours: float | None
    now_same_hours: float | None
    change: float | None
    same_hours: float
    intervals: int
    of_intervals: int
    compared_in: OfSources


class FramesPerBar(Answer, frozen=True, kw_only=True):
    """The fewest and the most frames of an interval with footage, without those that the range cuts."""

    least: int
    most: int


class Summary(Answer, frozen=True, kw_only=True):
    """`/api/summary`: the totals of a chart, labels and sources together.

    Attributes:
        model: The one model counted; null before there is any data.
        base_interval_s: The one stored interval that was read; null without data.
        interval_s: Length of a bar in seconds.
        timezone: IANA name of the zone of the bars.
        metric: The metric of `value`; for `auto`, the chosen one.
        from_ms: Start of the range, event time; the requested one, or that of the footage.
        to_ms: End of the range, exclusive; the requested one, or that of the footage.
        asked_s: Seconds in the chosen hours and weekdays, from the first to the last.
        frames: Frames analysed.
        filmed: How much was filmed.
        filmed_s: Seconds with footage that shows something, summed over sources; null if not recorded.
        shows_nothing: The rest of the footage, by reason.
        filmed_in: Number of sources with video, which covers time; the others have single pictures.
        sources: The requested sources, or those of the model, by name.
        total: All labels together, `label` null.
        objects_measured_in: As in `Counts`.
        busiest: At most ten intervals, most of the metric first (of unique objects, without those that were
            there when the footage began); of equal ones the earlier first.
        peak: Null if nothing was found.
        week_before: Null if nothing was filmed then.
        frames_per_bar: Null if the range does not have a whole interval with footage.
        checks: As in `Counts`.
    """

    model: str | None
    base_interval_s: int | None
    interval_s: int | None
    timezone: str
    metric: Metric
    from_ms: int | None
    to_ms: int | None
    asked_s: float
    frames: int
    filmed: Filmed
    filmed_s: float | None
    shows_nothing: list[NothingShown]
    filmed_in: OfSources
    sources: list[str]
    total: Total
    objects_measured_in: OfSources | None
    busiest: list[BusyInterval]
    peak: PeakFrame | None
    week_before: WeekBefore | None
    frames_per_bar: FramesPerBar | None
    checks: list[CountCheck] | msgspec.UnsetType = msgspec.UNSET


class WeekCell(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """One hour of the week that was filmed: `weekday` 1 is Monday, `hour` is 0 to 23 of local time.

    The other fields are those of `CountBucket`.
    """

    weekday: int
    hour: int
    frames: int
    detections: int
    mean_per_frame: float | None
    peak: int
    objects: int | None
    objects_missing: Missing | None
    tracked_detections: int | None
    followed_objects: int | None = None
    measured_objects: int | None = None
    covered_s: float | None


class WeekHourNotAnalysed(Answer, frozen=True, kw_only=True):
    """An hour of the week without a cell that was filmed; see `NotAnalysed`, `ShowsNothing`, `NotWithin`."""

    weekday: int
    hour: int


class Heatmap(Answer, frozen=True, kw_only=True):
    """`/api/heatmap`: cells by weekday, then hour; labels and sources together.

    `hours` and `weekdays` are those of `Counts`: hours outside them have no cell. Hours of which all footage
    shows nothing are in `shows_nothing`, and those that are not counted within the zone in `not_within`.
    """

    model: str | None
    base_interval_s: int | None
    timezone: str
    hours: str | None
    weekdays: list[int]
    from_ms: int | None
    to_ms: int | None
    frames: int
    cells: list[WeekCell]
    not_analysed: list[WeekHourNotAnalysed] | None
    shows_nothing: list[WeekHourNotAnalysed]
    not_within: list[WeekHourNotAnalysed]
