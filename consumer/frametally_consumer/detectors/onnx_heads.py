"""The outputs of YOLO networks exported as ONNX files, v5 to v11.

Their coordinates are pixels of the network's input, and no row is suppressed (v10's are, nearly).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from frametally.errors import Misconfigured
from frametally_consumer.detectors.heads import Floats

ONNX_HEADS_VERSION = 1
"""Raised whenever anything here changes a row; part of the model id."""

SCORE_MARGIN = 1e-4
"""Scores are compared with the least confidence in ten-thousandths afterwards: none of those is left out."""


@dataclass(frozen=True)
class _OnnxHead:
    """What the heads have in common.

    Attributes:
        output: Index of the head among the network's outputs.
        input_px: Width and height of the network's input.
        classes: How many the model has.
    """

    output: int
    input_px: tuple[int, int]
    classes: int

    @property
    def _scale(self) -> Floats:
        return np.array([*self.input_px, *self.input_px], np.float32)


class ObjectnessHead(_OnnxHead):
    """YOLOv5 and YOLOv7: (1, boxes, 5 + classes): centre, size, objectness, class probabilities."""

    name: ClassVar[str] = f"yolov5-{ONNX_HEADS_VERSION}"

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows as `Head.rows` says."""
        found = outputs[self.output][0]
        made: Floats = found[found[:, 4] >= min_confidence - SCORE_MARGIN].astype(np.float32)
        made[:, :4] /= self._scale
        made[:, 5:] *= made[:, 4:5]
        return made


class ScoresHead(_OnnxHead):
    """YOLOv8, v9 and v11: (1, 4 + classes, boxes): centre, size, class probabilities."""

    name: ClassVar[str] = f"yolov8-{ONNX_HEADS_VERSION}"

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows as `Head.rows` says; the objectness is the best class's score."""
        found = outputs[self.output][0]
        best = found[4:].max(axis=0)
        wanted = np.flatnonzero(best >= min_confidence - SCORE_MARGIN)
        made = np.empty((len(wanted), 1 + len(found)), np.float32)
        made[:, :4] = found[:4, wanted].T / self._scale
        made[:, 4] = best[wanted]
        made[:, 5:] = found[4:, wanted].T
        return made


class EndToEndHead(_OnnxHead):
    """YOLOv10: (1, boxes, 6): left, top, right, bottom, score, class."""

    name: ClassVar[str] = f"yolov10-{ONNX_HEADS_VERSION}"

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows as `Head.rows` says.

        Raises:
            Misconfigured: A class that has no name.
        """
        found = outputs[self.output][0]
        found = found[found[:, 4] >= min_confidence - SCORE_MARGIN]
        label = found[:, 5].astype(np.int64)
        if not (np.equal(label, found[:, 5]) & (label >= 0) & (label < self.classes)).all():
            raise Misconfigured(
                f"the network answers with class {found[:, 5].max():g}, but there are {self.classes} class "
                "names; give the names file that belongs to it"
            )
        made = np.zeros((len(found), 5 + self.classes), np.float32)
        corners = found[:, :4] / self._scale
        made[:, :2] = (corners[:, :2] + corners[:, 2:]) / 2
        made[:, 2:4] = corners[:, 2:] - corners[:, :2]
        made[:, 4] = found[:, 4]
        made[np.arange(len(found)), 5 + label] = found[:, 4]
        return made
