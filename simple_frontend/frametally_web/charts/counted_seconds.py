"""Counts the seconds of a stored interval from its frames, and compares their sum with the interval."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from frametally.books.evidence import ProvedFrame
from frametally.ports.count_index import Bucket, CoverageBucket, IndexedEvidence
from frametally.records import Evidence
from frametally.rules.evidence import busiest
from frametally.rules.objects import why_unknown


class CountedSeconds(NamedTuple):
    """The seconds of one stored interval of a source."""

    buckets: list[Bucket]
    coverage: list[CoverageBucket]
    evidence: list[IndexedEvidence]


def count_seconds(
    interval: CoverageBucket,
    counts: Iterable[Bucket],
    frames: dict[int, list[ProvedFrame]],
    objects: Counter[tuple[str, str, int]],
    filmed: Counter[int],
) -> CountedSeconds:
    """Return the seconds of a stored interval, whose frames are given by second."""
    source = interval.source or ""
    stored = {bucket.label: bucket for bucket in counts}
    is_followed = interval.objects is not None
    counted = CountedSeconds([], [], [])
    for start_ms, of_second in frames.items():
        labels: dict[str, list[Evidence]] = defaultdict(list)
        for frame in of_second:
            for label, number in Counter(box.label for box in frame.boxes).items():
                image = frame.frame
                labels[label].append(
                    Evidence(image_path=image.image_path, captured_at_ms=image.captured_at_ms, count=number)
                )
        for label, shown in labels.items():
            detections = sum(frame_evidence.count for frame_evidence in shown)
            of_label = stored.get(label)
            counted.buckets.append(
                Bucket(
                    start_ms=start_ms,
                    label=label,
                    detections=detections,
                    peak=max(frame_evidence.count for frame_evidence in shown),
                    objects=objects[source, label, start_ms]
                    if of_label and of_label.objects is not None
                    else None,
                    source=source,
                    tracked_detections=of_label and _share_tracked(of_label, detections),
                )
            )
            counted.evidence.extend(
                IndexedEvidence(source, label, start_ms, frame_evidence) for frame_evidence in busiest(shown)
            )
        counted.coverage.append(
            CoverageBucket(
                start_ms=start_ms,
                frames=len(of_second),
                slowest_fps=interval.slowest_fps,
                source=source,
                objects=sum(objects[source, label, start_ms] for label in labels) if is_followed else None,
                covered_ms=None if interval.covered_ms is None else filmed[start_ms],
            )
        )
    return counted


def _share_tracked(stored: Bucket, detections: int) -> int | None:
    """Return how many of a second's boxes count as lying in tracks.

    Which ones do is not stored. So it is the share of the interval, rounded in such a way that the objects of
    a second are known exactly where those of its interval are.
    """
    if stored.tracked_detections is None:
        return None
    share = round(detections * stored.tracked_detections / stored.detections)
    half = -(-detections // 2)
    is_weak = why_unknown(0, stored.detections, stored.tracked_detections, None) == "too_weak"
    return min(share, half - 1) if is_weak else max(share, half)


def adds_up(counted: CountedSeconds, interval: CoverageBucket, counts: Sequence[Bucket]) -> bool:
    """Return whether the seconds of a stored interval add up to its stored counts."""
    totals: dict[str, list[Bucket]] = defaultdict(list)
    for bucket in counted.buckets:
        totals[bucket.label].append(bucket)
    return (
        sum(second.frames for second in counted.coverage) == interval.frames
        and totals.keys() == {bucket.label for bucket in counts}
        and all(
            sum(bucket.detections for bucket in totals[stored.label]) == stored.detections
            and max(bucket.peak for bucket in totals[stored.label]) == stored.peak
            and (
                stored.objects is None
                or sum(bucket.objects or 0 for bucket in totals[stored.label]) == stored.objects
            )
            for stored in counts
        )
    )
