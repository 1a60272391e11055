"""The tracks of a video file: which of them is counted, and what each states about itself."""

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
"""Containers that state one length, of all their tracks together."""


_DEFAULT_PIXELS = 5_000_000
_COVER_PART = 10
"""A track that lasts less than this part of another is a cover or a preview, whatever its size."""
_RATES = 0.001, 100_000.0
_RATE_PART = 20
"""Rates that differ by less than this part are the same."""


class VideoTrack(NamedTuple):
    """A track of moving pictures.

    Attributes:
        number: Its place among the file's tracks of moving pictures, from 1.
        tracks: The number of those tracks.
        is_usual: Whether frametally counts it without a `number`.
        tracks_left: What to say about the other tracks; empty: it is the only one.
    """

    number: int
    tracks: int
    stream: VideoStream
    is_usual: bool
    tracks_left: str


def choose_track(container: av.container.InputContainer, number: int | None) -> VideoTrack:
    """Return track `number` of moving pictures; None: the one that FFmpeg takes for a copy of the file.

    FFmpeg takes the track with the most pixels, where the mark "default" is worth five million, and of equal
    ones the first; it passes over tracks without packets. Here a cover is passed over, too. Pictures that are
    attached, such as album art, do not count as tracks.

    Raises `Poison`: there is no such track.
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
    """Return about when a track ends, seconds; None if it does not say it."""
    return stated_length_s(container, stream) or _tagged_end_s(stream)


def _tagged_end_s(stream: VideoStream) -> Fraction | None:
    """Return when a track of a Matroska file ends, seconds, by its statistics; None if there are none."""
    ends_at = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if ends_at is None:
        return None
    hours, minutes, seconds = map(Fraction, ends_at.groups())
    return (hours * 60 + minutes) * 60 + seconds


def rate_remark(metadata: Mapping[str, str], fps: Fraction | None) -> str:
    """Return what to say of a file that was filmed at another rate than its own; empty: it was not."""
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
    """Return how long a track says that it is shown, seconds; None if it does not say it."""
    time_base = stream.time_base or FFMPEG_TIME_BASE
    length_s = stream.duration * time_base if stream.duration else None
    if container.format.name in _ONE_LENGTH and len(container.streams) > 1:
        # FFmpeg may have put in the length of all, which may be that of the sound.
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
    """Return about how many frames a track shows; None if it states no number.

    An MP4's own number also counts those that an edit list hides, or only those of the first fragment.
    """
    rate, length = stream.average_rate, stream.duration
    if _may_hide_frames(container, stream) and stream.frames > 0 and rate and length and stream.time_base:
        return max(round(length * stream.time_base * rate), 1)
    return stream.frames if stream.frames > 0 else None


def _may_hide_frames(container: av.container.InputContainer, stream: VideoStream) -> bool:
    """Return whether an edit list may hide frames: then a track's length counts, and not their number.

    A number of frames that is larger than the file's number of bytes is damaged, and does not count.
    """
    return "mov" in container.format.name and stream.frames <= container.size
