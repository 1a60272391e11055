"""Finds how much of each quarter-hour of a traffic report was seen, and which classes could be followed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from frametally.keys import utc_day
from frametally.ports.count_index import NOT_LOOKED_AT, Histogram
from frametally.rules.known import Basis, Missing, sum_or_unknown, why_unknown
from frametally.rules.times import HOUR_MS
from frametally_traffic.flows.day_columns import FlowColumns

QUARTER_MS = HOUR_MS // 4
IN_HOUR = 4

WHOLE = 0.99
"""A quarter seen to this share counts as whole, because cameras lose a moment between two files."""


class SeenPart(NamedTuple):
    """The coverage of a part of a quarter-hour that was filmed and analysed.

    `covered_ms` of footage is 0 if unknown; `missing`: why objects were not followed in it.
    """

    start_ms: int
    covered_ms: int
    missing: Missing | None = None


class Quarter(NamedTuple):
    """A quarter-hour, which starts at a multiple of 15 minutes.

    Objects were followed in `seen_ms` of it. `missing` is the reason for missing data, or None.
    """

    start_ms: int
    seen_ms: int
    missing: Missing | None = None

    @property
    def seen_share(self) -> float:
        """Share of it that was seen, 0 to 1."""
        return self.seen_ms / QUARTER_MS

    @property
    def is_whole(self) -> bool:
        """Whether it counts as a whole quarter-hour."""
        return self.missing is None and self.seen_share >= WHOLE


def seen_parts(
    histogram: Histogram, length_ms: int, flows: Iterable[FlowColumns], legs: Collection[str]
) -> list[SeenPart]:
    """Return the parts of a source's footage, each `length_ms` long, and why objects were not followed there.

    A day without `flows` is unknown, not 0, whatever the index has; so are parts where one of the `legs` does
    not fit the pictures.
    """
    days = [*flows]
    counted_days = {utc_day(day.day_start_ms) for day in days}
    unfit = [
        (from_ms, to_ms)
        for day in days
        for kind, name, from_ms, to_ms in day.unfit
        if kind == "line" and name in legs
    ]
    parts = []
    for bucket in histogram.coverage:
        start_ms, end_ms = bucket.start_ms, bucket.start_ms + length_ms
        is_other_size = any(from_ms < end_ms and to_ms > start_ms for from_ms, to_ms in unfit)
        basis = Basis(bucket.objects, slowest_fps=bucket.slowest_fps, is_other_size=is_other_size)
        is_counted = utc_day(start_ms) in counted_days
        missing: Missing | None = why_unknown("passages", basis) if is_counted else "not_analysed"
        parts.append(SeenPart(start_ms, bucket.covered_ms or 0, missing))
    blank = [bucket.start_ms for bucket in histogram.blank if bucket.reason != NOT_LOOKED_AT]
    return parts + [SeenPart(start_ms, 0, "shows_nothing") for start_ms in blank]


def quarters_between(
    from_ms: int, to_ms: int, parts: Iterable[SeenPart], not_analysed: Iterable[tuple[int, int]] = ()
) -> tuple[Quarter, ...]:
    """Return every quarter that `[from_ms, to_ms)` touches, in order.

    Quarters are elapsed time: the autumn hour that occurs twice has eight. `parts`: parts of quarters, none
    across two of them. `not_analysed`: event times `[from, to)` that were filmed but not counted.
    """
    seen_ms: dict[int, int] = {}
    reasons: dict[int, Missing] = {}
    for part in parts:
        start_ms = quarter_of(part.start_ms)
        if part.missing is not None:
            reasons.setdefault(start_ms, part.missing)
        else:
            reasons.setdefault(start_ms, "too_few")  # applies if no part has a known duration
            seen_ms[start_ms] = seen_ms.get(start_ms, 0) + part.covered_ms
    waiting_starts = {start_ms for span in not_analysed for start_ms in quarter_starts(*span)}
    quarters = []
    for start_ms in quarter_starts(from_ms, to_ms):
        missing: Missing | None = None
        if not seen_ms.get(start_ms):
            no_frames = Basis(frames=0, is_waiting=start_ms in waiting_starts)
            missing = reasons.get(start_ms) or why_unknown("passages", no_frames)
        quarters.append(Quarter(start_ms, min(seen_ms.get(start_ms, 0), QUARTER_MS), missing))
    return tuple(quarters)


def quarter_of(time_ms: int) -> int:
    """Return the start of a time's quarter-hour."""
    return time_ms - time_ms % QUARTER_MS


def quarter_starts(from_ms: int, to_ms: int) -> range:
    """Return the starts of the quarters that `[from_ms, to_ms)` touches."""
    return range(quarter_of(from_ms), to_ms, QUARTER_MS)


def whole_hours(quarters: Sequence[Quarter]) -> Iterator[tuple[Quarter, ...]]:
    """Yield all hours of four consecutive whole quarters; they may begin at any quarter."""
    for index in range(len(quarters) - IN_HOUR + 1):
        hour = tuple(quarters[index : index + IN_HOUR])
        if all(quarter.is_whole for quarter in hour):
            yield hour


class SeenBoxes(NamedTuple):
    """Boxes of a label in a quarter-hour; `tracked`: those in tracks, or None if not recorded."""

    start_ms: int
    label: str
    detections: int
    tracked: int | None


def unknown_groups(boxes: Iterable[SeenBoxes], name_of: Mapping[str, str]) -> dict[tuple[int, str], Missing]:
    """Return why objects of a group were not followed, by start of the quarter and name of the group.

    `name_of`: the group of each label; a label without one is its own group.
    """
    sums: dict[tuple[int, str], tuple[int, int | None]] = {}
    for start_ms, label, detections, tracked in boxes:
        key = start_ms, name_of.get(label, label)
        detections_before, tracked_before = sums.get(key, (0, 0))
        sums[key] = detections_before + detections, sum_or_unknown(tracked_before, tracked)
    return {
        key: missing
        for key, (detections, tracked) in sums.items()
        if (missing := why_unknown("passages", Basis(0, detections, tracked))) is not None
    }


def without_unknown(
    quarters: Iterable[Quarter],
    boxes: Iterable[SeenBoxes],
    name_of: Mapping[str, str],
    unknown: Mapping[tuple[int, str], Missing],
) -> Iterator[Quarter]:
    """Yield the quarters; one in which none of the groups seen could be followed has no data."""
    names_by_start: dict[int, set[str]] = {}
    for start_ms, label, *_ in boxes:
        names_by_start.setdefault(start_ms, set()).add(name_of.get(label, label))
    for quarter in quarters:
        names = names_by_start.get(quarter.start_ms, ())
        reasons = [unknown.get((quarter.start_ms, name)) for name in names]
        if quarter.missing is None and reasons and all(reasons):
            quarter = quarter._replace(seen_ms=0, missing=reasons[0])
        yield quarter
