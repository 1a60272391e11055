"""Writes confidences so that default thresholds of tracking, chosen for YOLOv4-tiny, fit another model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from frametally_consumer.detectors.heads import Floats

COUNTED = 0.25
"""Up to here, where counting begins by default, confidences are written as they are."""

TRACKED = {"bus": 0.4, "car": 0.4, "truck": 0.4}
"""By default, tracking takes these labels from a lower confidence on: YOLOv4-tiny is unsure of them."""

Scale = tuple[tuple[str, float], ...]
"""Labels of `TRACKED`, each with a model's own confidence that is written as that; part of the model id."""


def scaled(scores: Floats, class_names: Sequence[str], scale: Scale) -> Floats:
    """Return scores, (n, classes), as they are written: on straight lines, so their order stays."""
    written = scores.copy()
    for label, own in scale:
        if label in class_names:
            column = class_names.index(label)
            line = (0, COUNTED, own, 1), (0, COUNTED, TRACKED[label], 1)
            written[:, column] = np.interp(scores[:, column], *line)
    return written
