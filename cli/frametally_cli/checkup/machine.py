"""This machine: its software, its disk, its clock."""

from __future__ import annotations

import datetime
import importlib.metadata
import shutil
import sys
from collections.abc import Iterator

from frametally.ports.object_store import ObjectInfo
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import Finding

_LIBRARIES = {
    "frametally": "",
    "msgspec": "",
    "obstore": "",
    "sqlalchemy": "",
    "numpy": "producer, consumer",
    "opencv-python-headless": "producer, consumer",
    "av": "producer",
    "openvino": "consumer, as a fast detector",
    "onnxruntime": "consumer, as a fast detector",
    "mrjob": "hadoop",
    "elasticsearch": "search",
    "kafka-python": "a Kafka log",
    "boto3": "an S3 store",
    "flask": "web",
}
_FIRST_YEAR, _LAST_YEAR = 2025, 2100
_MOST_SKEW_S = 60


def software_rows() -> Iterator[Finding]:
    """Look at Python and the main libraries; those of stages that are not installed here are no fault."""
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("software", "Python", version, remedy="" if fits else "use Python 3.11, 3.12 or 3.13")
    for name, needed_by in _LIBRARIES.items():
        found = _version(name)
        note = f"for: {needed_by}" if needed_by else ""
        yield Finding("software", name, found or "not installed", note)
    other = [name for name in ("opencv-python", "opencv-contrib-python") if _version(name)]
    if other and _version("opencv-python-headless"):
        remedy = f"pip uninstall {' '.join(other)}, then install opencv-python-headless again"
        yield Finding("software", ", ".join(other), "beside opencv-python-headless", remedy=remedy)


def disk_row(settings: Settings) -> Finding:
    """Compare the free space where the data folder is with `min_free_disk_mb`."""
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    least_mb = settings.min_free_disk_mb
    try:
        free_mb = shutil.disk_usage(folder).free // 1_000_000
    except OSError as error:
        return Finding("disk", str(folder), error.strerror or str(error), remedy="set FRAMETALLY_DATA_DIR")
    enough = free_mb >= least_mb
    remedy = "" if enough else "free some space there, or set FRAMETALLY_DATA_DIR to a folder on another disk"
    return Finding("disk", str(settings.data_dir), f"{free_mb} MB free", f"{least_mb} MB are needed", remedy)


def clock_row(now_s: float, probe: ObjectInfo | None) -> Finding:
    """Look whether this machine's clock can be right: the year, and the store's idea of the time."""
    if not 0 < now_s < 10**11:
        return Finding(
            "clock", "system clock", f"{now_s} s from 1970", remedy="set the clock of this machine"
        )
    shown = datetime.datetime.fromtimestamp(now_s, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    note, remedy = "", ""
    if not _FIRST_YEAR <= int(shown[:4]) <= _LAST_YEAR:
        remedy = (
            "set the clock of this machine; event times are not touched by it, but signatures and ages are"
        )
    if probe is not None and probe.modified_at_ms:
        skew_s = now_s - probe.modified_at_ms / 1000
        note = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the store's"
        if abs(skew_s) > _MOST_SKEW_S:
            remedy = remedy or "set the clock of this machine, or of the store: they differ"
    return Finding("clock", "system clock", shown, note, remedy)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
