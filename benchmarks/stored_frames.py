"""Provides a video's frames as the pipeline detects them: the producer's JPEG, decoded by the consumer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np

from frametally.files.opencv import Pixels, cv2, decode_image
from frametally.settings.loading import Settings, load_settings
from frametally_producer.writing.frames import stored_jpeg

DEFAULT_QUALITY: int = Settings.model_fields["jpeg_quality"].default


def stored(picture: Pixels, jpeg_quality: int = DEFAULT_QUALITY) -> Pixels:
    """Return a picture as stored, shape (height, width, 3), uint8, with the default settings."""
    settings = load_settings(jpeg_quality=jpeg_quality)
    return decode_image(stored_jpeg(picture, settings), settings.max_image_megapixels * 1_000_000)


def decoded_frames(video: Path, number: int | None = None) -> Iterator[Pixels]:
    """Yield the frames of a video, or only the first ones; end the process if it has fewer than `number`."""
    capture = cv2.VideoCapture(str(video))
    for _ in count() if number is None else range(number):
        is_read, picture = capture.read()
        if not is_read:
            if number is None:
                return
            sys.exit(f"{video}: it has fewer than {number} frames that can be read")
        yield np.asarray(picture, np.uint8)
