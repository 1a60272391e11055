"""Measures how much of one detector's results another detector also finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.records import Detection

LEAST_CONFIDENCE = 0.25
"""The least confidence of the reference's detections: the job counts from there."""
LEAST_IOU = 0.5


class Agreement(NamedTuple):
    """Detections of a reference, and how many of them another detector found.

    Attributes:
        sought: Detections of the reference with a confidence of `LEAST_CONFIDENCE` or more.
        found: Of these, those that match the other detector's by label, with an IoU of `LEAST_IOU` or more.
        confidence: Sum over these of the lower of both confidences.
    """

    sought: int
    found: int
    confidence: float = 0.0

    @property
    def share(self) -> float:
        """The found share of the sought detections; 1 if none were sought."""
        return self.found / self.sought if self.sought else 1.0


def agreement(
    reference: Sequence[Sequence[Detection]],
    other: Sequence[Sequence[Detection]],
    *,
    least_confidence_of_other: float = 0.0,
) -> Agreement:
    """Count the detections of `reference` that `other` has; each of `other` matches one at most.

    Both have the detections in each of the same pictures; `reference` must have the most confident first.
    """
    sought = agreed = 0
    confidence = 0.0
    for expected, got in zip(reference, other, strict=True):
        free = [candidate for candidate in got if candidate.confidence >= least_confidence_of_other]
        for detection in expected:
            if detection.confidence < LEAST_CONFIDENCE:
                continue
            sought += 1
            same = [candidate for candidate in free if candidate.label == detection.label]
            best = max(same, key=lambda candidate: iou(candidate.box, detection.box), default=None)
            if best is not None and iou(best.box, detection.box) >= LEAST_IOU:
                agreed += 1
                confidence += min(detection.confidence, best.confidence)
                free.remove(best)
    return Agreement(sought, agreed, confidence)


def iou(box: Sequence[float], other: Sequence[float]) -> float:
    """Return the intersection over union of two boxes, each (left, top, width, height)."""
    across = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    down = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    common = max(across, 0.0) * max(down, 0.0)
    union = box[2] * box[3] + other[2] * other[3] - common
    return common / union if union else 0.0
