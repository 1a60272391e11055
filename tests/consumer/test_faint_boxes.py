"""A detector that also finds faint boxes finds all others as before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar

import numpy as np

from frametally.files.opencv import Pixels
from frametally_consumer.backends.network import AS_DARKNET, Outputs, complete
from frametally_consumer.detectors.heads import Floats
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector

PICTURE = np.zeros((100, 100, 3), np.uint8)
ROWS = np.array(
    [
        [0.2, 0.2, 0.2, 0.2, 1, 0.5],
        [0.21, 0.2, 0.2, 0.2, 1, 0.08],  # a weaker box of the same object
        [0.5, 0.5, 0.2, 0.2, 1, 0.1],
        [0.8, 0.8, 0.2, 0.2, 1, 0.09996],  # 0.1 as it is written
        [0.8, 0.2, 0.2, 0.2, 1, 0.0999],
        [0.2, 0.8, 0.2, 0.2, 1, 0.06],
        [0.5, 0.8, 0.2, 0.2, 1, 0.04],
    ],
    np.float32,
)


class Same:
    """A network with the same outputs for each picture."""

    def start(self, picture: Pixels, read: Callable[[Outputs], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        complete(future, read, [ROWS])
        return future


class RoundingHead:
    """Reads boxes a little to the right of the place at which it reads them among fewer."""

    name: ClassVar[str] = "rounding"

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        rows = outputs[0][outputs[0][:, 5] >= min_confidence - 1e-3].copy()
        rows[:, 0] += 0.002 * len(rows)
        return rows


def test_faint_boxes_change_neither_the_bits_nor_the_order_of_the_others() -> None:
    model = NetworkModel(
        name="same",
        backend="onnxruntime",
        network=b"",
        head=RoundingHead(),
        class_names=["car"],
        input_px=(96, 96),
        preparation=AS_DARKNET,
        min_confidence=0.1,
        nms_iou=0.45,
    )
    alone = YoloDetector(Same(), model)
    confident = alone.detect([PICTURE])[0]
    assert [box.confidence for box in confident] == [0.5, 0.1, 0.1]
    found = alone.with_faint(0.05).detect([PICTURE])[0]
    assert found[:3] == confident
    assert [box.confidence for box in found[3:]] == [0.0999, 0.06]
    assert alone.detect([PICTURE])[0] == confident
