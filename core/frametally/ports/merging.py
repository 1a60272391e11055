"""What parts of a bar add up to: counts are summed, the peak is the largest, unknown objects stay unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from frametally.ports.count_index import Bucket, CoverageBucket, WeekHour
from frametally.rules.times import HOUR_MS

_PartT = TypeVar("_PartT", bound=Bucket | CoverageBucket)


def sum_or_unknown(one: int | None, other: int | None) -> int | None:
    """The sum; None where either is not known."""
    return None if one is None or other is None else one + other


def bar_order(bar: Bucket) -> tuple[int, str, str]:
    """By start, label and source."""
    return bar.start_ms, bar.label, bar.source or ""


def coverage_order(covered: CoverageBucket) -> tuple[int, str, str]:
    """By start and source."""
    return covered.start_ms, covered.source or "", ""


def merge_bars(parts: Iterable[list[Bucket]]) -> list[Bucket]:
    """Bars by start, label and source, from parts that are in this order each, and follow each other in time.

    The last start of a part can be the first of the next one, and be cut in two by that: it is made whole.
    """
    return _joined(parts, bar_order, _both_bars)


def merge_coverage(parts: Iterable[list[CoverageBucket]]) -> list[CoverageBucket]:
    """Coverage by start and source, from parts as those of `merge_bars`."""
    return _joined(parts, coverage_order, _both_coverages)


def slowest_or_unknown(one: float | None, other: float | None) -> float | None:
    """The slower rate; None where either is not known."""
    return None if one is None or other is None else min(one, other)


def add_week_hours(one: WeekHour, other: WeekHour) -> WeekHour:
    """Two parts of the same hour of the week."""
    return WeekHour(
        one.hour,
        one.frames + other.frames,
        one.detections + other.detections,
        max(one.peak, other.peak),
        sum_or_unknown(one.objects, other.objects),
        slowest_or_unknown(one.slowest_fps, other.slowest_fps),
    )


def merge_week(counted: Iterable[WeekHour], covered: Iterable[CoverageBucket]) -> list[WeekHour]:
    """Hours of the week, by hour, from parts in any order.

    Args:
        counted: Counts, without what was filmed.
        covered: What was filmed; `start_ms` is that of the hour since Monday 00:00.
    """
    sums: dict[int, WeekHour] = {}
    for cell in counted:
        sums[cell.hour] = add_week_hours(sums[cell.hour], cell) if cell.hour in sums else cell
    filmed: dict[int, CoverageBucket] = {}
    for one in covered:
        hour = one.start_ms // HOUR_MS
        filmed[hour] = _both_coverages(filmed[hour], one) if hour in filmed else one
    nothing, nowhere = WeekHour(0, 0, 0, 0, 0), CoverageBucket(0, 0)
    found = []
    for hour in sorted(filmed.keys() | sums.keys()):
        here = filmed.get(hour, nowhere)
        found.append(
            sums.get(hour, nothing)._replace(hour=hour, frames=here.frames, slowest_fps=here.slowest_fps)
        )
    return found


def _joined(
    parts: Iterable[list[_PartT]],
    place: Callable[[_PartT], tuple[int, str, str]],
    both: Callable[[_PartT, _PartT], _PartT],
) -> list[_PartT]:
    found: list[_PartT] = []
    for part in parts:
        if found and part and found[-1].start_ms >= part[0].start_ms:
            found += _over_border(found, part, place, both)
        else:
            found += part
    return found


def _over_border(
    before: list[_PartT],
    after: list[_PartT],
    place: Callable[[_PartT], tuple[int, str, str]],
    both: Callable[[_PartT, _PartT], _PartT],
) -> list[_PartT]:
    """What follows `before` with `after`; what of `before` reaches over their border is taken out of it."""
    first, end, last_ms = len(before), 0, before[-1].start_ms
    while first and before[first - 1].start_ms >= after[0].start_ms:
        first -= 1
    while end < len(after) and after[end].start_ms <= last_ms:
        end += 1
    merged: dict[tuple[int, str, str], _PartT] = {}
    for one in (*before[first:], *after[:end]):
        key = place(one)
        merged[key] = both(merged[key], one) if key in merged else one
    del before[first:]
    return [*(merged[key] for key in sorted(merged)), *after[end:]]


def _both_bars(one: Bucket, other: Bucket) -> Bucket:
    return one._replace(
        detections=one.detections + other.detections,
        peak=max(one.peak, other.peak),
        objects=sum_or_unknown(one.objects, other.objects),
    )


def _both_coverages(one: CoverageBucket, other: CoverageBucket) -> CoverageBucket:
    return one._replace(
        frames=one.frames + other.frames, slowest_fps=slowest_or_unknown(one.slowest_fps, other.slowest_fps)
    )
