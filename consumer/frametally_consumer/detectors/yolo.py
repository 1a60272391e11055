"""Detects objects with YOLO networks: one pre-processing and post-processing around any back-end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally.records import Detection
from frametally_consumer.backends.network import (
    Backend,
    Fitted,
    Network,
    Outputs,
    Preparation,
    as_parts_of_the_image,
    fit,
)
from frametally_consumer.backends.opencv import DarknetNetwork
from frametally_consumer.detectors import tiles
from frametally_consumer.detectors.boxes import (
    NMS_IOU,
    Integers,
    as_detections,
    boxes_from_rows,
    is_confident,
)
from frametally_consumer.detectors.confidence import Scale, scaled
from frametally_consumer.detectors.heads import Floats, Head
from frametally_consumer.detectors.protocol import check_image

NO_OBJECT = "-"
"""Name of a class without objects, such as the background."""


class NetworkModel(NamedTuple):
    """A network and everything else that makes a detector, passed to worker processes.

    Attributes:
        network: An ONNX file's bytes; for `openvino` also an OpenVINO file's path; for `opencv` its files.
        min_confidence: Boxes below it are left out.
        nms_iou: If two boxes of one class overlap by more, the weaker is dropped.
        groups: Class names among which the network confuses one object; see `boxes.GROUP_NMS_IOU`.
        model_id: The name from `protocol.make_model_id`, over everything that changes a detection.
        scale: How confidences of some labels are scaled; empty for none.
        tiles: Columns and rows of tiles in which large pictures are also analysed; (1, 1) for none.
    """

    name: str
    backend: Backend
    network: bytes | Path | DarknetNetwork
    head: Head
    class_names: Sequence[str]
    input_px: tuple[int, int]
    preparation: Preparation
    min_confidence: float
    nms_iou: float
    groups: Sequence[Sequence[str]] = ()
    model_id: str = ""
    scale: Scale = ()
    tiles: tuple[int, int] = (1, 1)


class YoloDetector:
    """Finds objects with a YOLO network. Do not use it from several threads at once."""

    def __init__(
        self, network: Network, model: NetworkModel, *, faint_confidence: float | None = None
    ) -> None:
        """Make the detector of `model`, whose network is loaded as `network`; see `with_faint`."""
        self.model = model
        self._group_of_class = _group_of_class(model)
        self._network = network
        self._faint_confidence = faint_confidence

    def with_faint(self, faint_confidence: float) -> YoloDetector:
        """Return a detector on the same network that also finds boxes down to `faint_confidence`.

        Its boxes of the model's least confidence and more are those of this detector, bit for bit.
        """
        return YoloDetector(self._network, self.model, faint_confidence=faint_confidence)

    @property
    def model_id(self) -> str:
        """Name, back-end, precision and 8 hex digits of a hash over everything that changes a detection."""
        return self.model.model_id

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        """Return the objects in each of `images`; see `Detector.detect`.

        Raises `Misconfigured` if the network fails or returns numbers that are not finite, and `ValueError`
        if an image is not (height, width, 3) of uint8.
        """
        return [future.result() for future in [self.start(image) for image in images]]

    @property
    def least_px(self) -> tuple[int, int]:
        """Least size of an image; see `AsyncDetector.least_px`."""
        return tiles.least_px(self.model.tiles, self.model.input_px)

    def start(self, image: Pixels, *, frame_px: tuple[int, int] | None = None) -> Future[list[Detection]]:
        """Implement `AsyncDetector.start`. Raises as `detect`; the future may also hold these errors."""
        check_image(image)
        size_px = frame_px or (image.shape[1], image.shape[0])
        parts = tiles.tiles_of(self.model.tiles, size_px)
        if len(parts) == 1:
            fitted = self._fitted(image)
            return self._network.start(
                fitted.picture, lambda outputs: self._detections(self._rows(outputs, fitted), size_px)
            )
        result = tiles.TiledResult(
            len(parts), lambda rows: self._detections(rows, size_px, nms_iou=min(self.model.nms_iou, NMS_IOU))
        )
        for place, part in enumerate(parts):
            pixels, borders = tiles.cut(image, part)
            fitted = self._fitted(pixels)
            read = partial(self._tile_rows, fitted=fitted, borders=borders)
            self._network.start(fitted.picture, read).add_done_callback(partial(result.put, place))
        return result.future

    def _fitted(self, image: Pixels) -> Fitted:
        return fit(image, input_px=self.model.input_px, preparation=self.model.preparation)

    def _rows(self, outputs: Outputs, fitted: Fitted) -> Floats:
        rows = self._scaled_rows(outputs, self.model.min_confidence)
        if self._faint_confidence is not None:
            # Read twice: among more rows, a head's arithmetic may round the confident ones differently.
            more = self._scaled_rows(outputs, self._faint_confidence)
            rows = np.concatenate([rows[self._is_confident(rows)], more[~self._is_confident(more)]])
        return as_parts_of_the_image(rows, fitted)

    def _scaled_rows(self, outputs: Outputs, min_confidence: float) -> Floats:
        model = self.model
        rows = self._read(outputs, min_confidence)
        if model.scale:
            rows[:, 5:] = scaled(rows[:, 5:], model.class_names, model.scale)
        return rows

    def _is_confident(self, rows: Floats) -> npt.NDArray[np.bool_]:
        return is_confident(rows[:, 5:].max(axis=1), self.model.min_confidence)

    def _tile_rows(self, outputs: Outputs, *, fitted: Fitted, borders: tiles.Tile) -> Floats:
        return tiles.in_picture(self._rows(outputs, fitted), borders)

    def _detections(
        self, rows: Floats, size_px: tuple[int, int], *, nms_iou: float | None = None
    ) -> list[Detection]:
        model, faint = self.model, self._faint_confidence
        boxes = boxes_from_rows(
            rows,
            width_px=size_px[0],
            height_px=size_px[1],
            min_confidence=model.min_confidence if faint is None else faint,
            nms_iou=model.nms_iou if nms_iou is None else nms_iou,
            group_of_class=self._group_of_class,
        )
        detections = as_detections(boxes, model.class_names)
        return [box for box in detections if box.label != NO_OBJECT]

    def all_rows(self, image: Pixels) -> Floats:
        """Return every row of the network for `image`, stretched to its input, for self-tests of networks.

        Rows are (n, 5 + classes) float32 as in `heads.Head.rows`, with boxes as fractions of the network's
        input.
        """
        preparation = self.model.preparation._replace(resize="stretch")
        picture = fit(image, input_px=self.model.input_px, preparation=preparation).picture
        return self._network.start(picture, lambda outputs: self._read(outputs, 0.0).copy()).result()

    def _read(self, outputs: Outputs, min_confidence: float) -> Floats:
        if not all(np.isfinite(output).all() for output in outputs):
            raise Misconfigured(
                f"{self.model.name}: the network returned numbers that are not finite: the file is damaged "
                "or belongs to another network; download it again"
            )
        return self.model.head.rows(outputs, min_confidence=min_confidence)


def _group_of_class(model: NetworkModel) -> Integers | None:
    """Return, by class, the first class of its group; None without groups."""
    if not model.groups:
        return None
    names = list(model.class_names)
    first_of = {label: min(map(names.index, group)) for group in model.groups for label in group}
    return np.array([first_of.get(name, number) for number, name in enumerate(names)], np.int64)
