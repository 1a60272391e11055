"""Trying a camera once: what it shows, before it is captured."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from frametally_live.cameras.camera_frames import CameraFrame, CameraReader
from frametally_live.cameras.camera_opening import CameraToOpen, open_camera
from frametally_live.cameras.failures import CameraAway
from frametally_live.cameras.stream_clock import CaptureClock

TRIAL_S = 10.0
"""Who adds a camera waits for it no longer."""
_SPAN_S = 2
"""The rate is of so much of what the camera shows."""
_NAMES = {"h264": "H.264", "hevc": "H.265", "mjpeg": "Motion JPEG", "rawvideo": "raw video"}


class CameraSight(NamedTuple):
    """What a camera shows.

    Attributes:
        width_px: Of its newest frame.
        height_px: Of its newest frame.
        code: What its pictures are sent in, such as `H.264`.
        frames_per_s: None: one frame alone came.
    """

    width_px: int
    height_px: int
    code: str
    frames_per_s: float | None

    def __str__(self) -> str:
        """Return it as people read it."""
        rate = "" if self.frames_per_s is None else f", {self.frames_per_s:.1f} frames/s"
        return f"{self.width_px} x {self.height_px} pixels, {self.code}{rate}"


def try_camera(camera: CameraToOpen, *, clock: Callable[[], float] = time.monotonic) -> CameraSight:
    """Read a camera for about two seconds; give up after `TRIAL_S`.

    Raises:
        Poison: No camera may be at the IP address that it was given.
        CameraAway: It showed nothing.
        Misconfigured: A setting of cameras cannot be read.
    """
    end_s = clock() + TRIAL_S
    first: CameraFrame | None = None
    newest: CameraFrame | None = None
    steps, code = 0, ""
    try:
        with open_camera(camera, lambda: clock() > end_s) as opened:
            name = opened.stream.codec_context.codec.canonical_name
            code = _NAMES.get(name, name)
            for frame in CameraReader(opened, CaptureClock()).frames():
                first, newest, steps = first or frame, frame, steps + (first is not None)
                if frame.position_s - first.position_s >= _SPAN_S or clock() > end_s:
                    break
    except CameraAway:
        if newest is None and clock() <= end_s:
            raise
    if first is None or newest is None:
        raise CameraAway(f"showed nothing within {TRIAL_S:g} s")
    span_s = float(newest.position_s - first.position_s)
    return CameraSight(
        newest.frame.width, newest.frame.height, code, round(steps / span_s, 1) if span_s else None
    )
