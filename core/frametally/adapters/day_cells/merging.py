"""Adds up rows of answers: parts of a bar's coverage, and the hours of the week."""

from __future__ import annotations

from collections.abc import Iterable

from frametally.ports.count_index import Bucket, CoverageBucket, WeekHour
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
        first.source,
    )


def merge_week(bars: Iterable[Bucket], covered: Iterable[CoverageBucket]) -> list[WeekHour]:
    """Return the hours of the week that were filmed or have counts, by hour and source.

    Each `start_ms` is that of the hour since Monday 00:00; no two bars of a source have the same.
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
            bucket.source,
        )
        for bucket in covered
    }
    for bar in bars:
        place = bar.start_ms, bar.source or ""
        hour = hours.get(place) or WeekHour(bar.start_ms // HOUR_MS, 0, 0, 0, 0, source=bar.source)
        hours[place] = hour._replace(
            detections=bar.detections,
            peak=bar.peak,
            objects=None if hour.objects is None else bar.objects,
            tracked_detections=bar.tracked_detections,
        )
    return [hours[place] for place in sorted(hours)]


def add_coverage(first: CoverageBucket, second: CoverageBucket) -> CoverageBucket:
    """Add up the coverage of two parts; the start and the source are those of the first."""
    return first._replace(
        frames=first.frames + second.frames,
        slowest_fps=slowest_or_unknown(first.slowest_fps, second.slowest_fps),
        objects=sum_or_unknown(first.objects, second.objects),
        covered_ms=sum_or_unknown(first.covered_ms, second.covered_ms),
    )
