"""What the streams of an open video state of themselves, and what their packets add to it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from frametally_producer.reading.video_file import turned_degrees
from frametally_videos.describing.packets import PacketCounts
from frametally_videos.media_records import Chapter, PictureStream, SoundStream

# Code points of ITU-T H.273, by FFmpeg's names; what stands in none of them is not stated.
_MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
_TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    11: "iec61966-2-4",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}
_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
}
_RANGES = {1: "tv", 2: "pc"}
_LONGEST_TEXT = 200
_UNKNOWN_LANGUAGE = "und"


def picture_stream(stream: VideoStream, counts: PacketCounts) -> PictureStream:
    """Return what a stream of moving pictures states, and what counting its packets showed."""
    context, first = stream.codec_context, counts.first_frame
    pixels = context.format
    tick_s = stream.time_base or Fraction(1)
    times_s = _Times(counts, tick_s)
    width_px, height_px = context.width, context.height
    shape = stream.sample_aspect_ratio or None
    return PictureStream(
        index=stream.index,
        codec=context.codec.canonical_name,
        profile=context.profile,
        level=context.level if context.level is not None and context.level >= 0 else None,
        pixel_format=pixels.name if pixels else None,
        bits=pixels.components[0].bits if pixels and pixels.components else None,
        color_space=_MATRICES.get(int(context.colorspace)) if pixels else None,
        color_transfer=_TRANSFERS.get(int(context.color_trc)),
        color_primaries=_PRIMARIES.get(int(context.color_primaries)),
        color_range=_RANGES.get(int(context.color_range)),
        width_px=width_px,
        height_px=height_px,
        sample_aspect_ratio=_ratio(shape),
        display_aspect_ratio=_ratio(shape * Fraction(width_px, height_px) if shape and height_px else None),
        rotation_degrees=0 if first is None else turned_degrees(first),
        frames_stated=stream.frames or None,
        frames_counted=counts.frames,
        average_fps=times_s.average_fps or _number(stream.average_rate),
        real_fps=_number(stream.base_rate),
        is_variable_rate=times_s.is_variable,
        shortest_step_s=times_s.shortest,
        longest_step_s=times_s.longest,
        time_base=f"{tick_s.numerator}/{tick_s.denominator}",
        longest_gop_frames=counts.longest_gop,
        has_b_frames=counts.is_reordered,
        bit_rate_bps=times_s.bit_rate(counts.size_bytes) or context.bit_rate or None,
        start_s=_seconds(stream.start_time, tick_s) if stream.start_time is not None else times_s.start,
        duration_s=times_s.length or _seconds(stream.duration, tick_s),
    )


class _Times:
    """A stream's times in seconds; None where its packets do not tell them."""

    def __init__(self, counts: PacketCounts, tick_s: Fraction) -> None:
        self.is_variable = counts.timing is None and counts.frames > 1
        self.start = self.length = self.shortest = self.longest = self.average_fps = None
        if counts.timing is None:
            return
        ticks, end = counts.timing
        self.start, self.length = _seconds(int(ticks[0]), tick_s), _seconds(end - int(ticks[0]), tick_s)
        self.average_fps = counts.frames / self.length if self.length else None
        if len(ticks) > 1:
            steps = np.diff(ticks)
            shortest, longest = int(steps.min()), int(steps.max())
            self.is_variable = longest - shortest > 1
            self.shortest, self.longest = _seconds(shortest, tick_s), _seconds(longest, tick_s)

    def bit_rate(self, size_bytes: int) -> int | None:
        return round(size_bytes * 8 / self.length) if self.length else None


def sound_stream(stream: AudioStream) -> SoundStream:
    """Return what a stream of sound states."""
    context = stream.codec_context
    language = stream.metadata.get("language")
    return SoundStream(
        index=stream.index,
        codec=context.codec.canonical_name if context else "unknown",
        profile=context.profile if context else None,
        sample_rate_hz=(context.sample_rate or None) if context else None,
        channels=(context.layout.nb_channels or None) if context else None,
        layout=(context.layout.name or None) if context else None,
        language=language[:_LONGEST_TEXT] if language and language != _UNKNOWN_LANGUAGE else None,
        bit_rate_bps=(context.bit_rate or None) if context else None,
        duration_s=_seconds(stream.duration, stream.time_base),
    )


def other_stream(stream: av.stream.Stream) -> str:
    """Return the code of what is neither pictures that move nor sound, such as `mov_text`; else its kind."""
    context = stream.codec_context
    return context.codec.canonical_name if context else stream.type


def chapter(stated: Mapping[str, Any]) -> Chapter:
    """Return a chapter as PyAV tells it: `start` and `end` in ticks of `time_base`, and its `metadata`."""
    tick_s: Fraction = stated["time_base"]
    return Chapter(
        title=str(stated["metadata"].get("title", ""))[:_LONGEST_TEXT],
        start_s=float(stated["start"] * tick_s),
        end_s=float(stated["end"] * tick_s),
    )


def _seconds(ticks: int | None, tick_s: Fraction | None) -> float | None:
    return None if ticks is None or tick_s is None else float(ticks * tick_s)


def _number(ratio: Fraction | None) -> float | None:
    return float(ratio) if ratio else None


def _ratio(ratio: Fraction | None) -> str | None:
    return f"{ratio.numerator}:{ratio.denominator}" if ratio else None
