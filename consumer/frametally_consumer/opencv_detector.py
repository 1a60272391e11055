"""The reference back-end: Darknet networks run by OpenCV's DNN module."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from frametally.downloads import file_sha256
from frametally.errors import Misconfigured
from frametally.opencv import Pixels, cv2
from frametally.records import Detection
from frametally_consumer.boxes import (
    CONFIDENCE_STEPS,
    POSTPROCESSING_VERSION,
    Boxes,
    as_detections,
    boxes_from_rows,
    to_steps,
)
from frametally_consumer.detector import check_image, make_model_id
from frametally_consumer.model_files import ModelFiles, check_model
from frametally_consumer.network_input import RESIZE_RULE, network_input


class OpenCvDetector:
    """A Darknet YOLO network in 32-bit floats. Not for use by several threads at once.

    Images go through the network one at a time: in a batch OpenCV is no faster, and so nothing that is found
    in an image can depend on the others.
    """

    def __init__(
        self,
        files: ModelFiles,
        *,
        input_width_px: int,
        input_height_px: int,
        min_confidence: float,
        nms_iou: float,
    ) -> None:
        """Loads the network and runs it once.

        Args:
            files: The model's files.
            input_width_px: Width of the network's input, a multiple of 32.
            input_height_px: Height of the network's input, a multiple of 32.
            min_confidence: Boxes below it are left out.
            nms_iou: Of two boxes of one class that overlap by more, the weaker is left out.

        Raises:
            Misconfigured: The files do not fit each other, or the network cannot be run.
        """
        model = check_model(files)
        self._files = files
        self._class_names = model.class_names
        self._input_width_px, self._input_height_px = input_width_px, input_height_px
        self._min_confidence, self._nms_iou = min_confidence, nms_iou
        self._model_id = make_model_id(
            name=files.weights.stem,
            backend="opencv",
            precision="f32",
            ingredients={
                "cfg_sha256": file_sha256(files.cfg),
                "weights_sha256": hashlib.sha256(model.weights).hexdigest(),
                "class_names": model.class_names,
                "input_px": [input_width_px, input_height_px],
                "resize": RESIZE_RULE,
                "min_confidence_e4": int(to_steps(min_confidence, CONFIDENCE_STEPS)),
                "nms_iou": nms_iou,
                "postprocessing": POSTPROCESSING_VERSION,
            },
        )
        try:
            self._network = cv2.dnn.readNetFromDarknet(
                np.frombuffer(model.facts.text.encode(), np.uint8), np.frombuffer(model.weights, np.uint8)
            )
            self._network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
            self._network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
            self._outputs = self._network.getUnconnectedOutLayersNames()
            # Any picture will do to see that every layer fits the one before.
            self._rows(np.full((input_height_px, input_width_px, 3), 114, dtype=np.uint8))
        except cv2.error as error:
            reason = " ".join(str(error.err or error).split())
            raise Misconfigured(
                f"{files.cfg}: OpenCV cannot run this network ({reason}); correct it or use another"
            ) from error

    @property
    def model_id(self) -> str:
        """Name, back-end, precision and 8 hex over everything that changes a detection."""
        return self._model_id

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        """The objects in each of `images`, as `Detector.detect` says.

        Raises:
            Misconfigured: The weights are broken: the network's answer is not made of finite numbers.
            ValueError: An image is not (height, width, 3) of uint8.
        """
        return [as_detections(self._boxes(image), self._class_names) for image in images]

    def _boxes(self, image: Pixels) -> Boxes:
        check_image(image)
        return boxes_from_rows(
            self._rows(image),
            width_px=image.shape[1],
            height_px=image.shape[0],
            min_confidence=self._min_confidence,
            nms_iou=self._nms_iou,
        )

    def _rows(self, image: Pixels) -> npt.NDArray[np.float32]:
        """(n, 5 + classes) float32: the rows of all output layers, as `boxes_from_rows` takes them."""
        blob = network_input(image, width_px=self._input_width_px, height_px=self._input_height_px)
        self._network.setInput(blob)
        columns = 5 + len(self._class_names)
        outputs = self._network.forward(self._outputs)
        rows = np.concatenate(
            [np.asarray(output, dtype=np.float32).reshape(-1, columns) for output in outputs]
        )
        if not np.isfinite(rows).all():
            raise Misconfigured(
                f"{self._files.weights}: the network answers with numbers that are not finite: the file is "
                "broken or belongs to another network; get it again"
            )
        return rows
