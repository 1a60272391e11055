"""Which back-end runs the networks: what a person names, or the fastest that is installed, chosen once."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal, get_args

from frametally import keys
from frametally.errors import Misconfigured
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress
from frametally.records import AutoDetector, decode_at, encode
from frametally.settings.loading import Settings

Backend = Literal["opencv", "openvino", "onnxruntime"]

_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_X86 = {"x86_64", "AMD64"}
_EXTRA = "install the consumer's packages: pip install 'frametally[consumer]'"


def cores() -> int:
    """Return how many cores this process may use: those it may run on, as far as its CPU quota pays.

    The quota is that of its cgroup (v2) or of one above, as `docker run --cpus` and `CPUQuota=` set it.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    own = "/"
    with suppress(OSError):
        lines = _OWN_CGROUP.read_text().splitlines()
        own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), own)
    folder = _CGROUPS / own.lstrip("/")
    for group in (folder, *folder.parents):
        with suppress(OSError, ValueError):  # no such file, or "max": no quota
            quota_us, period_us = map(int, (group / "cpu.max").read_text().split())
            count = min(count, max(1, math.ceil(quota_us / period_us)))
    return count


def threads(settings: Settings) -> int:
    """Return how many threads a worker's network has."""
    return settings.detector_threads or cores()


def is_installed(backend: Backend) -> bool:
    """Return whether `backend`, and what converts a network for it, can be imported here."""
    needs = {"opencv": ("cv2",), "openvino": ("openvino", "onnx"), "onnxruntime": ("onnxruntime", "onnx")}
    return all(importlib.util.find_spec(name) is not None for name in needs[backend])


def fastest_installed() -> Backend:
    """Return OpenVINO on x86, ONNX Runtime elsewhere, OpenCV where neither is installed."""
    if platform.machine() in _X86 and is_installed("openvino"):
        return "openvino"
    return "onnxruntime" if is_installed("onnxruntime") else "opencv"


def chosen_backend(settings: Settings, progress: Progress) -> Backend:
    """Return the back-end that the settings ask for; for `auto` the one that the store remembers.

    The first worker of a store that is told `auto` chooses, and the choice stays: counts of two back-ends are
    counts of two models.

    Raises:
        Misconfigured: It is not installed here.
    """
    if settings.detector in get_args(Backend):
        named: Backend = settings.detector  # type: ignore[assignment]
        if not is_installed(named):
            raise Misconfigured(
                f"FRAMETALLY_DETECTOR={named}: it is not installed here; {_EXTRA}, or set it to auto"
            )
        return named
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        remembered = _remembered(store)
        if remembered is None:
            mine = fastest_installed()
            store.put(keys.AUTO_DETECTOR, encode(AutoDetector(backend=mine)), if_absent=True)
            remembered = _remembered(store) or mine  # another worker's choice may have been first
            progress.say(f"detector: {remembered}, from now on for this store")
    if not is_installed(remembered):
        raise Misconfigured(
            f"this store's detector is {remembered} ({keys.AUTO_DETECTOR}), which is not installed here; "
            f"{_EXTRA}, or name another with FRAMETALLY_DETECTOR, whose counts stand beside"
        )
    return remembered


def _remembered(store: ObjectStore) -> Backend | None:
    try:
        return decode_at(keys.AUTO_DETECTOR, store.get(keys.AUTO_DETECTOR), AutoDetector).backend
    except ObjectMissing:
        return None
