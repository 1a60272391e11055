"""What parts of a bar add up to: counts are summed, the peak is the largest, unknown objects stay unknown."""

from __future__ import annotations

from frametally.count_index import Bucket, CoverageBucket, WeekHour


def sum_or_unknown(one: int | None, other: int | None) -> int | None:
    """The sum; None where either is not known."""
    return None if one is None or other is None else one + other


def merge_bucket(found: dict[tuple[int, str, str], Bucket], part: Bucket) -> None:
    """Add a part to the bar of its start, label and source in `found`."""
    key = (part.start_ms, part.label, part.source or "")
    other = found.get(key)
    if other is not None:
        part = part._replace(
            detections=other.detections + part.detections,
            peak=max(other.peak, part.peak),
            objects=sum_or_unknown(other.objects, part.objects),
        )
    found[key] = part


def merge_coverage(found: dict[tuple[int, str], CoverageBucket], part: CoverageBucket) -> None:
    """Add a part to the interval of its start and source in `found`."""
    key = (part.start_ms, part.source or "")
    other = found.get(key)
    if other is not None:
        rates = [rate for rate in (other.slowest_fps, part.slowest_fps) if rate is not None]
        part = part._replace(
            frames=other.frames + part.frames, slowest_fps=min(rates) if len(rates) == 2 else None
        )
    found[key] = part


def add_week_hours(one: WeekHour, other: WeekHour) -> WeekHour:
    """Two parts of the same hour of the week."""
    return WeekHour(
        one.hour,
        one.frames + other.frames,
        one.detections + other.detections,
        max(one.peak, other.peak),
        sum_or_unknown(one.objects, other.objects),
    )
