"""Pictures and videos that a test draws: BGR of shape (height, width, 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frametally.files.opencv import cv2

Picture = NDArray[np.uint8]
MakeFile = Callable[..., Path]
"""A fixture that makes a video or a picture file by its name."""


def write_clip(
    path: Path,
    pictures: Iterable[Picture],
    *,
    fps: int = 5,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write pictures as a video whose ending tells the container, with tags; return its path."""
    import av  # the environments of Spark and Airflow have none, and draw pictures

    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        # Noise takes the encoder four times as long by its usual preset, and is as large.
        usual = {"preset": "veryfast"} if codec == "libx264" else {}
        stream: Any = container.add_stream(codec, rate=fps, options=usual | (options or {}))
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, fps)
        stream.codec_context.thread_count = 1  # x264 writes other bytes with each number of threads
        for number, picture in enumerate(pictures):
            if not number:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


def with_patches(
    *corners: tuple[int, int], size_px: tuple[int, int] = (64, 48), side_px: int = 16
) -> Picture:
    """Return a black picture with bright squares, each at its left and top pixel."""
    picture = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    for left, top in corners:
        picture[top : top + side_px, left : left + side_px] = 255
    return picture


def crossing(frames: int) -> Iterator[Picture]:
    """Yield pictures of 96 x 64 px, in which one bright square moves right, and one is still."""
    return (with_patches((number, 8), (70, 40), size_px=(96, 64)) for number in range(frames))


def noisy(frames: int, seed: int) -> Iterator[Picture]:
    """Yield pictures of 96 x 64 px, which no encoder makes small."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(frames))


def jpeg_of(picture: NDArray[Any], quality: int = 95) -> bytes:
    """Return a picture as a JPEG file."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def grey_jpeg(width_px: int, height_px: int, shade: int = 90) -> bytes:
    """Return a JPEG file of one shade."""
    return jpeg_of(np.full((height_px, width_px, 3), shade, np.uint8))
