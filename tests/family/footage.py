"""Footage for families: a video with something for the detector of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.kit.clips import Picture, write_clip

SETTINGS = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_INTERVAL_S": "1"}
FPS = 5


def make_video(path: Path, *, frames: int) -> Path:
    """A bright patch that moves right, and a second one every other two seconds."""
    return write_clip(path, map(_picture, range(frames)), fps=FPS)


def _picture(number: int) -> Picture:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[40:80, number % 280 : number % 280 + 40] = 255
    if number // 10 % 2:
        picture[150:190, 100:160] = 255
    return picture
