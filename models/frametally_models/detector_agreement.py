"""Measures how much of one detector's results another detector also finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.records import Detection

LEAST_CONFIDENCE = 0.25
"""Of the detections that are looked for: the job counts from there on."""
LEAST_IOU = 0.5


class Agreement(NamedTuple):
    """Detections of a reference, and how many of them were found again.

    Attributes:
        sought: Detections of the reference from `LEAST_CONFIDENCE` on.
        found: Those for which the other has one of the same label with an IoU of `LEAST_IOU` or more.
    """

    sought: int
    found: int

    @property
    def share(self) -> float:
        """Part of the sought detections that was found; 1 if there was nothing to find."""
        return self.found / self.sought if self.sought else 1.0


def agreement(
    reference: Sequence[Sequence[Detection]],
    other: Sequence[Sequence[Detection]],
    *,
    least_confidence_of_other: float = 0.0,
) -> Agreement:
    """Count what of `reference` is in `other`; each detection of `other` counts for one at most.

    Both are the detections of each of the same pictures, those of `reference` the most confident first.
    """
    sought = agreed = 0
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
                free.remove(best)
    return Agreement(sought, agreed)


def iou(box: Sequence[float], other: Sequence[float]) -> float:
    """Return the intersection over union of two boxes, each (left, top, width, height)."""
    across = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    down = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    common = max(across, 0.0) * max(down, 0.0)
    union = box[2] * box[3] + other[2] * other[3] - common
    return common / union if union else 0.0
