"""All that is told of one video, as one record: `VideoMetadata`."""

from __future__ import annotations

import datetime
from fractions import Fraction

import av
from av.stream import Disposition
from av.video.stream import VideoStream

from frametally.rules.times import EPOCH, MILLISECOND
from frametally_producer.reading.sampling import count_taken
from frametally_producer.reading.video_file import Video, creation_time
from frametally_videos.describing.container_tags import has_location, kept_tags
from frametally_videos.describing.mp4_boxes import read_boxes
from frametally_videos.describing.packets import PacketCounts, count_packets
from frametally_videos.describing.stream_facts import chapter, other_stream, picture_stream, sound_stream
from frametally_videos.looking.browser_codecs import why_not_played
from frametally_videos.media_records import VideoMetadata
from frametally_videos.records import VideoRecord

MADE_BY = f"1, FFmpeg {av.ffmpeg_version_info}"
"""Version of this description, and of the FFmpeg that opens and decodes."""

_BOXED = ("mp4", "mov")
_MICROSECOND = Fraction(1, 1_000_000)
_MOST_CHAPTERS = 1000


def describe(video: Video, record: VideoRecord, *, sampling: str) -> VideoMetadata:
    """Return all that an open video tells; its packets are read, and of its frames but the first decoded.

    Args:
        video: The original; what was read so is not read again by `Video.frames`.
        record: Whose original it is.
        sampling: Frames a second as text, or `all`: how many are taken of it so is counted.
    """
    container, facts = video.container, record.facts
    pictures = [stream for stream in container.streams.video if _moves(stream)]
    counts = count_packets(container, pictures)
    # Only now: FFmpeg reads the same file.
    boxes = read_boxes(video.file) if facts.container in _BOXED else None
    first = counts[pictures[0].index]
    described = [picture_stream(stream, counts[stream.index]) for stream in pictures]
    why_not = why_not_played(facts.container, described[0].codec, described[0].pixel_format or "unknown")
    duration_s = _length_s(container.duration) or max(
        (stream.duration_s for stream in described if stream.duration_s), default=None
    )
    created = creation_time(container.metadata)
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
                *(one.first_frame.metadata for one in counts.values() if one.first_frame is not None),
            ]
        ),
        pictures=described,
        sounds=[sound_stream(stream) for stream in container.streams.audio],
        others=[other_stream(stream) for stream in container.streams if _is_other(stream)],
        chapters=[chapter(stated) for stated in container.chapters()[:_MOST_CHAPTERS]],
        plays_in_browsers=why_not is None,
        why_not=why_not,
        started_at_ms=facts.started_at_ms,
        time_source=facts.time_source,
        sampled_frames=sampled_frames(first, pictures[0].time_base, sampling),
    )


def sampled_frames(counts: PacketCounts, tick_s: Fraction | None, sampling: str) -> int | None:
    """Return how many frames a sampling takes of a stream; None where its packets do not tell their times."""
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


def _length_s(microseconds: int | None) -> float | None:
    return float(microseconds * _MICROSECOND) if microseconds else None
