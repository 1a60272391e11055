"""How fast one core multiplies: a matrix product, and the INT8 network's convolutions one by one."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frametally.errors import Misconfigured
from frametally.reports import NoProgress
from frametally.settings import Settings, load_settings
from frametally_consumer.converted import int8_network
from frametally_consumer.model_files import check_model, chosen_model_files
from frametally_consumer.openvino_runtime import ov

_SIDE = 1024
_RUNS = 30


class Arithmetic(NamedTuple):
    """What one core does, in billions of multiply-adds a second.

    Attributes:
        network_macs: Multiply-adds of the network's convolutions for one picture.
        matrix_product: Of a large product of f32 matrices.
        fastest_int8_layer: Of the INT8 network's convolution that is computed fastest.
    """

    network_macs: int
    matrix_product: float
    fastest_int8_layer: float


def arithmetic() -> Arithmetic | None:
    """Measured now; None where there is no INT8 network."""
    settings = load_settings(detector="openvino", precision="int8", detector_threads=1)
    try:
        model = check_model(chosen_model_files(settings, NoProgress()))
        path, _ = int8_network(model, settings, NoProgress())
    except Misconfigured:
        return None
    macs, seconds = _convolutions(path, settings)
    rates = [macs[name] / seconds[name] / 1e9 for name in macs if seconds.get(name, 0.0) > 1e-4]
    return Arithmetic(sum(macs.values()), _matrix_product(), max(rates))


def _matrix_product() -> float:
    random = np.random.default_rng(0)
    one, other = (random.random((_SIDE, _SIDE), dtype=np.float32) for _ in range(2))
    rates = []
    for _ in range(_RUNS):
        # CPU seconds of the process: BLAS may use more threads than one.
        start_s = time.process_time()
        _ = one @ other
        rates.append(_SIDE**3 / (time.process_time() - start_s) / 1e9)
    return max(rates)


def _convolutions(path: Path, settings: Settings) -> tuple[dict[str, int], dict[str, float]]:
    """Multiply-adds, and seconds, of each convolution by its name."""
    core = ov.Core()
    network = core.read_model(path)
    macs = {
        node.get_friendly_name(): _macs(node)
        for node in network.get_ops()
        if node.get_type_name() == "Convolution"
    }
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERF_COUNT": True,
    }
    compiled = core.compile_model(network, "CPU", options)
    request = compiled.create_infer_request()
    picture = np.random.default_rng(0).random(
        (1, 3, settings.input_height_px, settings.input_width_px), dtype=np.float32
    )
    times: dict[str, list[float]] = {}
    for number in range(_RUNS + 3):
        request.infer({0: picture})
        for layer in request.profiling_info if number >= 3 else ():
            if layer.node_name in macs:
                times.setdefault(layer.node_name, []).append(layer.real_time.total_seconds())
    return macs, {name: min(each) for name, each in times.items()}  # the rest is what disturbed it


def _macs(node: Any) -> int:
    """Multiply-adds of a convolution: each output number takes one kernel."""
    outputs = math.prod(node.get_output_shape(0))
    _, *kernel = node.input_value(1).get_shape()
    return outputs * math.prod(kernel)
