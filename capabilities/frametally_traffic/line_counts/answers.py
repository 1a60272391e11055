"""Answers about lines, zones and movements."""

from __future__ import annotations

from typing import Literal

import msgspec

from frametally.actions.answers import Answer
from frametally.rules.known import Missing
from frametally_traffic.flows.day_columns import NoMovement
from frametally_traffic.geometry.crossings import CrossingMissing, Direction
from frametally_traffic.geometry.speed import NotMeasured
from frametally_traffic.records import Side
from frametally_web.charts.answers import NotAnalysed
from frametally_web.requests.answers import CountCheck

Outcome = Literal["assigned"] | NoMovement
"""Outcome of a visit: with a movement, or without."""

SpeedMissing = NotMeasured | Literal["no_calibration"]
"""Why a visit's speed is unknown; `no_calibration`: the source has no calibration."""

MovementsMissing = Missing | Literal["no_legs"]
"""Why the books of visits are unknown; `no_legs`: no line is a leg on any day of the range."""


class FlowBar(Answer, frozen=True, kw_only=True, gc=False):
    """An interval with footage. Intervals without footage are not listed.

    Attributes:
        frames: Frames analysed that show something.
        covered_ms: Milliseconds of footage that shows something; null if not recorded.
        is_measured: Whether objects of any label were followed in it; where not, they are not counted.
        missing: Why they were not measured; null if they were.
    """

    start_ms: int
    end_ms: int
    frames: int
    covered_ms: int | None
    is_measured: bool
    missing: Missing | None


class UnknownLabel(Answer, frozen=True, kw_only=True, gc=False):
    """A label whose objects were not followed in a bar: of it, this answer knows no number there.

    Attributes:
        missing: Why not.
    """

    start_ms: int
    label: str
    missing: Missing


class OfOneSource(Answer, frozen=True, kw_only=True):
    """The common fields of answers about lines and zones.

    Attributes:
        model: Model of the detections; null before there is any data.
        source: Slug.
        timezone: IANA name of the zone of the bars.
        base_interval_s: The stored interval whose tracks were read, or 1 of a short range that is read by the
            second; null if there is nothing to read.
        interval_s: Length of a bar in seconds; null if there is nothing to read.
        interval_choices_s: Sensible lengths for this range.
        from_ms: Start of the range; null if there is nothing to read.
        to_ms: Its end, exclusive; null if there is nothing to read.
        bars: By start.
        unknown: By start, then label: bars with boxes of a label that could not be followed.
        not_analysed: Footage that is not counted; null if the store is away.
        revision: Revision of the drawing; 0 if nothing was ever drawn.
        days: UTC days of the range with footage.
        days_counted: Days counted so far. If it is lower than `days`, ask again: counting continues.
        note: One sentence about parts that could not be counted; null if all were.
    """

    model: str | None
    source: str
    timezone: str
    base_interval_s: int | None
    interval_s: int | None
    interval_choices_s: list[int]
    from_ms: int | None
    to_ms: int | None
    bars: list[FlowBar]
    unknown: list[UnknownLabel]
    not_analysed: list[NotAnalysed] | None
    revision: int
    days: int
    days_counted: int
    note: str | None


class CountedLine(Answer, frozen=True, kw_only=True):
    """A line that holds in some of the range.

    Attributes:
        to_right: Name of a crossing from the left hand to the right hand of a person who walks along it.
        to_left: Name of a crossing the other way.
        inward: For a leg, the direction into the junction; null if it is not a leg.
        side: For a leg, its side of the junction, as on a map; null if not set.
        points: In order, in pixels of the picture under the drawing.
        width_px: Width of that picture.
        height_px: Its height.
        from_ms: Event time from which it is valid; null means no limit.
        to_ms: Event time at which it ends, exclusive; null means no limit.
    """

    name: str
    to_right: str
    to_left: str
    inward: Direction | None
    side: Side | None
    points: list[tuple[float, float]]
    width_px: int
    height_px: int
    from_ms: int | None
    to_ms: int | None


class CrossingBucket(Answer, frozen=True, kw_only=True, gc=False):
    """Crossings of one line by one label in one interval.

    Attributes:
        line: Name of the line.
        to_right: Crossings in that direction; null if not known.
        to_left: Crossings in that direction; null if not known.
        not_measured: Crossings that cannot be counted in a direction, paths that end short of the line among
            them; null if the crossings are not known, and none of these was seen.
        missing: Why `to_right` and `to_left` are not known; null if they are known.
        at_least: If they are not known, the crossings in both directions that were still seen; null if
            there are none.
    """

    start_ms: int
    line: str
    label: str
    to_right: int | None
    to_left: int | None
    not_measured: int | None
    missing: Missing | None
    at_least: int | None


class CrossingReason(Answer, frozen=True, kw_only=True):
    """Why crossings are not measured, and of how many that is so."""

    reason: CrossingMissing
    count: int


class CrossingTotal(Answer, frozen=True, kw_only=True):
    """Crossings of one line by one label over the whole answer; other fields are those of `CrossingBucket`.

    Attributes:
        gross: All measured crossings: there and back are two; null if not known.
        net: Crossings to the right minus those to the left: there and back are zero; null if not known.
        reasons: Why the others are not measured.
        untracked: Boxes of the label in the range that are in no track, anywhere in the picture, also at its
            border: what they show may have crossed unseen, or not. Null if not recorded.
    """

    line: str
    label: str
    to_right: int | None
    to_left: int | None
    gross: int | None
    net: int | None
    not_measured: int | None
    missing: Missing | None
    at_least: int | None
    reasons: list[CrossingReason]
    untracked: int | None


class CrossingInterval(Answer, frozen=True, kw_only=True, gc=False):
    """Where the true number of crossings is, by an accuracy check.

    Attributes:
        start_ms: Start of the bar; null means the whole range.
        line: Name of the line.
        label: Class name; null means all labels that crossed the line in the range.
        direction: To which side.
        low: Where the interval of the true number begins.
        high: Where it ends.
        estimate: The number without the errors of the model.
        check: Id of the check, one of `checks`.
    """

    start_ms: int | None
    line: str
    label: str | None
    direction: Direction
    low: float
    high: float
    estimate: float
    check: str


class LineCrossings(OfOneSource, frozen=True, kw_only=True):
    """`/api/crossings`; see `OfOneSource`.

    Attributes:
        lines: Lines valid in some of the range, by name.
        crossings: By start, line, label. A bar without an entry has zero, unless it is `unknown`, shows
            nothing or the line is not valid in it; a line that does not fit the pictures has an entry for
            each label.
        totals: By line, then label.
        intervals: Of bars, and of the range by label, where an accuracy check covers them; absent: nowhere.
        checks: The accuracy checks of these lines and this footage; absent if there are none.
    """

    lines: list[CountedLine]
    crossings: list[CrossingBucket]
    totals: list[CrossingTotal]
    intervals: list[CrossingInterval] | msgspec.UnsetType = msgspec.UNSET
    checks: list[CountCheck] | msgspec.UnsetType = msgspec.UNSET


class StaysSeen(Answer, frozen=True, kw_only=True):
    """The known part of the stays in a zone; the fields are those of `CountedZone`."""

    stays: int
    appeared: int
    vanished: int


class CountedZone(Answer, frozen=True, kw_only=True):
    """A zone that holds in some of the range; other fields are those of `CountedLine`.

    Attributes:
        stays: Stays that ended in the range and whose both ends are known: entered, and left.
        appeared: Tracks that began within the zone, so that the length of their stay is unknown,
            and strong boxes in no track.
        vanished: Tracks that ended within it, so that the length of their stay is unknown.
        median_s: Seconds that half of the stays do not exceed; null without stays.
        p90_s: Seconds that 90 % of the stays do not exceed; null without stays.
        missing: Why all of these are null; null if they are known.
        at_least: If they are not known, what was still seen of them; null if that is nothing.
    """

    name: str
    points: list[tuple[float, float]]
    width_px: int
    height_px: int
    from_ms: int | None
    to_ms: int | None
    stays: int | None
    appeared: int | None
    vanished: int | None
    median_s: float | None
    p90_s: float | None
    missing: Missing | None
    at_least: StaysSeen | None


class ZoneEvents(Answer, frozen=True, kw_only=True, gc=False):
    """The known part of the numbers of an interval; the fields are those of `ZoneBucket`."""

    at_start: int
    entered: int
    appeared: int
    from_start: int
    left: int
    vanished: int
    to_end: int
    at_end: int
    peak: int


class ZoneBucket(Answer, frozen=True, kw_only=True, gc=False):
    """The events of one label in one zone in one interval.

    `at_start + entered + appeared + from_start - left - vanished - to_end = at_end`, the `at_start` of the
    next interval.

    Attributes:
        zone: Name of the zone.
        at_start: Objects in the zone just before the interval.
        entered: Objects that came over the rim, or from the picture's border.
        appeared: Objects first seen within the zone, in a track or as a strong box in no track.
        from_start: Objects that were there when the footage began.
        left: Objects that left over the rim, or to the picture's border.
        vanished: Objects last seen within the zone.
        to_end: Objects that were there when the footage ended.
        at_end: Objects in the zone just before the end of the interval.
        mean: Mean number of objects while there was footage; null if not recorded.
        peak: Most objects at once.
        missing: Why all of these are null; null if they are known.
        at_least: If they are not known, what was still seen of them; null if that is nothing.
    """

    start_ms: int
    zone: str
    label: str
    at_start: int | None
    entered: int | None
    appeared: int | None
    from_start: int | None
    left: int | None
    vanished: int | None
    to_end: int | None
    at_end: int | None
    mean: float | None
    peak: int | None
    missing: Missing | None
    at_least: ZoneEvents | None


class ZoneStays(OfOneSource, frozen=True, kw_only=True):
    """`/api/zones`; see `OfOneSource`.

    Attributes:
        zones: Zones valid in some of the range, by name.
        stays: As `LineCrossings.crossings`: a bar without an entry had no one in the zone.
    """

    zones: list[CountedZone]
    stays: list[ZoneBucket]


class MovementBucket(Answer, frozen=True, kw_only=True, gc=False):
    """Visits of one label that came over one leg and went over another, in the interval in which they came.

    Attributes:
        from_leg: Name of the line that they came over.
        to_leg: Name of the line that they went over.
        visits: How many; null if they are not known.
        missing: Why not.
        at_least: If they are not known, the visits that were still seen; null if there are none.
    """

    start_ms: int
    from_leg: str
    to_leg: str
    label: str
    visits: int | None
    missing: Missing | None
    at_least: int | None


class VisitsSeen(Answer, frozen=True, kw_only=True):
    """The known part of the visits; the fields are those of `VisitBooks`."""

    visits: int
    assigned: int
    unassigned: int
    never_at_a_leg: int


class VisitBooks(Answer, frozen=True, kw_only=True):
    """The books of the visits: `assigned + unassigned + never_at_a_leg = visits`.

    Attributes:
        visits: All visits, on days that have legs.
        assigned: Visits with a movement.
        unassigned: Visits that crossed a leg and have no movement.
        never_at_a_leg: Visits that crossed no leg.
        missing: Why all of these are null; null if they are known.
        at_least: If they are not known, what was still seen of them; null if that is nothing.
    """

    visits: int | None
    assigned: int | None
    unassigned: int | None
    never_at_a_leg: int | None
    missing: MovementsMissing | None
    at_least: VisitsSeen | None


class JunctionMovements(OfOneSource, frozen=True, kw_only=True):
    """`/api/movements`; see `OfOneSource`.

    Attributes:
        legs: Lines that are legs and hold in some of the range, by name.
        movements: By start, then leg.
        books: The books of all visits.
    """

    legs: list[CountedLine]
    movements: list[MovementBucket]
    books: VisitBooks


class SpeedReason(Answer, frozen=True, kw_only=True):
    """Why speeds are not known, and of how many visits that is so."""

    reason: SpeedMissing
    count: int


class SpeedBin(Answer, frozen=True, kw_only=True, gc=False):
    """Visits whose speed is from `km_h` to less than 1 km/h above.

    Attributes:
        km_h: Where the bin begins.
        visits: Number of visits.
    """

    km_h: int
    visits: int


class LabelSpeeds(Answer, frozen=True, kw_only=True):
    """How fast visits of one label were.

    Attributes:
        label: Class name; null means all labels together.
        measured: Visits whose speed is known.
        median_km_h: The speed that half of them do not exceed; null without measured visits.
        p85_km_h: The speed that 85 % of them do not exceed; null without measured visits.
        error_km_h: Standard error of a single speed, as root mean square; null without
            measured visits.
        not_measured: Why the speed of others is unknown.
        histogram: By speed; bins without a visit are left out.
    """

    label: str | None
    measured: int
    median_km_h: float | None
    p85_km_h: float | None
    error_km_h: float | None
    not_measured: list[SpeedReason]
    histogram: list[SpeedBin]


class VisitSpeeds(OfOneSource, frozen=True, kw_only=True):
    """`/api/speeds`; see `OfOneSource`.

    Attributes:
        is_calibrated: Whether a calibration holds in some of the range.
        speeds: All labels together first, then by label; empty if nothing was visited.
    """

    is_calibrated: bool
    speeds: list[LabelSpeeds]
