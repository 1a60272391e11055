"""A Darknet network small enough for tests, and real frames."""

from __future__ import annotations

import importlib.util
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from frametally.files.opencv import Pixels, cv2
from frametally_models.files import ModelFiles

TINY_CFG = """\
[net]
width=32
height=32
channels=3

[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky

# two boxes of 4 coordinates, objectness and two classes
[convolutional]
filters=14
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=0,1
anchors=10,14, 23,27
classes=2
num=2
"""
TINY_FLOATS = (4 * 4 + 4 * 3 * 9) + (14 + 14 * 4)


def tiny_weights(seed: int = 7) -> npt.NDArray[np.float32]:
    """Positive throughout, because some are variances."""
    return np.random.default_rng(seed).uniform(0.1, 1.0, TINY_FLOATS).astype(np.float32)


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., ModelFiles]:
    """Write a small model's three files; each part can be replaced."""

    def write(
        *,
        cfg: str = TINY_CFG,
        weights: bytes | None = None,
        names: str = "cat\ndog\n",
        version: tuple[int, int] = (0, 2),
        folder: str = "model",
    ) -> ModelFiles:
        files = ModelFiles(*(tmp_path / folder / name for name in ("tiny.cfg", "tiny.weights", "tiny.names")))
        files.cfg.parent.mkdir(exist_ok=True)
        files.cfg.write_text(cfg)
        head = struct.pack("<3i", *version, 0) + bytes(8 if version >= (0, 2) else 4)
        files.weights.write_bytes(head + tiny_weights().tobytes() if weights is None else weights)
        files.names.write_text(names)
        return files

    return write


@pytest.fixture(scope="session")
def nncf() -> None:
    """Skips without it; fails with FRAMETALLY_REQUIRE_INT8=1."""
    if importlib.util.find_spec("nncf") is None:
        give_up = pytest.fail if os.environ.get("FRAMETALLY_REQUIRE_INT8") == "1" else pytest.skip
        give_up("no NNCF here: `make test-int8` has it")


@pytest.fixture(scope="session")
def clip_frames(traffic_clip: Path) -> dict[int, Pixels]:
    """Every 60th frame of the traffic clip, by its index."""
    capture = cv2.VideoCapture(str(traffic_clip))
    frames = {}
    index = 0
    while True:
        there, frame = capture.read()
        if not there:
            break
        if index % 60 == 0:
            frames[index] = np.asarray(frame, dtype=np.uint8)
        index += 1
    capture.release()
    return frames
