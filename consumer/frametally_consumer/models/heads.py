"""What a network's raw outputs mean: from each kind of YOLO head to the rows that `boxes.py` takes.

A row is one box: centre x, centre y, width and height as parts of the network's input, objectness, then a
score for each class, as `boxes.boxes_from_rows` states. Only rows that can reach the least confidence are
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from frametally.errors import Misconfigured
from frametally_consumer.models.darknet_cfg import (
    HeadConvolution,
    NetworkFacts,
    Section,
    weights_header_bytes,
)

HEADS_VERSION = 2
"""Raised whenever anything here changes a row; part of the model id of the back-ends that use it."""

Floats = npt.NDArray[np.float32]


class Head(Protocol):
    """Reads the raw outputs of one kind of network."""

    @property
    def name(self) -> str:
        """What is read, for people and for the model id."""

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """(n, 5 + classes) float32: at least the rows that have a class of `min_confidence` or more.

        Args:
            outputs: The network's outputs for one picture, in its order; not kept, not changed.
            min_confidence: 0 gives every row.

        Raises:
            Misconfigured: The outputs are not of this kind, or not finite.
        """


class DecodedHead:
    """Rows that the network has made itself, as OpenCV's Darknet importer does."""

    name = "darknet-opencv"

    def __init__(self, classes: int) -> None:
        """Rows of `classes` classes."""
        self._columns = 5 + classes

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """As `Head.rows` says; all of them."""
        return np.concatenate(
            [np.asarray(output, dtype=np.float32).reshape(-1, self._columns) for output in outputs]
        )


class YoloLayer(NamedTuple):
    """A `[yolo]` section with the convolution before it.

    Attributes:
        anchors_px: (boxes, 2) float32, width and height in pixels of the network's input.
        scale_x_y: By how much a centre can leave its cell.
        kernel: (boxes, channels, 5 + classes) float32, of the convolution.
        bias: (boxes, 5 + classes) float32, of the convolution.
    """

    anchors_px: Floats
    scale_x_y: float
    kernel: Floats
    bias: Floats


class DarknetHead:
    """Darknet's `[yolo]` layers (`yolo_layer.c`), each with the convolution before it.

    The network gives the objectness of all boxes, and what the convolution reads. The other numbers are made
    here, of the boxes that count alone: of some thousands a few dozen do.
    """

    name = f"darknet-{HEADS_VERSION}"

    def __init__(self, facts: NetworkFacts, weights: bytes, *, width_px: int, height_px: int) -> None:
        """The head of a network.

        Args:
            facts: The network.
            weights: Its weights file, which fits it.
            width_px: Width of its input.
            height_px: Height of its input.

        Raises:
            Misconfigured: Its `[yolo]` layers are of a kind that only OpenCV can read.
        """
        self._size_px = np.array([width_px, height_px], np.float32)
        floats = np.frombuffer(weights, "<f4", offset=weights_header_bytes(weights))
        self._layers = [_yolo_layer(section, head, floats) for section, head in _output_layers(facts)]

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """As `Head.rows` says; by output, then row and column of the cell, then box."""
        if len(outputs) != 2 * len(self._layers):
            raise Misconfigured(
                f"the network has {len(outputs)} outputs, and {len(self._layers)} [yolo] layers; "
                "delete the converted network beside the weights, it is made anew"
            )
        made = [
            self._layer_rows(objectness, features, layer, min_confidence)
            for objectness, features, layer in zip(outputs[::2], outputs[1::2], self._layers, strict=True)
        ]
        return np.concatenate(made)

    def _layer_rows(
        self, objectness: Floats, features: Floats, layer: YoloLayer, min_confidence: float
    ) -> Floats:
        boxes, columns = layer.bias.shape
        rows, cells = objectness.shape[2:]
        # (cells, boxes) first: the order of the rows is OpenCV's.
        by_cell = objectness.reshape(boxes, rows * cells).T
        # A class's score is no higher than the objectness, so this leaves out nothing that counts; the margin
        # is for rounding.
        cell, box = np.nonzero(by_cell >= logit(min_confidence) - 1e-3)
        read = features.reshape(rows * cells, -1)[cell]
        found = np.empty((len(cell), columns), np.float32)
        for number in range(boxes):
            found[box == number] = read[box == number] @ layer.kernel[number]
        found += layer.bias[box]
        found[:, 4] = by_cell[cell, box]
        made = np.empty_like(found)
        grid = np.stack([cell % cells, cell // cells], axis=1).astype(np.float32)
        sigmoids = sigmoid(found[:, [0, 1, *range(4, columns)]])
        spread = np.float32(layer.scale_x_y)
        size = np.array([cells, rows], np.float32)
        made[:, :2] = (sigmoids[:, :2] * spread - (spread - 1) / 2 + grid) / size
        made[:, 2:4] = np.exp(found[:, 2:4]) * layer.anchors_px[box] / self._size_px
        made[:, 4] = sigmoids[:, 2]
        made[:, 5:] = sigmoids[:, 3:] * sigmoids[:, 2:3]
        return made


def check_darknet_head(facts: NetworkFacts) -> None:
    """Raises `Misconfigured` if an output layer of the network cannot be read, or by OpenCV alone."""
    for section, _ in _output_layers(facts):
        _anchors_px(section)


def _output_layers(facts: NetworkFacts) -> list[tuple[Section, HeadConvolution]]:
    layers = []
    sections = (section for section in facts.sections if section.kind in ("yolo", "region"))
    for section, head in zip(sections, facts.heads, strict=True):
        if section.kind == "region" or section.integer("new_coords", 0) or head is None:
            raise section.error(
                "such an output can be read by OpenCV alone; set FRAMETALLY_DETECTOR=opencv for this network"
            )
        layers.append((section, head))
    return layers


def _yolo_layer(section: Section, head: HeadConvolution, floats: Floats) -> YoloLayer:
    anchors_px = _anchors_px(section)
    boxes = len(anchors_px)
    numbers = floats[head.first_float :][: head.filters * (1 + head.channels)].copy()
    bias, kernel = np.split(numbers, [head.filters])
    by_box = kernel.reshape(boxes, -1, head.channels).transpose(0, 2, 1)
    return YoloLayer(
        anchors_px,
        section.decimals("scale_x_y", "1")[0],
        np.ascontiguousarray(by_box),
        bias.reshape(boxes, -1),
    )


def _anchors_px(section: Section) -> Floats:
    count = section.integer("num", 1)
    anchors = np.array(section.decimals("anchors"), np.float32)
    mask = section.integers("mask") or list(range(count))
    if len(anchors) != 2 * count or not all(0 <= place < count for place in mask):
        raise section.error(
            f"num={count} boxes with mask={section.options.get('mask', '')} and {len(anchors)} numbers in "
            "anchors do not fit each other; two anchors belong to each box"
        )
    return anchors.reshape(-1, 2)[mask]


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + e^-x) of each value, without an overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), dtype=np.float32)


def logit(probability: float) -> float:
    """The x whose sigmoid is `probability`; minus infinity for 0."""
    return float(np.log(probability / (1 - probability))) if probability > 0 else -np.inf
