"""One pass over a video's pictures, all of a short one, stretches of a long one: what each measures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from frametally.files.opencv import cv2
from frametally_producer.reading.video_file import TimedFrame, Video
from frametally_videos.checking.picture_measures import (
    Grey,
    blockiness,
    blur,
    is_black,
    largest_change,
    mean_change,
    parts,
)

STRETCHES, FRAMES_PER_STRETCH = 120, 60
"""Of a video of more than 7,200 frames, 60 are looked at from each of 120 places: what it takes does not grow
with its length, and what lasts for longer than a 120th of it is seen."""
MOST_LOOKS = STRETCHES * FRAMES_PER_STRETCH
MOST_PASSED_OVER = 600
"""Frames that are decoded to come to a place, from one that stands by itself."""
SMALL_WIDTH_PX = 640
"""What is compared is at most so wide: about what detectors look at."""
_MEASURED_EVERY_S = 0.5


class PictureLook(NamedTuple):
    """What one picture measures.

    Attributes:
        position_s: Seconds after the first frame.
        follows: Whether it is the very next frame after the look before.
        is_black: Whether there is nothing in it.
        brightness: Mean luminance, 0 to 255.
        mean_change: Mean difference to the look before, 0 to 255; None of the first.
        largest_change: Largest difference of one of 32x18 parts to the look before; None of the first.
        blur: 0 (sharp) to 1; None where it was not measured.
        blockiness: From 1 (none) on; None where it was not measured.
    """

    position_s: float
    follows: bool
    is_black: bool
    brightness: float
    mean_change: float | None
    largest_change: float | None
    blur: float | None = None
    blockiness: float | None = None


class LookingThrough:
    """Looks at a video's pictures, one after the other."""

    def __init__(self) -> None:
        """Look at nothing yet."""
        self._reformatter = VideoReformatter()
        self._before: tuple[Grey, Grey] | None = None
        self._measured_at_s = float("-inf")

    def look(self, frame: TimedFrame, *, follows: bool) -> PictureLook:
        """Measure the next picture."""
        small = self._grey(frame, SMALL_WIDTH_PX)
        position_s, before, now = float(frame.position_s), self._before, (small, parts(small))
        changes: tuple[float | None, float | None] = (None, None)
        if before is not None and before[0].shape == small.shape:
            changes = mean_change(before[0], small), largest_change(before[1], now[1])
        found = PictureLook(position_s, follows, is_black(small), float(cv2.mean(small)[0]), *changes)
        self._before = now
        if position_s < self._measured_at_s + _MEASURED_EVERY_S:
            return found
        self._measured_at_s = position_s
        return found._replace(blur=blur(small), blockiness=blockiness(self._grey(frame, frame.frame.width)))

    def _grey(self, frame: TimedFrame, most_width_px: int) -> Grey:
        width_px, height_px = frame.frame.width, frame.frame.height
        if width_px > most_width_px:
            width_px, height_px = most_width_px, max(1, round(height_px * most_width_px / width_px))
        grey = self._reformatter.reformat(
            frame.frame, width_px, height_px, "gray", interpolation=Interpolation.AREA
        )
        return np.asarray(grey.to_ndarray(), np.uint8)


def looks(video: Video, *, frames: int) -> Iterator[PictureLook]:
    """Yield a look at each picture of a video of so many frames; of a long one, of stretches of it."""
    looking = LookingThrough()
    if frames <= MOST_LOOKS or not video.duration_s:
        for frame in video.frames():
            yield looking.look(frame, follows=True)
            if frame.frame_index >= STRETCHES * (FRAMES_PER_STRETCH + MOST_PASSED_OVER):
                return
        return
    places_s = [video.duration_s * number / STRETCHES for number in range(STRETCHES)]
    for follows, frame in video.stretches(
        places_s, most_frames=FRAMES_PER_STRETCH, most_passed_over=MOST_PASSED_OVER
    ):
        yield looking.look(frame, follows=follows)
