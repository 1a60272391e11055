"""Scales confidences so that the default thresholds of tracking, chosen for YOLOv4-tiny, fit other models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from frametally_consumer.detectors.heads import Floats

COUNTED = 0.25
"""Confidences up to this default threshold of counting are written unchanged."""

TRACKED = {"bus": 0.4, "car": 0.4, "truck": 0.4}
"""Lower default thresholds of tracking for labels that YOLOv4-tiny is unsure of."""

Scale = tuple[tuple[str, float], ...]
"""Labels with the model's confidence that is written as their value in `TRACKED`; part of the model id."""


def scaled(scores: Floats, class_names: Sequence[str], scale: Scale) -> Floats:
    """Return scores, (n, classes), as they are written: piecewise linear, so their order stays."""
    written = scores.copy()
    for label, own in scale:
        if label in class_names:
            column = class_names.index(label)
            line = (0, COUNTED, own, 1), (0, COUNTED, TRACKED[label], 1)
            written[:, column] = np.interp(scores[:, column], *line)
    return written
