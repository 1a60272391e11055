"""The clip of the demo: 12 s of traffic, 854x480 at 30 frames a second."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from frametally.files.downloads import KnownFile, ensure_files
from frametally.process.reports import Progress

TRAFFIC_CLIP = KnownFile(
    name="traffic.mp4",
    sha256="c58edcc8e509472026b7f12ee6d4809f179259a88d9af5cb548dd429f88701ad",
    size_bytes=5_101_347,
    package="pycsr-cv==1.0.0",
    package_bytes=6_030_079,
    member="pycsr_cv/assets/sample_car_video.mp4",
)


def ensure_demo_clip(folder: Path, progress: Progress | None = None) -> Path:
    """Return the traffic clip's path in `folder`, fetched and checked if it is not there yet.

    Raises:
        Misconfigured: The clip is not available; the message says what to do.
    """
    with contextlib.suppress(OSError):  # `ensure_files` reports the cause
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it becomes the demo's data folder
    return ensure_files([TRAFFIC_CLIP], folder, folder_name="the demo's folder", progress=progress)[0]


class DemoClip(NamedTuple):
    """The demo's footage, with a fixed time so that its numbers are the same everywhere."""

    path: Path
    source: str = "Traffic"
    start_time: str = "2026-01-01T08:00:00Z"
