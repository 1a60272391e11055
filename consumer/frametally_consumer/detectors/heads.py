"""Turns a network's raw outputs into the rows that `boxes.py` takes, for each kind of YOLO head.

A row is one box: centre x, centre y, width and height as fractions of the network's input, objectness, then a
score for each class, as in `boxes.boxes_from_rows`. Rows that cannot reach the least confidence are not made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from frametally.errors import Misconfigured

HEADS_VERSION = 2
"""Raised whenever anything here changes a row; part of the model id of the back-ends that use it."""

Floats = npt.NDArray[np.float32]


class Head(Protocol):
    """Reads the raw outputs of one kind of network."""

    name: ClassVar[str]
    """The name of the format; part of the model id."""

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return (n, 5 + classes) float32: at least the rows with a class of `min_confidence` or more.

        `outputs` are the network's for one picture, in its order; they are neither kept nor changed. Raises
        `Misconfigured` if they are not of this kind or not finite.
        """


@dataclass(frozen=True)
class DecodedHead:
    """Reads rows that the network itself has decoded, as with OpenCV's Darknet importer."""

    name: ClassVar[str] = "darknet-opencv"
    classes: int

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return all rows; see `Head.rows`."""
        return np.concatenate(
            [np.asarray(output, dtype=np.float32).reshape(-1, 5 + self.classes) for output in outputs]
        )


class YoloLayer(NamedTuple):
    """A `[yolo]` section with the convolution before it.

    Attributes:
        anchors_px: (boxes, 2) float32, width and height in pixels of the network's input.
        scale_x_y: How far a centre can leave its cell.
        kernel: Weights of the convolution, (boxes, channels, 5 + classes) float32.
        bias: Biases of the convolution, (boxes, 5 + classes) float32.
    """

    anchors_px: Floats
    scale_x_y: float
    kernel: Floats
    bias: Floats


@dataclass(frozen=True)
class DarknetHead:
    """Reads Darknet's `[yolo]` layers (`yolo_layer.c`), each with the convolution before it.

    The network returns the objectness of all boxes, and the input of the convolution. The other numbers are
    computed here, only for the boxes that can count: a few dozen of thousands.
    """

    name: ClassVar[str] = f"darknet-{HEADS_VERSION}"
    layers: Sequence[YoloLayer]
    input_px: tuple[int, int]

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows by output, then row and column of the cell, then box; see `Head.rows`."""
        if len(outputs) != 2 * len(self.layers):
            raise Misconfigured(
                f"the network has {len(outputs)} outputs, but {len(self.layers)} [yolo] layers; delete the "
                "converted network beside the weights, and frametally converts it again"
            )
        made = [
            self._layer_rows(objectness, features, layer, min_confidence)
            for objectness, features, layer in zip(outputs[::2], outputs[1::2], self.layers, strict=True)
        ]
        return np.concatenate(made)

    def _layer_rows(
        self, objectness: Floats, features: Floats, layer: YoloLayer, min_confidence: float
    ) -> Floats:
        boxes, columns = layer.bias.shape
        rows, cells = objectness.shape[2:]
        # (cells, boxes) first: the order of the rows is OpenCV's.
        by_cell = objectness.reshape(boxes, rows * cells).T
        # A class's score is at most the objectness, so this drops nothing that matters; the margin is for
        # rounding.
        cell, box = np.nonzero(by_cell >= _logit(min_confidence) - 1e-3)
        read = features.reshape(rows * cells, -1)[cell]
        found = np.empty((len(cell), columns), np.float32)
        for number in range(boxes):
            found[box == number] = read[box == number] @ layer.kernel[number]
        found += layer.bias[box]
        found[:, 4] = by_cell[cell, box]
        made = np.empty_like(found)
        grid = np.stack([cell % cells, cell // cells], axis=1).astype(np.float32)
        sigmoids = _sigmoid(found[:, [0, 1, *range(4, columns)]])
        spread = np.float32(layer.scale_x_y)
        size = np.array([cells, rows], np.float32)
        made[:, :2] = (sigmoids[:, :2] * spread - (spread - 1) / 2 + grid) / size
        made[:, 2:4] = np.exp(found[:, 2:4]) * layer.anchors_px[box] / np.array(self.input_px, np.float32)
        made[:, 4] = sigmoids[:, 2]
        made[:, 5:] = sigmoids[:, 3:] * sigmoids[:, 2:3]
        return made


def _sigmoid(values: Floats) -> Floats:
    """Return 1 / (1 + e^-x) of each value, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), dtype=np.float32)


def _logit(probability: float) -> float:
    """Return the x whose sigmoid is `probability`; minus infinity for 0."""
    return float(np.log(probability / (1 - probability))) if probability > 0 else -np.inf


ONNX_HEADS_VERSION = 1
"""Raised whenever anything here changes a row; part of the model id."""

SCORE_MARGIN = 1e-4
"""Keeps all scores that later reach the least confidence after rounding to ten-thousandths."""


@dataclass(frozen=True)
class _OnnxHead:
    """The common base of the heads of ONNX networks.

    Attributes:
        output: Index of the head among the network's outputs.
    """

    output: int
    input_px: tuple[int, int]
    classes: int

    @property
    def _scale(self) -> Floats:
        return np.array([*self.input_px, *self.input_px], np.float32)


class ObjectnessHead(_OnnxHead):
    """1 x boxes x (5 + classes): centre, size, objectness, class probabilities."""

    name: ClassVar[str] = f"objectness-{ONNX_HEADS_VERSION}"

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows; see `Head.rows`."""
        rows = outputs[self.output][0]
        made: Floats = rows[rows[:, 4] >= min_confidence - SCORE_MARGIN].astype(np.float32)
        made[:, :4] /= self._scale
        made[:, 5:] *= made[:, 4:5]
        return made


class ScoresHead(_OnnxHead):
    """1 x (4 + classes) x boxes: centre, size, class probabilities."""

    name: ClassVar[str] = f"scores-{ONNX_HEADS_VERSION}"

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows with the best class's score as objectness; see `Head.rows`."""
        columns = outputs[self.output][0]
        best = columns[4:].max(axis=0)
        wanted = np.flatnonzero(best >= min_confidence - SCORE_MARGIN)
        made = np.empty((len(wanted), 1 + len(columns)), np.float32)
        made[:, :4] = columns[:4, wanted].T / self._scale
        made[:, 4] = best[wanted]
        made[:, 5:] = columns[4:, wanted].T
        return made


class EndToEndHead(_OnnxHead):
    """1 x boxes x 6: left, top, right, bottom, score, class."""

    name: ClassVar[str] = f"end-to-end-{ONNX_HEADS_VERSION}"

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows; see `Head.rows`. Raises `Misconfigured` if a class has no name."""
        rows = outputs[self.output][0]
        rows = rows[rows[:, 4] >= min_confidence - SCORE_MARGIN]
        label = rows[:, 5].astype(np.int64)
        if not np.equal(label, rows[:, 5]).all():
            raise Misconfigured(
                f"the network returned class {rows[:, 5].max():g}, which is not a whole number; export it "
                "with the columns left, top, right, bottom, score, class, in this order"
            )
        if not ((label >= 0) & (label < self.classes)).all():
            raise Misconfigured(
                f"the network returned class {rows[:, 5].max():g}, but there are only {self.classes} class "
                "names; use the names file that belongs to this network"
            )
        made = np.zeros((len(rows), 5 + self.classes), np.float32)
        corners = rows[:, :4] / self._scale
        made[:, :2] = (corners[:, :2] + corners[:, 2:]) / 2
        made[:, 2:4] = corners[:, 2:] - corners[:, :2]
        made[:, 4] = rows[:, 4]
        made[np.arange(len(rows)), 5 + label] = rows[:, 4]
        return made


class GridHead(_OnnxHead):
    """Raw YOLOX, (1, cells, 5 + classes): place in the cell, logarithm of the size, objectness, classes.

    Places and sizes are in units of cells of 8, 16 and 32 pixels.
    """

    name: ClassVar[str] = f"yolox-{ONNX_HEADS_VERSION}"

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows, computing only the boxes that matter; see `Head.rows`."""
        rows = outputs[self.output][0]
        places = np.flatnonzero(rows[:, 4] >= min_confidence - SCORE_MARGIN)
        boxes: Floats = rows[places].astype(np.float32)
        cells = yolo_cells(self.input_px)[places]
        boxes[:, :2] += cells[:, :2]
        boxes[:, 2:4] = np.exp(boxes[:, 2:4])
        boxes[:, :4] *= cells[:, 2:] / self._scale
        boxes[:, 5:] *= boxes[:, 4:5]
        return boxes


@cache
def yolo_cells(input_px: tuple[int, int]) -> Floats:
    """Return column, row and side in pixels of each cell of a YOLO network's three grids, (cells, 3)."""
    width_px, height_px = input_px
    grids = []
    for side_px in (8, 16, 32):
        rows, columns = np.mgrid[: height_px // side_px, : width_px // side_px]
        grids.append(np.stack([columns, rows, np.full_like(rows, side_px)], axis=-1).reshape(-1, 3))
    return np.asarray(np.concatenate(grids), np.float32)


@dataclass(frozen=True)
class LogitsHead(_OnnxHead):
    """DETR: boxes (1, n, 4), centre and size as fractions of the input; logits of the classes (1, n, logits).

    Attributes:
        boxes: Index of the boxes among the network's outputs; `output` is the index of the logits.
        columns: Indices of the classes' columns in the logits.
    """

    name: ClassVar[str] = f"detr-{ONNX_HEADS_VERSION}"
    boxes: int
    columns: Sequence[int]

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """Return rows with the best class's score as objectness; see `Head.rows`."""
        scores = self._scores(outputs[self.output][0])
        best = scores.max(axis=1, keepdims=True)
        rows: Floats = np.concatenate([outputs[self.boxes][0], best, scores], axis=1, dtype=np.float32)
        return np.asarray(rows[best[:, 0] >= min_confidence - SCORE_MARGIN])

    def _scores(self, logits: Floats) -> Floats:
        return _sigmoid(logits[:, self.columns])


class SoftmaxHead(LogitsHead):
    """DETR as `LogitsHead`, but trained with a softmax over the classes and "no object"."""

    name: ClassVar[str] = f"detr-softmax-{ONNX_HEADS_VERSION}"

    def _scores(self, logits: Floats) -> Floats:
        parts = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray((parts / parts.sum(axis=1, keepdims=True))[:, self.columns], np.float32)
