"""Places from which a video that was cut short can be gone on with, without decoding it from its beginning.

A decode index counts frames from the beginning, and after a jump a decoder may give other pixels than on the
straight way. So a place is noted on the straight way: a key frame with its index and time, and a later frame,
the last before the next key frame, with its index, time and a sum over its pixels. After a jump to the key
frame the decoder must come to the very same later frame under the same index; only then its frames are used.
"""

from __future__ import annotations

import zlib

import av
import msgspec
import numpy as np

CONTAINERS = frozenset({"mov", "matroska"})
"""Those (as `container_format` names them) whose times only grow and that have an index: elsewhere a jump may
land in the wrong recording."""

_FRAMES_APART = 100
_USUAL_FORMATS = frozenset({"yuv420p", "yuvj420p"})


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key frame: its index, and its time in the stream's unit."""

    frame_index: int
    ticks: int


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded frame: its index, its time in the stream's unit, and a sum over its pixels."""

    frame_index: int
    ticks: int
    checksum: int


class ResumePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a video can be gone on with.

    Attributes:
        first_ticks: Time of the video's first frame.
        before_ticks: Time of the frame before the key frame.
        key: The key frame.
        check: A later frame. All frames up to it have been seen to; production goes on behind it.
        samplings: For which they have been: sorted.
        revision: Of the medium, at that time.
        announced: How many of the medium's frames up to `check` had been announced.
    """

    first_ticks: int
    before_ticks: int
    key: Key
    check: Mark
    samplings: tuple[str, ...] = ()
    revision: int = 0
    announced: int = 0


class PlaceLost(Exception):
    """The decoder does not come to the same frames from there."""


def _checksum(frame: av.VideoFrame) -> int:
    """A sum over the frame's pixels; 0 for a frame that cannot be converted."""
    # The usual frames as they are: to convert one costs as much as to decode several.
    usual = frame.format.name in _USUAL_FORMATS and frame.width % 2 == 0 == frame.height % 2
    try:
        pixels = frame.to_ndarray() if usual else frame.to_ndarray(format="bgr24")
        return zlib.crc32(np.ascontiguousarray(pixels, np.uint8).data)
    except (av.FFmpegError, ValueError):
        return 0


def check_place(place: ResumePoint, frame_index: int, ticks: int | None, frame: av.VideoFrame) -> None:
    """Return if a frame that was decoded after the jump is what it was on the straight way.

    Args:
        place: Where the jump went.
        frame_index: Counted from the place's key frame's.
        ticks: Its own time; None if that was made up.
        frame: The frame.

    Raises:
        PlaceLost: It is not.
    """
    if (frame_index == place.key.frame_index) != (ticks == place.key.ticks):
        raise PlaceLost
    if (frame_index == place.check.frame_index) != (ticks == place.check.ticks):
        raise PlaceLost
    if frame_index == place.check.frame_index and _checksum(frame) != place.check.checksum:
        raise PlaceLost


class PlaceFinder:
    """Finds places while a video is decoded."""

    def __init__(self, first_ticks: int | None) -> None:
        """Begin at the video's first frame, or in the middle of a video that begins at `first_ticks`."""
        self._first_ticks = first_ticks
        self._key: Key | None = None
        self._before_key_ticks = 0
        self._before: tuple[int, av.VideoFrame] | None = None
        self._next_from = _FRAMES_APART
        self._usable = True

    def pass_over(self, frame_index: int, ticks: int | None, frame: av.VideoFrame) -> ResumePoint | None:
        """The next frame was decoded; the place that ends before it, if there is one.

        Args:
            frame_index: Its index.
            ticks: Its own time; None if that was made up.
            frame: The frame.
        """
        if ticks is None:  # from here on there is nothing sure to jump to
            self._usable = False
            self._before = None
        if ticks is None or not self._usable:
            return None
        if self._first_ticks is None:
            self._first_ticks = ticks
        before, self._before = self._before, (frame_index, frame)
        if frame_index < self._next_from or before is None or not frame.key_frame:
            return None
        before_index, before_frame = before
        before_ticks = before_frame.pts or 0
        place = None
        if self._key is not None:
            place = ResumePoint(
                first_ticks=self._first_ticks,
                before_ticks=self._before_key_ticks,
                key=self._key,
                check=Mark(frame_index=before_index, ticks=before_ticks, checksum=_checksum(before_frame)),
            )
            self._next_from = frame_index + _FRAMES_APART
        self._key = Key(frame_index=frame_index, ticks=ticks)
        self._before_key_ticks = before_ticks
        return place
