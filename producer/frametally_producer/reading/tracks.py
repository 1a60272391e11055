"""Chooses the track of a video file to count, and reads what each track states about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

import av
from av.stream import Disposition
from av.video.stream import VideoStream

from frametally.errors import Poison

FFMPEG_TIME_BASE = Fraction(1, 1_000_000)
_ONE_LENGTH = ("matroska", "flv", "asf")
"""Containers that state one length for all their tracks."""


_DEFAULT_PIXELS = 5_000_000
_COVER_PART = 10
"""A track shorter than this part of another (a tenth) is a cover or a preview, whatever its size."""
_RATES = 0.001, 100_000.0
_RATE_PART = 20
"""Rates that differ by less than this part (a twentieth) are the same."""


class VideoTrack(NamedTuple):
    """A video track.

    Attributes:
        number: Its number among the file's video tracks, from 1.
        tracks: The number of the file's video tracks.
        is_usual: Whether it is the default track.
        tracks_left: A message about the other tracks, or empty if it is the only one.
    """

    number: int
    tracks: int
    stream: VideoStream
    is_usual: bool
    tracks_left: str


def choose_track(container: av.container.InputContainer, number: int | None) -> VideoTrack:
    """Return video track `number`, by default the one that FFmpeg would choose for a copy of the file.

    FFmpeg chooses the track with the most pixels, where the mark "default" is worth five million, and the
    first of equals; it skips tracks without packets. Here, covers are skipped as well. Attached pictures,
    such as album art, do not count as tracks.

    Raises `Poison` if there is no such track.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise Poison("has no moving pictures; give a video that has some")
    if number is not None and not 1 <= number <= len(streams):
        has = f"{len(streams)} video track" + ("s" if len(streams) > 1 else "")
        raise Poison(f"has {has} and no track {number}; choose another --track")
    ends_s = [_end_s(container, stream) for stream in streams]
    longest_s = max((end_s for end_s in ends_s if end_s is not None), default=Fraction(0))

    def score(index: int) -> tuple[bool, bool, int]:
        stream, end_s = streams[index], ends_s[index]
        is_cover = end_s is not None and end_s * _COVER_PART < longest_s
        is_default = bool(stream.disposition & Disposition.default)
        return stream.codec_context is not None, not is_cover, _pixels(stream) + is_default * _DEFAULT_PIXELS

    usual = max(range(len(streams)), key=score)
    chosen = usual if number is None else number - 1
    other_indexes = [index for index in range(len(streams)) if index != chosen]
    tracks_left = ""
    if other_indexes:
        names = ", ".join(f"track {index + 1} ({_size(streams[index])})" for index in other_indexes)
        number_text = str(other_indexes[0] + 1) if len(other_indexes) == 1 else "N"
        tracks_left = (
            f"has {len(streams)} video tracks; frametally counts track {chosen + 1} "
            f"({_size(streams[chosen])}); to count {names}, run `frametally produce` with --track "
            f"{number_text} --source NAME"
        )
    return VideoTrack(chosen + 1, len(streams), streams[chosen], chosen == usual, tracks_left)


def _pixels(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height if stream.codec_context else 0


def _size(stream: VideoStream) -> str:
    context = stream.codec_context
    return f"{context.width}x{context.height}" if context else "unknown codec"


def _end_s(container: av.container.InputContainer, stream: VideoStream) -> Fraction | None:
    """Return about when a track ends in seconds, or None if it does not state it."""
    return stated_length_s(container, stream) or _tagged_end_s(stream)


def _tagged_end_s(stream: VideoStream) -> Fraction | None:
    """Return when a track of a Matroska file ends in seconds, by its statistics, or None."""
    ends_at = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if ends_at is None:
        return None
    hours, minutes, seconds = map(Fraction, ends_at.groups())
    return (hours * 60 + minutes) * 60 + seconds


def rate_remark(metadata: Mapping[str, str], fps: Fraction | None) -> str:
    """Return a message about a file that was filmed at another rate than its own, or an empty string."""
    try:
        filmed_fps = float(metadata.get("com.android.capture.fps", "0"))
    except ValueError:
        return ""
    if not fps or not _RATES[0] <= filmed_fps <= _RATES[1] or abs(filmed_fps - fps) * _RATE_PART <= fps:
        return ""
    return (
        f"states that it was filmed at {filmed_fps:.3g} frames per second, but runs at {float(fps):.3g}; to "
        f"count it in the time of life, run `frametally produce` with --speed {float(fps) / filmed_fps:.4g}"
    )


def stated_length_s(container: av.container.InputContainer, stream: VideoStream) -> Fraction | None:
    """Return the stated length of a track in seconds, or None if it does not state it."""
    time_base = stream.time_base or FFMPEG_TIME_BASE
    length_s = stream.duration * time_base if stream.duration else None
    if container.format.name in _ONE_LENGTH and len(container.streams) > 1:
        # FFmpeg may have filled in the container's length, which may be that of the sound.
        end_s = None if length_s else _tagged_end_s(stream)
        return None if end_s is None else end_s - (stream.start_time or 0) * time_base
    if length_s and _may_hide_frames(container, stream):
        return length_s
    counted_s = stream.frames / stream.average_rate if stream.frames > 0 and stream.average_rate else None
    lengths = [length for length in (length_s, counted_s) if length]
    # The container's length may be that of its sound.
    if not lengths and container.duration and len(container.streams) == 1:
        lengths.append(container.duration * FFMPEG_TIME_BASE)
    return max(lengths, default=None)


def stated_frames(container: av.container.InputContainer, stream: VideoStream) -> int | None:
    """Return about how many frames a track shows, or None if it does not state a number.

    An MP4's number includes frames that an edit list hides, or only has those of the first fragment.
    """
    rate, length = stream.average_rate, stream.duration
    if _may_hide_frames(container, stream) and stream.frames > 0 and rate and length and stream.time_base:
        return max(round(length * stream.time_base * rate), 1)
    return stream.frames if stream.frames > 0 else None


def _may_hide_frames(container: av.container.InputContainer, stream: VideoStream) -> bool:
    """Return whether an edit list may hide frames, so that a track's length counts, not their number.

    A number of frames larger than the number of bytes of the file is damaged and ignored.
    """
    return "mov" in container.format.name and stream.frames <= container.size
