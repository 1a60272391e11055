"""Runs ONNX networks with ONNX Runtime, on GPUs and on machines without OpenVINO."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally_consumer.backends.network import AS_DARKNET, Outputs, Preparation, as_blob, complete, read_now

T = TypeVar("T")
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


class _Waiting(NamedTuple):
    """A picture waiting for a batch, and how to read its outputs."""

    picture: Pixels
    future: Future[Any]
    read: Callable[[Outputs], Any]


class OnnxRuntimeNetwork:
    """An ONNX network in 32-bit floats.

    On a GPU, pictures go through the network in batches of one size, padded with black, because a batch of
    another size could use another algorithm and change the last digits. Two threads take turns, so that the
    GPU computes while the CPU prepares the next batch.
    """

    def __init__(
        self,
        network: bytes,
        *,
        name: str,
        providers: Sequence[str],
        threads: int,
        preparation: Preparation = AS_DARKNET,
        batch: int = 1,
        engines: Path | None = None,
    ) -> None:
        """Load the ONNX file `network`, named `name` in errors.

        Each operation runs on the first of ONNX Runtime's execution `providers` that can run it, and on the
        CPU only if the CPU's provider is given. The network gets `batch` pictures at a time if it can take
        more than one. TensorRT keeps its engines in the folder `engines`. Raises `Misconfigured` if a
        provider is not in the installed ONNX Runtime or cannot be loaded here, if the CPU would run
        operations without its provider, or if ONNX Runtime cannot read the network.
        """
        self._name, self._preparation = name, preparation
        setting = f"FRAMETALLY_EXECUTION_PROVIDERS={','.join(providers)}"
        on_cpu = set(providers) == {CPU}
        self._remedy = "use another"
        if not on_cpu:
            self._remedy += f", or leave the failing one out of {setting}"
        available = onnxruntime.get_available_providers()
        missing = [provider for provider in providers if provider not in available]
        if missing or not providers:
            raise Misconfigured(
                f"{setting}: the installed ONNX Runtime has {', '.join(available)}; choose from these, or "
                f"install a build that has {', '.join(missing) or 'more'} (for NVIDIA: locks/gpu.lock)"
            )
        batched = _batched(network, batch) if batch > 1 else None
        self._batch = 1 if batched is None else batch
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # its messages do not name the file; ours do
        # Spinning threads would take cores from decoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        onnxruntime.set_default_logger_severity(4)
        lacks = _preload_libraries() if {CUDA, TENSORRT} & set(providers) else ""
        try:
            # No fallback: otherwise the CPU would replace a provider that fails, now or later.
            self._session = onnxruntime.InferenceSession(
                network if batched is None else batched,
                options,
                providers=[(provider, _options(provider, engines)) for provider in providers],
                enable_fallback=0,
            )
        except Exception as error:  # its errors have no narrower common base
            raise self._cannot(error) from error
        # A provider with missing libraries is dropped without an error.
        absent = [provider for provider in providers if provider not in self._session.get_providers()]
        if absent:
            raise Misconfigured(
                f"{setting}: ONNX Runtime cannot load {', '.join(absent)} here{lacks}; install the driver "
                "and the libraries that it needs, or leave it out"
            )
        used = {part.ep_name for part in self._session.get_provider_graph_assignment_info()}
        if not on_cpu and used == {CPU}:
            raise Misconfigured(
                f"{setting}: all of {name} would run on the CPU; set it to {CPU} to allow that"
            )
        if CPU in used and CPU not in providers:
            raise Misconfigured(f"{setting}: a part of {name} would run on the CPU; add {CPU} to allow that")
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._waiting: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        # Two batches in progress and one waiting, so that a finished thread finds a full batch.
        self._room = threading.BoundedSemaphore(3 * self._batch)
        self._running = ThreadPoolExecutor(2, "batches")

    def start(self, picture: Pixels, read: Callable[[Outputs], T]) -> Future[T]:
        """Implement `Network.start`; without batches, the returned future is complete."""
        if self._batch == 1:
            return read_now(read, self._run(as_blob(picture, self._preparation)))
        future: Future[T] = Future()
        self._room.acquire()
        self._waiting.put(_Waiting(picture.copy(), future, read))
        self._running.submit(self._run_waiting)
        return future

    def _run_waiting(self) -> None:
        """Run a batch of the waiting pictures, if there are any."""
        batch: list[_Waiting] = []
        with contextlib.suppress(queue.Empty):
            while len(batch) < self._batch:
                batch.append(self._waiting.get_nowait())
        if not batch:
            return
        try:
            blobs = np.zeros((self._batch, 3, *batch[0].picture.shape[:2]), np.float32)
            for place, item in enumerate(batch):
                blobs[place] = as_blob(item.picture, self._preparation)[0]
            outputs = self._run(blobs)
            if any(output.shape[:1] != (self._batch,) for output in outputs):
                raise Misconfigured(
                    f"{self._name}: the network returns {[output.shape for output in outputs]} for "
                    f"{self._batch} pictures; export it again, for one picture"
                )
            for place, item in enumerate(batch):
                complete(item.future, item.read, [output[place : place + 1] for output in outputs])
        except Exception as error:
            for item in batch:
                if not item.future.done():
                    item.future.set_exception(error)
        finally:
            self._room.release(len(batch))

    def _run(self, blobs: npt.NDArray[np.float32]) -> Outputs:
        try:
            outputs = self._session.run(None, dict.fromkeys(self._inputs, blobs))
        except Exception as error:  # as above
            raise self._cannot(error) from error
        return [np.asarray(output, dtype=np.float32) for output in outputs]

    def _cannot(self, error: Exception) -> Misconfigured:
        reason = " ".join(str(error).split())[:400]
        return Misconfigured(f"{self._name}: ONNX Runtime cannot run this network ({reason}); {self._remedy}")


def try_providers(providers: Sequence[str]) -> list[str]:
    """Return the providers that the installed ONNX Runtime has, after running a tiny network on `providers`.

    Raises `Misconfigured` as `OnnxRuntimeNetwork` does.
    """
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [1, 3, 32, 32]) for end in ("from", "to")]
    graph = helper.make_graph([helper.make_node("Relu", ["from"], ["to"])], "tiny", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    network = OnnxRuntimeNetwork(
        model.SerializeToString(), name="a test network", providers=providers, threads=1
    )
    network.start(np.zeros((32, 32, 3), np.uint8), len).result()
    return list(onnxruntime.get_available_providers())


def _batched(network: bytes, pictures: int) -> bytes | None:
    """Return `network` for `pictures` at a time, or None if it can only take one.

    Networks that frametally has converted can be changed; others only if they leave the number open.
    """
    import onnx

    model = onnx.load_model_from_string(network)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    dimensions = [value.type.tensor_type.shape.dim[0] for value in inputs]
    if model.producer_name != "frametally" and any(dimension.dim_value for dimension in dimensions):
        return None
    for value in model.graph.output if model.producer_name == "frametally" else ():
        dimensions.append(value.type.tensor_type.shape.dim[0])
    for dimension in dimensions:
        dimension.dim_value = pictures
    return bytes(model.SerializeToString())


def _options(provider: str, engines: Path | None) -> dict[str, str]:
    """Return options that make `provider` compute in 32-bit floats, without timing-based algorithms."""
    if provider == CUDA:
        return {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    if provider == TENSORRT and engines is not None:
        with contextlib.suppress(OSError):  # without a folder, engines are built at every start
            engines.mkdir(parents=True, exist_ok=True)
        return {"trt_engine_cache_enable": "True", "trt_engine_cache_path": str(engines)}
    return {}


def _preload_libraries() -> str:
    """Load NVIDIA's libraries from pip packages, where the loader does not look; return what is missing.

    The text is in brackets, for an error line, or empty if nothing is missing.
    """
    # TensorRT has no option for it and would round factors to 10 bits.
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    with contextlib.redirect_stdout(io.StringIO()) as printed:  # it prints missing libraries
        onnxruntime.preload_dlls()
    missing = printed.getvalue().splitlines()
    try:
        ctypes.CDLL("libcuda.so.1")  # from the driver
    except OSError as error:
        missing.insert(0, str(error))
    return f" ({missing[0]})" if missing else ""
