"""How fast a core multiplies at best: convolutions of many shapes, and nothing around them."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from frametally.errors import Misconfigured
from frametally.process.reports import NoProgress
from frametally.settings.loading import load_settings
from frametally_consumer.backends.openvino_runtime import ov
from frametally_models.converted import int8_network
from frametally_models.files import check_model, chosen_model_files

SHAPES = [(128, 52, 3), (256, 26, 3), (256, 52, 3), (512, 26, 3), (1024, 26, 3), (1024, 26, 1)]
"""Channels, side of the picture and of the kernel: the network's own shapes, and larger ones."""

_LAYERS, _RUNS = 2, 8
_SIDE, _PRODUCTS = 1024, 30


def int8_macs() -> int | None:
    """Multiply-adds of the INT8 network's convolutions for one picture; None where there is none."""
    settings = load_settings(detector="openvino", precision="int8")
    try:
        model = check_model(chosen_model_files(settings, NoProgress()))
        path, _ = int8_network(model, settings, NoProgress())
    except Misconfigured:
        return None
    nodes = ov.Core().read_model(path).get_ops()
    return sum(_macs(node) for node in nodes if node.get_type_name() == "Convolution")


def matrix_product() -> float:
    """Billions of multiply-adds a CPU second, of a large product of f32 matrices by NumPy."""
    random = np.random.default_rng(0)
    one, other = (random.random((_SIDE, _SIDE), dtype=np.float32) for _ in range(2))
    rates = []
    for _ in range(_PRODUCTS):
        # CPU seconds of the process: BLAS may use more threads than one.
        start_s = time.process_time()
        _ = one @ other
        rates.append(_SIDE**3 / (time.process_time() - start_s) / 1e9)
    return max(rates)


def fastest_convolution(*, int8: bool, threads: int) -> float:
    """Billions of multiply-adds a second of each thread, of OpenVINO's fastest single convolution.

    The fastest one of all that were run, of the shape that suits it best: no network is as fast.

    Args:
        int8: 8-bit integers, or else f32.
        threads: How many work at the same time.
    """
    return max(_fastest_of(*shape, int8=int8, threads=threads) for shape in SHAPES)


def _fastest_of(channels: int, side_px: int, kernel: int, *, int8: bool, threads: int) -> float:
    network = _convolutions(channels, side_px, kernel, int8=int8)
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "ENABLE_CPU_PINNING": False,
        "PERF_COUNT": True,
    }
    queue = ov.AsyncInferQueue(ov.Core().compile_model(network, "CPU", options), threads)
    times_s: list[float] = []

    def note(request: Any, _: object) -> None:
        for layer in request.profiling_info:
            if layer.node_type == "Convolution":
                times_s.append(layer.real_time.total_seconds())

    queue.set_callback(note)
    picture = np.random.default_rng(0).random((1, channels, side_px, side_px), dtype=np.float32)
    for _ in range(_RUNS * threads):
        queue.start_async({0: picture})
    queue.wait_all()
    return (channels * side_px * kernel) ** 2 / min(times_s) / 1e9


def _convolutions(channels: int, side_px: int, kernel: int, *, int8: bool) -> ov.Model:
    ops, random = ov.opset8, np.random.default_rng(0)

    def rounded(value: Any, low: float, high: float, levels: int) -> Any:
        ends = [ops.constant(np.float32(end)) for end in (low, high, low, high)]
        return ops.fake_quantize(value, *ends, levels) if int8 else value

    picture = ops.parameter([1, channels, side_px, side_px], np.float32)
    layer = rounded(picture, 0.0, 1.0, 256)
    for _ in range(_LAYERS):
        shape = (channels, channels, kernel, kernel)
        weights = ops.constant(random.uniform(-1, 1, shape).astype(np.float32))
        edges = [kernel // 2] * 2
        layer = ops.convolution(layer, rounded(weights, -1.0, 1.0, 255), [1, 1], edges, edges, [1, 1])
        layer = rounded(ops.relu(layer), 0.0, 50.0, 256)
    return ov.Model([layer], [picture])


def _macs(node: Any) -> int:
    """Multiply-adds of a convolution: each output number takes one kernel."""
    outputs = math.prod(node.get_output_shape(0))
    _, *kernel = node.input_value(1).get_shape()
    return outputs * math.prod(kernel)
