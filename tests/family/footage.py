"""Footage for families: a video with something for the detector of pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SETTINGS = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_INTERVAL_S": "1"}
FPS = 5


def make_video(path: Path, *, frames: int) -> Path:
    """A bright patch that moves right, and a second one every other two seconds."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for n in range(frames):
            image = np.zeros((240, 320, 3), np.uint8)
            image[40:80, n % 280 : n % 280 + 40] = 255
            if n // 10 % 2:
                image[150:190, 100:160] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path
