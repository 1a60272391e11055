"""Adds up parts of a bar: sums counts, keeps the largest peak, and leaves unknown objects unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from frametally.ports.count_index import Bucket, CoverageBucket, WeekHour
from frametally.rules.times import HOUR_MS

_PartT = TypeVar("_PartT", bound=Bucket | CoverageBucket)


def sum_or_unknown(first: int | None, second: int | None) -> int | None:
    """Return the sum; None where either is not known."""
    return None if first is None or second is None else first + second


def sum_all_or_unknown(numbers: Iterable[int | None]) -> int | None:
    """Return the sum; None where any is not known."""
    every = [*numbers]
    known_numbers = [number for number in every if number is not None]
    return sum(known_numbers) if len(known_numbers) == len(every) else None


def bar_order(bar: Bucket) -> tuple[int, str, str]:
    """Order bars by start, label and source."""
    return bar.start_ms, bar.label, bar.source or ""


def coverage_order(covered: CoverageBucket) -> tuple[int, str, str]:
    """Order coverage by start and source."""
    return covered.start_ms, covered.source or "", ""


def merge_bars(parts: Iterable[Sequence[Bucket]]) -> list[Bucket]:
    """Merge bars from parts that are in the order of `bar_order` each, and follow each other in time.

    The last start of a part can be the first of the next one, and be cut in two by that: it is made whole.
    """
    return _joined(parts, bar_order, _both_bars)


def merge_coverage(parts: Iterable[Sequence[CoverageBucket]]) -> list[CoverageBucket]:
    """Merge coverage from parts as those of `merge_bars`."""
    return _joined(parts, coverage_order, add_coverage)


def slowest_or_unknown(first: float | None, second: float | None) -> float | None:
    """Return the slower rate; None where either is not known."""
    return None if first is None or second is None else min(first, second)


def add_week_hours(first: WeekHour, second: WeekHour) -> WeekHour:
    """Add up two parts of the same hour of the week."""
    return WeekHour(
        first.hour,
        first.frames + second.frames,
        first.detections + second.detections,
        max(first.peak, second.peak),
        sum_or_unknown(first.objects, second.objects),
        slowest_or_unknown(first.slowest_fps, second.slowest_fps),
        sum_or_unknown(first.tracked_detections, second.tracked_detections),
        sum_or_unknown(first.covered_ms, second.covered_ms),
    )


def merge_week(bars: Iterable[Bucket], covered: Iterable[CoverageBucket]) -> list[WeekHour]:
    """Return the hours of the week that were filmed or have counts, by hour.

    Each `start_ms` is that of the hour since Monday 00:00; no two bars have the same.
    """
    hours = {
        bucket.start_ms: WeekHour(
            bucket.start_ms // HOUR_MS,
            bucket.frames,
            0,
            0,
            None if bucket.objects is None else 0,
            bucket.slowest_fps,
            0,
            bucket.covered_ms,
        )
        for bucket in covered
    }
    for bar in bars:
        hour = hours.get(bar.start_ms) or WeekHour(bar.start_ms // HOUR_MS, 0, 0, 0, 0)
        hours[bar.start_ms] = hour._replace(
            detections=bar.detections,
            peak=bar.peak,
            objects=None if hour.objects is None else bar.objects,
            tracked_detections=bar.tracked_detections,
        )
    return [hours[start_ms] for start_ms in sorted(hours)]


def _joined(
    parts: Iterable[Sequence[_PartT]],
    place: Callable[[_PartT], tuple[int, str, str]],
    combine: Callable[[_PartT, _PartT], _PartT],
) -> list[_PartT]:
    combined: list[_PartT] = []
    for part in parts:
        if combined and part and combined[-1].start_ms >= part[0].start_ms:
            combined += _over_border(combined, part, place, combine)
        else:
            combined += part
    return combined


def _over_border(
    before: list[_PartT],
    after: Sequence[_PartT],
    place: Callable[[_PartT], tuple[int, str, str]],
    combine: Callable[[_PartT, _PartT], _PartT],
) -> list[_PartT]:
    """Return what follows `before` with `after`; what of `before` reaches over the border is taken out."""
    first, end, last_ms = len(before), 0, before[-1].start_ms
    while first and before[first - 1].start_ms >= after[0].start_ms:
        first -= 1
    while end < len(after) and after[end].start_ms <= last_ms:
        end += 1
    border = _added_up([before[first:], after[:end]], place, combine)
    del before[first:]
    return [*border, *after[end:]]


def _added_up(
    parts: Iterable[Sequence[_PartT]],
    place: Callable[[_PartT], tuple[int, str, str]],
    combine: Callable[[_PartT, _PartT], _PartT],
) -> list[_PartT]:
    merged: dict[tuple[int, str, str], _PartT] = {}
    for part in parts:
        for bar in part:
            key = place(bar)
            merged[key] = combine(merged[key], bar) if key in merged else bar
    return [merged[key] for key in sorted(merged)]


def _both_bars(first: Bucket, second: Bucket) -> Bucket:
    return first._replace(
        detections=first.detections + second.detections,
        peak=max(first.peak, second.peak),
        objects=sum_or_unknown(first.objects, second.objects),
        tracked_detections=sum_or_unknown(first.tracked_detections, second.tracked_detections),
    )


def add_coverage(first: CoverageBucket, second: CoverageBucket) -> CoverageBucket:
    """Add up the coverage of two parts; the start and the source are those of the first."""
    return first._replace(
        frames=first.frames + second.frames,
        slowest_fps=slowest_or_unknown(first.slowest_fps, second.slowest_fps),
        objects=sum_or_unknown(first.objects, second.objects),
        covered_ms=sum_or_unknown(first.covered_ms, second.covered_ms),
    )
