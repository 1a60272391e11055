"""Chooses a store's back-end for networks once, and loads the detector of a prepared model on it."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal, get_args

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured
from frametally.files.opencv import cv2
from frametally.media.manifests import find_record
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.records import AutoDetector, encode
from frametally.settings.loading import Settings
from frametally_consumer.backends.network import BATCH_PICTURES, Backend, Network
from frametally_consumer.backends.opencv import DarknetNetwork, OpenCvNetwork
from frametally_consumer.detectors.boxes import MIN_CONFIDENCE, PixelDetector
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector

_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_X86 = {"x86_64", "AMD64"}
_EXTRA = "install the consumer's packages with pip install 'frametally[consumer]'"
_RUNTIME = "run pip install onnxruntime, or, for an NVIDIA GPU, pip install 'frametally[gpu]'"
_REMEDIES: dict[Backend, str] = {"opencv": _EXTRA, "openvino": _EXTRA, "onnxruntime": _RUNTIME}


def cores() -> int:
    """Return how many cores this process may use, within its CPU affinity and its CPU quota.

    The quota is that of its cgroup (v2) or a parent, as set by `docker run --cpus` and `CPUQuota=`.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    own = "/"
    with suppress(OSError):
        lines = _OWN_CGROUP.read_text().splitlines()
        own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), own)
    folder = _CGROUPS / own.lstrip("/")
    for group in (folder, *folder.parents):
        with suppress(OSError, ValueError):  # no such file, or "max", which means no quota
            quota_us, period_us = map(int, (group / "cpu.max").read_text().split())
            count = min(count, max(1, math.ceil(quota_us / period_us)))
    return count


def threads(settings: Settings) -> int:
    """Return the number of threads of a worker's network."""
    return settings.detector_threads or cores()


def is_installed(backend: Backend) -> bool:
    """Return whether `backend`, and the converter of networks for it, can be imported here."""
    needs = {"opencv": ("cv2",), "openvino": ("openvino", "onnx"), "onnxruntime": ("onnxruntime", "onnx")}
    return all(importlib.util.find_spec(name) is not None for name in needs[backend])


def fastest_installed() -> Backend:
    """Return OpenVINO on x86, else ONNX Runtime, else OpenCV, whichever is the first installed."""
    if platform.machine() in _X86 and is_installed("openvino"):
        return "openvino"
    return "onnxruntime" if is_installed("onnxruntime") else "opencv"


def chosen_backend(settings: Settings, progress: Progress) -> Backend:
    """Return the back-end in the settings, or for `auto` the one that the store remembers.

    With `auto`, the first worker of a store chooses, and the choice is permanent, because counts of two
    back-ends are counts of two models. Raises `Misconfigured` if the back-end is not installed here or would
    not use the devices in the settings.
    """
    check_devices(settings)
    if settings.detector in get_args(Backend):
        named: Backend = settings.detector  # type: ignore[assignment]
        if not is_installed(named):
            raise Misconfigured(
                f"FRAMETALLY_DETECTOR={named} is not installed here; {_REMEDIES[named]}, or set it to auto"
            )
        return named
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        remembered = _remembered(store)
        if remembered is None:
            mine = fastest_installed()
            store.put(keys.AUTO_DETECTOR, encode(AutoDetector(backend=mine)), if_absent=True)
            remembered = _remembered(store) or mine  # another worker's choice may have been first
            progress.say(f"from now on, this store uses the detector {remembered}")
    if not is_installed(remembered):
        raise Misconfigured(
            f"this store's detector is {remembered} ({keys.AUTO_DETECTOR}), which is not installed here; "
            f"{_REMEDIES[remembered]}, or set FRAMETALLY_DETECTOR to another, whose counts are kept "
            "separately"
        )
    return remembered


def check_devices(settings: Settings) -> None:
    """Raise `Misconfigured` if the settings have devices that their detector would not use."""
    if settings.devices and settings.detector != "onnxruntime":
        raise Misconfigured(
            f"FRAMETALLY_EXECUTION_PROVIDERS={settings.execution_providers}: "
            f"FRAMETALLY_DETECTOR={settings.detector} would compute on the CPU; set it to onnxruntime, or "
            "leave the providers empty"
        )


def _remembered(store: ObjectStore) -> Backend | None:
    record = find_record(store, keys.AUTO_DETECTOR, AutoDetector)
    return record.backend if record else None


def load_detector(settings: Settings, model: NetworkModel | None = None) -> Detector:
    """Return the detector in the settings, ready for use; only `pixels` needs no prepared `model`.

    Raises `Misconfigured` if the network cannot be run here.
    """
    if settings.detector == "pixels":
        return PixelDetector(min_confidence=MIN_CONFIDENCE)
    if model is None:
        raise ValueError(f"detector {settings.detector}: prepare its model first")
    return network_detector(model, settings)


def network_detector(model: NetworkModel, settings: Settings) -> YoloDetector:
    """Return the detector of a prepared model; settings and errors are those of `open_network`."""
    return YoloDetector(open_network(model, settings), model)


def open_network(model: NetworkModel, settings: Settings) -> Network:
    """Load the network of `model` on its back-end.

    It uses the settings of precision, threads and execution providers. Raises `Misconfigured` if the network
    cannot be run here.
    """
    network = model.network
    if isinstance(network, DarknetNetwork):
        return OpenCvNetwork(network, threads=threads(settings))
    cv2.setNumThreads(1)  # it then only resizes, and its threads cost more than they gain
    # Imported here, so that a machine without these packages can run the reference back-end.
    if model.backend == "openvino":
        from frametally_consumer.backends.openvino import OpenVinoNetwork

        # An INT8 network itself states its INT8 parts; the rest is f32.
        arithmetic: Literal["f32", "bf16"] = "bf16" if settings.precision == "bf16" else "f32"
        return OpenVinoNetwork(
            network,
            name=model.name,
            input_px=model.input_px,
            preparation=model.preparation,
            arithmetic=arithmetic,
            threads=threads(settings),
        )
    from frametally_consumer.backends.onnxruntime import OnnxRuntimeNetwork

    return OnnxRuntimeNetwork(
        network if isinstance(network, bytes) else network.read_bytes(),
        name=model.name,
        providers=settings.providers,
        threads=threads(settings),
        preparation=model.preparation,
        batch=BATCH_PICTURES if settings.devices else 1,
        engines=settings.models_dir.expanduser() / "tensorrt",
    )
