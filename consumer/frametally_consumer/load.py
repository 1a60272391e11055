"""The detector of a prepared model, on the back-end that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from frametally.files.opencv import cv2
from frametally.settings.loading import Settings
from frametally_consumer.backends.network import Network
from frametally_consumer.backends.opencv import DarknetNetwork, OpenCvNetwork
from frametally_consumer.detectors.choice import Backend, threads
from frametally_consumer.detectors.pixel import PixelDetector
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector


def load_detector(settings: Settings, model: NetworkModel | None = None) -> Detector:
    """Return the detector that the settings ask for, ready for use; `pixels` alone needs no prepared `model`.

    Raises:
        Misconfigured: The network cannot be run here.
    """
    if settings.detector == "pixels":
        return PixelDetector(min_confidence=settings.min_confidence)
    if model is None:
        raise ValueError(f"detector {settings.detector}: its model has to be prepared before")
    return network_detector(model, settings)


def network_detector(model: NetworkModel, settings: Settings) -> YoloDetector:
    """Return the detector of a prepared model; arguments and errors as of `open_network`."""
    network = open_network(model.network, model.backend, settings, name=model.name, input_px=model.input_px)
    return YoloDetector(network, model)


def open_network(
    network: bytes | Path | DarknetNetwork,
    backend: Backend,
    settings: Settings,
    *,
    name: str,
    input_px: tuple[int, int],
) -> Network:
    """Load `network` on its back-end; the arguments are as in `NetworkModel`.

    Of the settings count precision, threads and execution providers.

    Raises:
        Misconfigured: It cannot be run here.
    """
    if isinstance(network, DarknetNetwork):
        return OpenCvNetwork(network, threads=threads(settings))
    cv2.setNumThreads(1)  # it only resizes then, and its threads cost more than they bring
    # Imported here: a machine without these packages can run the reference.
    if backend == "openvino":
        from frametally_consumer.backends.openvino import OpenVinoNetwork

        # An INT8 network says itself what is INT8; the rest of it is f32.
        arithmetic: Literal["f32", "bf16"] = "bf16" if settings.precision == "bf16" else "f32"
        return OpenVinoNetwork(
            network, name=name, input_px=input_px, arithmetic=arithmetic, threads=threads(settings)
        )
    from frametally_consumer.backends.onnxruntime import OnnxRuntimeNetwork

    data = network if isinstance(network, bytes) else network.read_bytes()
    providers = [provider.strip() for provider in settings.execution_providers.split(",") if provider.strip()]
    return OnnxRuntimeNetwork(data, name=name, providers=providers, threads=threads(settings))
