"""Reads the metadata of one video as a `VideoMetadata`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.stream import Disposition
from av.video.stream import VideoStream

from frametally.rules.times import EPOCH, MILLISECOND
from frametally_producer.reading.sampling import count_taken
from frametally_producer.reading.time_statements import read_moment
from frametally_producer.reading.video_file import Video, turned_degrees
from frametally_videos.derivatives.browser_codecs import why_not_played
from frametally_videos.describing.container_facts import has_location, kept_tags, read_boxes
from frametally_videos.describing.packets import PacketCounts, count_packets
from frametally_videos.media_records import Chapter, PictureStream, SoundStream, VideoMetadata
from frametally_videos.records import VideoRecord

# Code points of ITU-T H.273 and FFmpeg's names for them; others count as not stated.
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


def _picture_stream(stream: VideoStream, counts: PacketCounts) -> PictureStream:
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
    """A stream's times in seconds, None if its packets lack them."""

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


def _sound_stream(stream: AudioStream) -> SoundStream:
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


def _other_stream(stream: av.stream.Stream) -> str:
    """Return the codec of a stream that is neither video nor sound, such as `mov_text`, or else its kind."""
    context = stream.codec_context
    return context.codec.canonical_name if context else stream.type


def chapter(stated: Mapping[str, Any]) -> Chapter:
    """Convert a chapter of PyAV: `start` and `end` in ticks of `time_base`, and its `metadata`."""
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


MADE_BY = f"1, FFmpeg {av.ffmpeg_version_info}"
"""Version of this description, and of FFmpeg, which opens and decodes."""

_BOXED = ("mp4", "mov")
_MICROSECOND = Fraction(1, 1_000_000)
_MOST_CHAPTERS = 1000


def describe(video: Video, record: VideoRecord, *, sampling: str) -> VideoMetadata:
    """Return the metadata of an open video; reads all packets, and decodes only the first frames.

    Args:
        video: The original; `Video.frames` does not read the bytes again that were read here.
        record: The video's record.
        sampling: Frames a second as text, or `all`, to compute the number of sampled frames.
    """
    container, facts = video.container, record.facts
    chosen = video.stream  # first in the list
    other_streams = [
        stream for stream in container.streams.video if _moves(stream) and stream.index != chosen.index
    ]
    pictures = [chosen, *other_streams]
    counts = count_packets(container, pictures)
    # Only now, since FFmpeg reads the same file.
    boxes = read_boxes(video.file) if facts.container in _BOXED else None
    first = counts[pictures[0].index]
    streams = [_picture_stream(stream, counts[stream.index]) for stream in pictures]
    pixel_format = streams[0].pixel_format or "unknown"
    why_not = why_not_played(facts.container, streams[0].codec, pixel_format, track=video.track.number)
    duration_s = _seconds(container.duration, _MICROSECOND) or max(
        (stream.duration_s for stream in streams if stream.duration_s), default=None
    )
    created = read_moment(container.metadata.get("creation_time", ""))
    return VideoMetadata(
        video_id=record.id,
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        made_by=MADE_BY,
        container=facts.container,
        brands=boxes.brands if boxes else [],
        moov=boxes.moov if boxes else None,
        duration_s=duration_s,
        bit_rate_bps=round(record.size_bytes * 8 / duration_s) if duration_s else None,
        created_at_ms=None if created is None else _ms(created),
        tags=kept_tags(container.metadata),
        had_location=has_location(
            [
                container.metadata,
                *(stream.metadata for stream in container.streams),
                *(count.first_frame.metadata for count in counts.values() if count.first_frame is not None),
            ]
        ),
        pictures=streams,
        sounds=[_sound_stream(stream) for stream in container.streams.audio],
        others=[_other_stream(stream) for stream in container.streams if _is_other(stream)],
        chapters=[chapter(stated) for stated in container.chapters()[:_MOST_CHAPTERS]],
        plays_in_browsers=why_not is None,
        why_not=why_not,
        started_at_ms=facts.started_at_ms,
        time_source=facts.time_source,
        sampled_frames=sampled_frames(first, pictures[0].time_base, sampling),
    )


def sampled_frames(counts: PacketCounts, tick_s: Fraction | None, sampling: str) -> int | None:
    """Return how many frames of a stream a sampling takes, or None if its packets lack times."""
    if counts.timing is None or tick_s is None:
        return None
    return count_taken(sampling, counts.timing.ticks - counts.timing.ticks[0], tick_s)


def _moves(stream: VideoStream) -> bool:
    return stream.codec_context is not None and not stream.disposition & Disposition.attached_pic


def _is_other(stream: av.stream.Stream) -> bool:
    if isinstance(stream, VideoStream):
        return not _moves(stream)
    return stream.type != "audio"


def _ms(moment: datetime.datetime) -> int:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)) - EPOCH) // MILLISECOND
