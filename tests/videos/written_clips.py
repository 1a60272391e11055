"""Videos of pictures that a test draws."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def write_pictures(
    path: Path, pictures: Iterable[NDArray[np.uint8]], fps: int, codec: str = "libx264"
) -> Path:
    """Write pictures, BGR of shape (height, width, 3), as a video."""
    with av.open(str(path), "w") as container:
        # Noise takes the encoder four times as long by its usual preset, and is as large.
        options = {"preset": "veryfast"} if codec == "libx264" else {}
        stream: Any = container.add_stream(codec, rate=fps, options=options)
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, fps)
        for number, picture in enumerate(pictures):
            if not number:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path
