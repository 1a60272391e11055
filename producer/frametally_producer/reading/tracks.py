"""The tracks of a video file: what each states about itself."""

from __future__ import annotations

import re
from fractions import Fraction

import av

FFMPEG_TIME_BASE = Fraction(1, 1_000_000)
_ONE_LENGTH = ("matroska", "flv", "asf")
"""Containers that state one length, of all their tracks together."""


def stated_length_s(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> Fraction | None:
    """Return how long a track says that it is shown, seconds; None if it does not say it."""
    time_base = stream.time_base or FFMPEG_TIME_BASE
    length_s = stream.duration * time_base if stream.duration else None
    if container.format.name in _ONE_LENGTH and len(container.streams) > 1:
        # FFmpeg may have put in the length of all, which may be that of the sound.
        ends_at = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        if length_s or not ends_at:
            return None
        hours, minutes, seconds = map(Fraction, ends_at.groups())
        return (hours * 60 + minutes) * 60 + seconds - (stream.start_time or 0) * time_base
    if length_s and _has_edit_list(container):
        return length_s
    counted_s = stream.frames / stream.average_rate if stream.frames > 0 and stream.average_rate else None
    lengths = [length for length in (length_s, counted_s) if length]
    # The container's length may be that of its sound.
    if not lengths and container.duration and len(container.streams) == 1:
        lengths.append(container.duration * FFMPEG_TIME_BASE)
    return max(lengths, default=None)


def stated_frames(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> int | None:
    """Return about how many frames a track shows; None if it states no number.

    An MP4's own number also counts those that an edit list hides, or only those of the first fragment.
    """
    rate, length = stream.average_rate, stream.duration
    if _has_edit_list(container) and stream.frames > 0 and rate and length and stream.time_base:
        return max(round(length * stream.time_base * rate), 1)
    return stream.frames if stream.frames > 0 else None


def _has_edit_list(container: av.container.InputContainer) -> bool:
    """Return whether it may hide frames: then a track's length counts, and not its number of frames."""
    return "mov" in container.format.name
