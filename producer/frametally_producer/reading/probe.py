"""Trying for a moment how fast footage can be produced here."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally.process.retrying import GivenUp
from frametally.settings.loading import Settings
from frametally_producer.reading.media_file import open_medium
from frametally_producer.reading.picture_reader import PictureReader
from frametally_producer.reading.pixels import encode_jpeg, shrink
from frametally_producer.reading.sampling import Sampler
from frametally_producer.reading.video_file import open_video

_FILES, _S_PER_FILE = 3, 1.0
_HASHED_BYTES = 64 << 20


class Speed(NamedTuple):
    """What it costs to produce footage.

    Attributes:
        s_per_pixel: Seconds for each pixel to decode, with the storing of the frames that are taken.
        s_per_byte: Seconds to read each byte of a file for its identity.
        bytes_per_frame: Size of a stored frame.
    """

    s_per_pixel: float
    s_per_byte: float
    bytes_per_frame: float


class _Trial:
    """Sums over the files that were tried."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.max_pixels = settings.max_image_megapixels * 1_000_000
        self.pixels = self.frames = self.stored_bytes = self.hashed_bytes = 0
        self.seconds = self.hash_s = 0.0

    def store(self, pixels: Pixels) -> None:
        data = encode_jpeg(shrink(pixels, self.settings.max_side_px), self.settings.jpeg_quality)
        hashlib.sha256(data).digest()
        self.frames += 1
        self.stored_bytes += len(data)


def probe(paths: Sequence[Path], settings: Settings, pictures: PictureReader | None) -> Speed | None:
    """Measure the cost of such pictures, or of videos if there is no reader of pictures.

    The first, a middle and the last are tried, a second each.

    None if nothing could be measured.
    """
    trial = _Trial(settings)
    for path in dict.fromkeys(paths[at * (len(paths) - 1) // (_FILES - 1)] for at in range(_FILES)):
        try:
            _try_hash(path, trial)
            if pictures is None:
                _try_video(path, trial)
            else:
                _try_picture(path, trial, pictures)
        except (Poison, OSError, GivenUp):
            continue
    if not trial.pixels or not trial.frames or not trial.hashed_bytes:
        return None
    return Speed(
        trial.seconds / trial.pixels, trial.hash_s / trial.hashed_bytes, trial.stored_bytes / trial.frames
    )


def _try_hash(path: Path, trial: _Trial) -> None:
    began_s = time.monotonic()
    with open_medium(path) as file:
        data = file.read(_HASHED_BYTES)
    hashlib.sha256(data).digest()
    trial.hashed_bytes += len(data)
    trial.hash_s += time.monotonic() - began_s


def _try_video(path: Path, trial: _Trial) -> None:
    with open_medium(path) as file, open_video(file, max_pixels=trial.max_pixels) as video:
        sampler = Sampler(trial.settings.sample_fps)
        began_s = time.monotonic()
        for frame, is_taken in sampler.sift(video.frames()):
            trial.pixels += video.size_px[0] * video.size_px[1]
            if is_taken:
                trial.store(video.pixels(frame.frame))
            if time.monotonic() - began_s > _S_PER_FILE:
                break
        trial.seconds += time.monotonic() - began_s


def _try_picture(path: Path, trial: _Trial, pictures: PictureReader) -> None:
    began_s = time.monotonic()
    with open_medium(path) as file:
        header = pictures.read_header(file, max_pixels=trial.max_pixels)
        trial.store(pictures.read_pixels(file, header))
    trial.pixels += header.width_px * header.height_px
    trial.seconds += time.monotonic() - began_s
