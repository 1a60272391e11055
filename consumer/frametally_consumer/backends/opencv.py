"""Runs Darknet networks with OpenCV's DNN module, as the reference back-end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels, cv2
from frametally_consumer.backends.network import Outputs, as_blob, read_now

T = TypeVar("T")


class DarknetNetwork(NamedTuple):
    """A Darknet network with its weights.

    Attributes:
        cfg: The network file, for error lines.
        text: The content that OpenCV should read.
    """

    cfg: Path
    text: str
    weights: bytes


class OpenCvNetwork:
    """A Darknet network in 32-bit floats.

    Pictures go through the network one at a time: OpenCV gains nothing from batches, and so the detections in
    a picture cannot depend on others.
    """

    def __init__(self, network: DarknetNetwork, *, threads: int) -> None:
        """Load `network`, for `threads` threads. Raises `Misconfigured` if OpenCV cannot read it."""
        self._cfg, self._threads = network.cfg, threads
        try:
            self._network = cv2.dnn.readNetFromDarknet(
                np.frombuffer(network.text.encode(), np.uint8), np.frombuffer(network.weights, np.uint8)
            )
            self._network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
            self._network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
            self._outputs = self._network.getUnconnectedOutLayersNames()
        except cv2.error as error:
            raise self._cannot(error) from error

    def start(self, picture: Pixels, read: Callable[[Outputs], T]) -> Future[T]:
        """Implement `Network.start`; the returned future is complete."""
        cv2.setNumThreads(self._threads)  # process-wide: other users of OpenCV may have changed it
        try:
            self._network.setInput(as_blob(picture))
            outputs = self._network.forward(self._outputs)
        except cv2.error as error:
            raise self._cannot(error) from error
        return read_now(read, [np.asarray(output, dtype=np.float32) for output in outputs])

    def _cannot(self, error: cv2.error) -> Misconfigured:
        reason = " ".join(str(error.err or error).split())
        return Misconfigured(
            f"{self._cfg}: OpenCV cannot run this network ({reason}); correct it or use another"
        )
