"""The fast back-end on x86: networks run by OpenVINO, several pictures at a time."""

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

    Every picture is a request of its own and is computed by one thread, so that nothing that is found depends
    on how many threads or requests there are, or on the other pictures. One request more than there are
    threads, and one for the picture that is being read: no thread waits for the next picture.
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

        `arithmetic` is of what the network does not say itself; it is always stated, as OpenVINO's own choice
        depends on the CPU. As many pictures are computed at once as there are `threads`.

        Raises `Misconfigured`: OpenVINO cannot read the network, or the CPU has no such arithmetic.
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
                "NUM_STREAMS": threads,  # a thread for each picture
                "ENABLE_CPU_PINNING": False,  # other workers use the same cores
            }
            self._compiled = self._core.compile_model(_taking_pictures(model, preparation), "CPU", options)
        except Exception as error:  # its errors share no base but this
            raise self._cannot(error) from error
        self._queue = ov.AsyncInferQueue(self._compiled, threads + 2)
        self._queue.set_callback(_hand_over)
        # `read` is called in OpenVINO's threads. One that comes back from it while Python shuts down aborts
        # the process, so Python waits for them first.
        weakref.finalize(self, self._queue.wait_all)

    def start(self, picture: Pixels, read: Callable[[Outputs], T]) -> Future[T]:
        """Do as `Network.start` says; `read` is called in a thread of OpenVINO's."""
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
