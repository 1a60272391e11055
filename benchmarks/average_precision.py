"""Computes average precision at an IoU of 0.5 (AP50), with a bootstrap over pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from frametally.records import Detection
from frametally_models.detector_agreement import LEAST_IOU, iou

Box = tuple[float, float, float, float]
"""(left, top, width, height) in pixels of the picture."""


class Truth(NamedTuple):
    """A true object in a picture."""

    label: str
    box: Box


class Judged(NamedTuple):
    """All judged detections of one label, the most confident first: arrays of shape (n,).

    `picture` is the index of a detection's picture, `is_true` whether it is the first to find an object;
    `objects`, of shape (pictures,), is the number of objects of this label in each picture.
    """

    picture: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    is_true: npt.NDArray[np.bool_]
    objects: npt.NDArray[np.int64]


def judge(
    truths: Sequence[Sequence[Truth]], found: Sequence[Sequence[Detection]], *, least_iou: float = LEAST_IOU
) -> dict[str, Judged]:
    """Judge which detections in `found` are true, for each label that occurs in the pictures.

    In each picture the most confident detection chooses first, and takes the free object of its label that it
    overlaps most, if the IoU is `least_iou` or more; any other detection is false.
    """
    labels = sorted({truth.label for picture in truths for truth in picture})
    rows: dict[str, list[tuple[float, int, bool]]] = defaultdict(list)
    objects = {label: np.zeros(len(truths), np.int64) for label in labels}
    for place, (there, detections) in enumerate(zip(truths, found, strict=True)):
        free: dict[str, list[Box]] = defaultdict(list)
        for truth in there:
            free[truth.label].append(truth.box)
            objects[truth.label][place] += 1
        for detection in sorted(detections, key=lambda one: -one.confidence):
            boxes = free[detection.label]
            best = max(boxes, key=lambda box: iou(box, detection.box), default=None)
            is_true = best is not None and iou(best, detection.box) >= least_iou
            if is_true and best is not None:
                boxes.remove(best)
            rows[detection.label].append((detection.confidence, place, is_true))
    judged = {}
    for label in labels:
        ordered = sorted(rows[label], key=lambda row: -row[0])
        confidence, picture, is_true = zip(*ordered, strict=True) if ordered else ((), (), ())
        judged[label] = Judged(
            np.array(picture, np.int64),
            np.array(confidence, np.float64),
            np.array(is_true, np.bool_),
            objects[label],
        )
    return judged


def ap50(judged: dict[str, Judged], times: npt.NDArray[np.int64] | None = None) -> float:
    """Return the mean over labels of the area under precision over recall, in points (0 to 100).

    Precision at a recall is the best at that or a higher recall.
    `times`, (pictures,) int64, is how often each picture counts; `None` means once.
    """
    areas = []
    for one in judged.values():
        weight = np.ones(len(one.objects), np.int64) if times is None else times
        objects = int(one.objects @ weight)
        if not objects:
            continue
        counts = weight[one.picture]
        true = np.cumsum(counts * one.is_true)
        seen = np.cumsum(counts)
        precision = true / np.maximum(seen, 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        areas.append(float(np.diff(true, prepend=0) @ best) / objects)
    return 100 * float(np.mean(areas)) if areas else 0.0


def bootstrap(
    judged: Sequence[dict[str, Judged]], *, pictures: int, samples: int, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Return AP50 of each detector on the same samples of pictures, drawn with replacement.

    The values have shape (samples, detectors), in points.
    """
    random = np.random.default_rng(seed)
    values = np.empty((samples, len(judged)))
    for sample in range(samples):
        times = np.bincount(random.integers(0, pictures, pictures), minlength=pictures)
        values[sample] = [ap50(one, times) for one in judged]
    return values
