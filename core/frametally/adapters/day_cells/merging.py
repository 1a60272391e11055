"""Adds up rows of answers: parts of a bar's coverage, and the hours of the week."""

from __future__ import annotations

import math
from collections.abc import Iterable

from frametally.ports.count_index import PARTIAL_LABELS, Bucket, CoverageBucket, WeekHour
from frametally.rules.known import slowest_or_unknown, sum_or_unknown
from frametally.rules.times import HOUR_MS


def add_week_hours(first: WeekHour, second: WeekHour) -> WeekHour:
    """Add up two parts of the same hour of the week; the source is that of the first."""
    return WeekHour(
        first.hour,
        first.frames + second.frames,
        first.detections + second.detections,
        max(first.peak, second.peak),
        sum_or_unknown(first.objects, second.objects),
        slowest_or_unknown(first.slowest_fps, second.slowest_fps),
        sum_or_unknown(first.tracked_detections, second.tracked_detections),
        sum_or_unknown(first.covered_ms, second.covered_ms),
        _least(first, second),
        first.source,
        first.objects_missing or second.objects_missing,
    )


def _least(first: WeekHour, second: WeekHour) -> int | None:
    """Return the known objects of two parts, or None if no part is known."""
    parts = [hour.least_objects for hour in (first, second) if hour.least_objects is not None]
    return sum(parts) if parts else None


def merge_week(bars: Iterable[Bucket], covered: Iterable[CoverageBucket]) -> list[WeekHour]:
    """Return the hours of the week with footage or counts, by hour and source.

    Each `start_ms` is that of the hour since Monday 00:00. Labels are combined, those whose objects are known
    in part separately.
    """
    hours = {
        (bucket.start_ms, bucket.source or ""): WeekHour(
            bucket.start_ms // HOUR_MS,
            bucket.frames,
            0,
            0,
            None if bucket.objects is None else 0,
            bucket.slowest_fps,
            0,
            bucket.covered_ms,
            source=bucket.source,
        )
        for bucket in covered
    }
    for bar in bars:
        place = bar.start_ms, bar.source or ""
        hour = hours.get(place) or WeekHour(bar.start_ms // HOUR_MS, 0, 0, 0, 0, None, 0, source=bar.source)
        missing = PARTIAL_LABELS.get(bar.label)
        of_bar = WeekHour(
            hour.hour,
            0,
            bar.detections,
            bar.peak,
            bar.objects,
            math.inf,
            bar.tracked_detections,
            0,
            None if missing == "too_weak" else bar.objects,
            objects_missing=missing,
        )
        hours[place] = add_week_hours(hour, of_bar)
    return [hours[place] for place in sorted(hours)]


def add_coverage(first: CoverageBucket, second: CoverageBucket) -> CoverageBucket:
    """Add up the coverage of two parts; the start and the source are those of the first."""
    return first._replace(
        frames=first.frames + second.frames,
        slowest_fps=slowest_or_unknown(first.slowest_fps, second.slowest_fps),
        objects=sum_or_unknown(first.objects, second.objects),
        covered_ms=sum_or_unknown(first.covered_ms, second.covered_ms),
    )
