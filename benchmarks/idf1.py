"""Computes IDF1: the share of true and found boxes that belong to the right identity throughout.

Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking" (2016): each
true identity is paired with at most one found identity so as to maximise the number of frames in which the
two overlap by half; IDF1 = 2 * those frames / (true boxes + boxes found).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from frametally_models.detector_agreement import iou

Box = tuple[float, float, float, float]
"""Left, top, width, height, in pixels."""

Boxes = Mapping[int, Sequence[tuple[int, Box]]]
"""By frame, `(identity, box)`."""


def idf1(truth: Boxes, found: Boxes, *, least_overlap: float = 0.5) -> float:
    """Return the IDF1 of `found` over the frames of `truth`, 0 to 1."""
    together: Counter[tuple[int, int]] = Counter()
    boxes = 0
    for frame, true_boxes in truth.items():
        found_boxes = found.get(frame, ())
        boxes += len(true_boxes) + len(found_boxes)
        for true_id, true_box in true_boxes:
            for found_id, found_box in found_boxes:
                together[true_id, found_id] += iou(true_box, found_box) >= least_overlap
    true_ids = sorted({true_id for true_id, _ in together})
    found_ids = sorted({found_id for _, found_id in together})
    gains = np.array([[together[true_id, found_id] for found_id in found_ids] for true_id in true_ids])
    paired = gains[linear_sum_assignment(gains, maximize=True)].sum() if gains.size else 0
    return 2 * float(paired) / boxes if boxes else 1.0
