"""Chooses the frames that are evidence of a count."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from frametally.rules.counted_boxes import CountedBoxes, DetectedBox

MOST_EVIDENCE = 5
"""How many frames to keep as evidence of one source and label, per interval and per day."""


class BoxedFrame(Protocol):
    """A frame and its boxes."""

    @property
    def image_path(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def captured_at_ms(self) -> int: ...  # noqa: D102
    @property
    def detections(self) -> Iterable[DetectedBox]: ...  # noqa: D102


class ShownFrame(Protocol):
    """A frame with `count` boxes of the label."""

    @property
    def count(self) -> int: ...  # noqa: D102
    @property
    def captured_at_ms(self) -> int: ...  # noqa: D102
    @property
    def image_path(self) -> str: ...  # noqa: D102


_FrameT = TypeVar("_FrameT", bound=ShownFrame)


def busiest(frames: Iterable[_FrameT]) -> list[_FrameT]:
    """Return the frames to keep: by count (most first), then time, then path."""
    order = sorted(frames, key=lambda frame: (-frame.count, frame.captured_at_ms, frame.image_path))
    return order[:MOST_EVIDENCE]


Hit = tuple[int, int, str]
"""`(-boxes, captured_at_ms, image_path)` of a frame that shows a label."""


def hits_by_label(frames: Iterable[BoxedFrame], boxes: CountedBoxes) -> tuple[dict[str, list[Hit]], int]:
    """Return the hits of the frames by label, unsorted, and the number of boxes of all frames.

    The number is summed frame by frame, so that publication can compare it with the counts.
    """
    counts = boxes.rule()
    hits: dict[str, list[Hit]] = {}
    detections = 0
    for frame in frames:
        tally: dict[str, int] = {}
        for detection in filter(counts, frame.detections):
            label = detection.label
            tally[label] = tally[label] - 1 if label in tally else -1
        time_ms, image_path = frame.captured_at_ms, frame.image_path
        for label, count in tally.items():
            detections -= count
            if label in hits:
                hits[label].append((count, time_ms, image_path))
            else:
                hits[label] = [(count, time_ms, image_path)]
    return hits, detections


def best_hits(hits: Iterable[Hit]) -> list[dict[str, Any]]:
    """Return the hits to keep as evidence, the best first, with the field names of `records.Evidence`."""
    return [
        {"image_path": path, "captured_at_ms": time_ms, "count": -negative_count}
        for negative_count, time_ms, path in heapq.nsmallest(MOST_EVIDENCE, hits)
    ]
