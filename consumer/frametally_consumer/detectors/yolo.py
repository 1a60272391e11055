"""The detector of YOLO networks: one pre-processing and one post-processing around any back-end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally.records import Detection
from frametally_consumer.backends.network import Network, Outputs
from frametally_consumer.backends.network_input import Fitted, Resize, as_parts_of_the_image, fit
from frametally_consumer.detectors.boxes import as_detections, boxes_from_rows
from frametally_consumer.detectors.protocol import check_image
from frametally_consumer.models.heads import Head

Floats = npt.NDArray[np.float32]


class YoloDetector:
    """Finds objects with a YOLO network. `start` and `detect` are for one thread at a time."""

    def __init__(
        self,
        network: Network,
        head: Head,
        *,
        model_id: str,
        name: str,
        class_names: Sequence[str],
        input_width_px: int,
        input_height_px: int,
        resize: Resize,
        min_confidence: float,
        nms_iou: float,
    ) -> None:
        """A detector that is ready.

        Args:
            network: What computes.
            head: What its outputs mean.
            model_id: As `detector.make_model_id` makes it, of all that is given here.
            name: What an error line calls the model.
            class_names: Names of its classes, in their order.
            input_width_px: Width of the network's input.
            input_height_px: Height of the network's input.
            resize: How a picture comes to that size.
            min_confidence: Boxes below it are left out.
            nms_iou: Of two boxes of one class that overlap by more, the weaker is left out.
        """
        self._network, self._head = network, head
        self._model_id, self._name = model_id, name
        self._class_names = class_names
        self._input_width_px, self._input_height_px, self._resize = input_width_px, input_height_px, resize
        self._min_confidence, self._nms_iou = min_confidence, nms_iou

    @property
    def model_id(self) -> str:
        """Name, back-end, precision and 8 hex over everything that changes a detection."""
        return self._model_id

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        """The objects in each of `images`, as `Detector.detect` says.

        Raises:
            Misconfigured: The network's answer is not made of finite numbers, or cannot be had.
            ValueError: An image is not (height, width, 3) of uint8.
        """
        return [found.result() for found in [self.start(image) for image in images]]

    @property
    def least_px(self) -> tuple[int, int]:
        """As `AsyncDetector.least_px` says."""
        return self._input_width_px, self._input_height_px

    def start(self, image: Pixels, *, frame_px: tuple[int, int] | None = None) -> Future[list[Detection]]:
        """As `AsyncDetector.start` says. Raises as `detect` does; the future may hold the same errors."""
        check_image(image)
        fitted = self._fit(image, self._resize)
        width_px, height_px = frame_px or (image.shape[1], image.shape[0])
        future: Future[list[Detection]] = Future()

        def then(outputs: Outputs) -> None:
            try:
                rows = as_parts_of_the_image(self._read(outputs, self._min_confidence), fitted)
                boxes = boxes_from_rows(
                    rows,
                    width_px=width_px,
                    height_px=height_px,
                    min_confidence=self._min_confidence,
                    nms_iou=self._nms_iou,
                )
                future.set_result(as_detections(boxes, self._class_names))
            except Exception as error:
                future.set_exception(error)

        self._network.start(fitted.picture, then)
        return future

    def all_rows(self, image: Pixels) -> Floats:
        """Every row that the network makes of `image`, stretched to its size: what `self_test` looks at.

        Returns:
            (n, 5 + classes) float32 as `heads.Head.rows` makes them, boxes as parts of the network's input.
        """
        future: Future[Floats] = Future()

        def then(outputs: Outputs) -> None:
            try:
                future.set_result(self._read(outputs, 0.0).copy())
            except Exception as error:
                future.set_exception(error)

        self._network.start(self._fit(image, "stretch").picture, then)
        return future.result()

    def _fit(self, image: Pixels, resize: Resize) -> Fitted:
        return fit(image, width_px=self._input_width_px, height_px=self._input_height_px, resize=resize)

    def _read(self, outputs: Outputs, min_confidence: float) -> Floats:
        if not all(np.isfinite(output).all() for output in outputs):
            raise Misconfigured(
                f"{self._name}: the network answers with numbers that are not finite: the file is "
                "broken or belongs to another network; get it again"
            )
        return self._head.rows(outputs, min_confidence=min_confidence)
