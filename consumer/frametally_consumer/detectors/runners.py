"""Networks as ONNX or OpenVINO files, on the back-end that runs them."""

from __future__ import annotations

from pathlib import Path

from frametally.settings.stages import Settings
from frametally_consumer.backends.network import Network
from frametally_consumer.detectors.choice import Backend, threads


def run_network(
    network: bytes | Path, backend: Backend, settings: Settings, *, name: str, input_px: tuple[int, int]
) -> Network:
    """`network`, loaded.

    Args:
        network: An ONNX file's bytes; for `openvino` also the path of an OpenVINO file.
        backend: `openvino` or `onnxruntime`.
        settings: Precision, threads, execution providers.
        name: What an error line calls the network.
        input_px: Width and height of its input.

    Raises:
        Misconfigured: It cannot be run.
    """
    if backend == "openvino":
        from frametally_consumer.backends.openvino import OpenVinoNetwork

        # An INT8 network says itself what is INT8; the rest of it is f32.
        return OpenVinoNetwork(
            network,
            name=name,
            input_px=input_px,
            arithmetic="bf16" if settings.precision == "bf16" else "f32",
            threads=threads(settings),
        )
    from frametally_consumer.backends.onnxruntime import OnnxRuntimeNetwork

    providers = [provider.strip() for provider in settings.execution_providers.split(",") if provider.strip()]
    data = network if isinstance(network, bytes) else network.read_bytes()
    return OnnxRuntimeNetwork(data, name=name, providers=providers, threads=threads(settings))
