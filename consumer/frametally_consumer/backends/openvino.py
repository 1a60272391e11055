"""Runs networks with OpenVINO, several pictures at a time, as the fast back-end on x86."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally_consumer.backends.network import Outputs, Preparation, complete
from frametally_consumer.backends.openvino_runtime import ColorFormat, PrePostProcessor, ov

T = TypeVar("T")
Arithmetic = Literal["f32", "bf16"]

_CAPABILITY: dict[Arithmetic, str] = {"f32": "FP32", "bf16": "BF16"}


class OpenVinoNetwork:
    """A network on OpenVINO's CPU plug-in.

    Every picture is a separate request, computed by one thread, so detections do not depend on the number of
    threads or requests, or on other pictures. There are two more requests than threads, one of them for the
    picture being read, so that no thread waits for the next picture.
    """

    def __init__(
        self,
        network: bytes | Path,
        *,
        name: str,
        input_px: tuple[int, int],
        preparation: Preparation,
        arithmetic: Arithmetic,
        threads: int,
    ) -> None:
        """Load `network`, an ONNX file's bytes or the path of an ONNX or OpenVINO file.

        `arithmetic` applies where the network does not specify it; it is always set, because OpenVINO's
        choice depends on the CPU. `threads` pictures are computed at once. Raises `Misconfigured` if OpenVINO
        cannot read the network or the CPU does not support the arithmetic.
        """
        self._name = name
        self._core = ov.Core()
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if _CAPABILITY[arithmetic] not in capabilities:
            raise Misconfigured(
                f"FRAMETALLY_PRECISION={arithmetic}: this machine's CPU does not support it; set it to f32"
            )
        try:
            model = self._core.read_model(network)
            if model.is_dynamic():
                model.reshape([1, 3, input_px[1], input_px[0]])
            options = {
                "INFERENCE_PRECISION_HINT": arithmetic,
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": threads,  # one thread per picture
                "ENABLE_CPU_PINNING": False,  # other workers use the same cores
            }
            self._compiled = self._core.compile_model(_taking_pictures(model, preparation), "CPU", options)
        except Exception as error:  # its errors have no narrower common base
            raise self._cannot(error) from error
        self._queue = ov.AsyncInferQueue(self._compiled, threads + 2)
        self._queue.set_callback(_hand_over)
        # OpenVINO's threads call `read`. One that returns from it while Python shuts down aborts the process,
        # so wait for them first.
        weakref.finalize(self, self._queue.wait_all)

    def start(self, picture: Pixels, read: Callable[[Outputs], T]) -> Future[T]:
        """Implement `Network.start`; OpenVINO's threads call `read`."""
        future: Future[T] = Future()
        try:
            self._queue.start_async({0: picture[np.newaxis]}, userdata=(future, read))
        except Exception as error:  # as above
            raise self._cannot(error) from error
        return future

    def _cannot(self, error: Exception) -> Misconfigured:
        reason = " ".join(str(error).split())[-300:]
        return Misconfigured(f"{self._name}: OpenVINO cannot run this network ({reason}); use another")


def _hand_over(request: Any, started: tuple[Future[T], Callable[[Outputs], T]]) -> None:
    complete(*started, [tensor.data for tensor in request.output_tensors])


def _taking_pictures(model: ov.Model, preparation: Preparation) -> ov.Model:
    """Return the network with an input of (1, height, width, 3) uint8, blue-green-red."""
    steps = PrePostProcessor(model)
    picture = steps.input()
    picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    picture.tensor().set_color_format(ColorFormat.BGR)
    picture.model().set_layout(ov.Layout("NCHW"))
    values = picture.preprocess().convert_element_type(ov.Type.f32)
    if preparation.order == "rgb":
        values.convert_color(ColorFormat.RGB)
    values.scale(255.0 / preparation.brightest)
    if any(preparation.mean) or set(preparation.std) != {1.0}:
        values.mean([*preparation.mean]).scale([*preparation.std])
    return steps.build()
