"""Measures a video's pictures in one pass: all of a short video, stretches of a long one."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from frametally.files.blank_pictures import blank_reason
from frametally.files.opencv import cv2
from frametally.rules.blank_stretches import Blank
from frametally_producer.reading.video_file import TimedFrame, Video

Grey = NDArray[np.uint8]

_PARTS = (32, 18)
_BLUR_TAPS = 9
_BLOCK_PX = 8
_LEAST_STEP = 0.3
"""Differences of neighbours below this are those of a flat picture, which shows no blocks."""


def mean_change(before: Grey, picture: Grey) -> float:
    """Return the mean difference of two pictures' pixels."""
    return float(cv2.mean(cv2.absdiff(before, picture))[0])


def largest_change(before: Grey, picture: Grey) -> float:
    """Return the largest difference of two pictures' pixels or parts."""
    return float(cv2.absdiff(before, picture).max())


def parts(picture: Grey) -> Grey:
    """Return the means of a picture's 32x18 parts."""
    return np.asarray(cv2.resize(picture, _PARTS, interpolation=cv2.INTER_AREA), np.uint8)


def blur(picture: Grey) -> float:
    """Return the blur effect of a picture, 0 (sharp) to 1 (flat).

    Blurring a picture again removes few of its differences if it was blurred before (Crété and others: The
    blur effect, SPIE 2007). Contrast and brightness do not matter.
    """
    sharp = picture.astype(np.float32)
    values = []
    for axis, taps in ((0, (1, _BLUR_TAPS)), (1, (_BLUR_TAPS, 1))):
        steps = np.abs(np.diff(sharp, axis=axis))
        rest = np.abs(np.diff(np.asarray(cv2.blur(sharp, taps)), axis=axis))
        total = float(steps.sum())
        values.append(1 - float(np.maximum(0, steps - rest).sum()) / total if total else 1.0)
    return max(values)


def blockiness(picture: Grey) -> float:
    """Return how many times larger the steps on an 8-pixel grid are than those next to it, at least 1.

    The grid may begin anywhere, and must exist in both directions (after Wang, Sheikh, Bovik: No-reference
    perceptual quality assessment of JPEG compressed images, ICIP 2002).
    """
    if min(picture.shape) < 2 * _BLOCK_PX:
        return 1.0
    values = []
    for axis in (0, 1):
        steps = np.abs(np.diff(picture.astype(np.int16), axis=axis)).mean(axis=1 - axis)
        by_place = [float(steps[place::_BLOCK_PX].mean()) for place in range(_BLOCK_PX)]
        values.append(max(by_place) / max(float(np.median(by_place)), _LEAST_STEP))
    return max(1.0, min(values))


STRETCHES, FRAMES_PER_STRETCH = 120, 60
"""In a video of more than 7,200 frames, 60 are checked at each of 120 places: the time does not grow with the
length, and nothing longer than a 120th of the video is missed."""
MOST_LOOKS = STRETCHES * FRAMES_PER_STRETCH
MOST_PASSED_OVER = 600
"""Most frames to decode from a key frame to a place."""
SMALL_WIDTH_PX = 640
"""The most width of compared pictures: about that of detectors."""
_MEASURED_EVERY_S = 0.5


class PictureLook(NamedTuple):
    """The measurements of one picture.

    Attributes:
        follows: Whether it is the next frame after the previous look.
        shows: Why it is blank, by the rules for counted frames, or None if it shows something.
        picture_digest: Equal for equal pictures.
        brightness: Mean luminance, 0 to 255.
        mean_change: Mean difference from the previous look, 0 to 255, or None if there is none of this size.
        largest_change: The same as the largest difference of one of 32x18 parts.
        blur: 0 (sharp) to 1, or None if not measured.
        blockiness: 1 (none) or more, or None if not measured.
    """

    position_s: float
    follows: bool
    shows: Blank | None
    picture_digest: str
    brightness: float
    mean_change: float | None
    largest_change: float | None
    blur: float | None = None
    blockiness: float | None = None

    @property
    def captured_at_ms(self) -> int:
        """Its position in the video, for the rules of `frametally.rules.blank_stretches`."""
        return round(self.position_s * 1000)


class _LookingThrough:
    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._before: tuple[Grey, Grey] | None = None
        self._measured_at_s = float("-inf")

    def look(self, frame: TimedFrame, *, follows: bool) -> PictureLook:
        picture = self._converted(frame, SMALL_WIDTH_PX, "bgr24")
        small = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        position_s, before, now = float(frame.position_s), self._before, (small, parts(small))
        changes: tuple[float | None, float | None] = (None, None)
        if before is not None and before[0].shape == small.shape:
            changes = mean_change(before[0], small), largest_change(before[1], now[1])
        digest, brightness = f"{zlib.crc32(picture.tobytes()):08x}", float(cv2.mean(small)[0])
        look = PictureLook(position_s, follows, blank_reason(picture), digest, brightness, *changes)
        self._before = now
        if position_s < self._measured_at_s + _MEASURED_EVERY_S:
            return look
        self._measured_at_s = position_s
        whole = self._converted(frame, frame.frame.width, "gray")
        return look._replace(blur=blur(small), blockiness=blockiness(whole))

    def _converted(self, frame: TimedFrame, most_width_px: int, pixel_format: str) -> NDArray[np.uint8]:
        width_px, height_px = frame.frame.width, frame.frame.height
        if width_px > most_width_px:
            width_px, height_px = most_width_px, max(1, round(height_px * most_width_px / width_px))
        picture = self._reformatter.reformat(
            frame.frame, width_px, height_px, pixel_format, interpolation=Interpolation.AREA
        )
        return np.asarray(picture.to_ndarray(), np.uint8)


def looks(video: Video, *, frames: int) -> Iterator[PictureLook]:
    """Yield a look at each picture of a video with `frames` frames, or at stretches of a long one."""
    looking = _LookingThrough()
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
