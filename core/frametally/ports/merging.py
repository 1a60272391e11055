"""What parts of a bar add up to: counts are summed, the peak is the largest, unknown objects stay unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from frametally.ports.count_index import Bucket, CoverageBucket, WeekHour
from frametally.rules.times import HOUR_MS

_PartT = TypeVar("_PartT", bound=Bucket | CoverageBucket)


def sum_or_unknown(one: int | None, other: int | None) -> int | None:
    """Return the sum; None where either is not known."""
    return None if one is None or other is None else one + other


def sum_all_or_unknown(numbers: Iterable[int | None]) -> int | None:
    """Return the sum; None where any is not known."""
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def bar_order(bar: Bucket) -> tuple[int, str, str]:
    """Order bars by start, label and source."""
    return bar.start_ms, bar.label, bar.source or ""


def coverage_order(covered: CoverageBucket) -> tuple[int, str, str]:
    """Order coverage by start and source."""
    return covered.start_ms, covered.source or "", ""


def merge_bars(parts: Iterable[list[Bucket]]) -> list[Bucket]:
    """Merge bars from parts that are in the order of `bar_order` each, and follow each other in time.

    The last start of a part can be the first of the next one, and be cut in two by that: it is made whole.
    """
    return _joined(parts, bar_order, _both_bars)


def merge_coverage(parts: Iterable[list[CoverageBucket]]) -> list[CoverageBucket]:
    """Merge coverage from parts as those of `merge_bars`."""
    return _joined(parts, coverage_order, add_coverage)


def slowest_or_unknown(one: float | None, other: float | None) -> float | None:
    """Return the slower rate; None where either is not known."""
    return None if one is None or other is None else min(one, other)


def add_week_hours(one: WeekHour, other: WeekHour) -> WeekHour:
    """Add up two parts of the same hour of the week."""
    return WeekHour(
        one.hour,
        one.frames + other.frames,
        one.detections + other.detections,
        max(one.peak, other.peak),
        sum_or_unknown(one.objects, other.objects),
        slowest_or_unknown(one.slowest_fps, other.slowest_fps),
        sum_or_unknown(one.tracked_detections, other.tracked_detections),
        sum_or_unknown(one.covered_ms, other.covered_ms),
    )


def merge_week(bars: Iterable[list[Bucket]], covered: Iterable[list[CoverageBucket]]) -> list[WeekHour]:
    """Return the hours of the week that were filmed or have counts, by hour, from parts in any order.

    Each `start_ms` is that of the hour since Monday 00:00.
    """
    counted = _added_up(bars, bar_order, _both_bars)
    filmed = _added_up(covered, coverage_order, add_coverage)
    hours = {
        one.start_ms: WeekHour(
            one.start_ms // HOUR_MS,
            one.frames,
            0,
            0,
            None if one.objects is None else 0,
            one.slowest_fps,
            0,
            one.covered_ms,
        )
        for one in filmed
    }
    for bar in counted:
        hour = hours.get(bar.start_ms) or WeekHour(bar.start_ms // HOUR_MS, 0, 0, 0, 0)
        hours[bar.start_ms] = hour._replace(
            detections=bar.detections,
            peak=bar.peak,
            objects=None if hour.objects is None else bar.objects,
            tracked_detections=bar.tracked_detections,
        )
    return [hours[start_ms] for start_ms in sorted(hours)]


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
    """Return what follows `before` with `after`; what of `before` reaches over the border is taken out."""
    first, end, last_ms = len(before), 0, before[-1].start_ms
    while first and before[first - 1].start_ms >= after[0].start_ms:
        first -= 1
    while end < len(after) and after[end].start_ms <= last_ms:
        end += 1
    border = _added_up([before[first:], after[:end]], place, both)
    del before[first:]
    return [*border, *after[end:]]


def _added_up(
    parts: Iterable[list[_PartT]],
    place: Callable[[_PartT], tuple[int, str, str]],
    both: Callable[[_PartT, _PartT], _PartT],
) -> list[_PartT]:
    merged: dict[tuple[int, str, str], _PartT] = {}
    for part in parts:
        for one in part:
            key = place(one)
            merged[key] = both(merged[key], one) if key in merged else one
    return [merged[key] for key in sorted(merged)]


def _both_bars(one: Bucket, other: Bucket) -> Bucket:
    return one._replace(
        detections=one.detections + other.detections,
        peak=max(one.peak, other.peak),
        objects=sum_or_unknown(one.objects, other.objects),
        tracked_detections=sum_or_unknown(one.tracked_detections, other.tracked_detections),
    )


def add_coverage(one: CoverageBucket, other: CoverageBucket) -> CoverageBucket:
    """Add up what was filmed in two parts; the start and the source are those of the first."""
    return one._replace(
        frames=one.frames + other.frames,
        slowest_fps=slowest_or_unknown(one.slowest_fps, other.slowest_fps),
        objects=sum_or_unknown(one.objects, other.objects),
        covered_ms=sum_or_unknown(one.covered_ms, other.covered_ms),
    )
