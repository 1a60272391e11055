"""Reads facts about a video from its bytes (container, streams, time), and refuses unusable files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from io import BufferedReader
from pathlib import Path

from frametally.errors import Poison
from frametally.rules.times import HOUR_S
from frametally.settings.loading import Settings
from frametally_producer.reading.containers import HEAD_BYTES, container_format
from frametally_producer.reading.event_time import (
    EventTime,
    TimeClues,
    find_event_time,
    is_in_future,
    iso,
    parse_start_time,
)
from frametally_producer.reading.time_doubts import other_time
from frametally_producer.reading.video_file import Video, open_video
from frametally_videos.derivatives.browser_codecs import why_not_played
from frametally_videos.records import VideoFacts, VideoFields
from frametally_videos.settings import VideoSettings
from frametally_videos.upload_refusals import NO_VIDEO, UNPROCESSABLE, Refused, about_it, sentence

_BRAND_AT, _BRAND_BYTES = 8, 4
_FIRST_PACKETS = 100
_MOST_FRAMES, _MOST_STREAMS, _MOST_FPS = 20_000_000, 32, 1000
# Brands of still pictures in the first box of an MP4 (ISO/IEC 23008-12, AV1 Image File Format).
_PICTURES = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"crx "}
# JPEG, PNG, TIFF, BMP and WebP: the pictures that `frametally run` counts.
_COUNTED_PICTURE = re.compile(rb"\xff\xd8\xff|\x89PNG|II\*\0|MM\0\*|BM.{4}\0{4}|RIFF.{4}WEBP", re.DOTALL)
_TAKES_VIDEOS = ("It is a picture, but uploads take videos.", "`frametally run FOLDER` counts pictures.")
_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "matroska": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
    "mpeg": "video/mpeg",
    "flv": "video/x-flv",
    "asf": "video/x-ms-wmv",
    "ogg": "video/ogg",
}


def facts_of(file: BufferedReader, fields: VideoFields, file_name: str, settings: Settings) -> VideoFacts:
    """Return the facts of the video in `file`, decoding only until there is one picture.

    Raises:
        Refused: It is not a video (415), or not a usable one (422).
    """
    container = _container(file)
    try:
        with open_video(file, max_pixels=settings.max_image_megapixels * 1_000_000) as video:
            return _facts(video, container, fields, file_name, settings)
    except Poison as error:
        raise Refused.of_unusable(UNPROCESSABLE, error) from error


def _container(file: BufferedReader) -> str:
    """Return the kind of container by its first bytes."""
    head = file.read(HEAD_BYTES)
    if not head:
        raise Refused(NO_VIDEO, "It is empty (0 bytes).", "Copy it again from the original.")
    try:
        form = container_format(head)
    except Poison as error:
        if _COUNTED_PICTURE.match(head):
            raise Refused(NO_VIDEO, *_TAKES_VIDEOS) from error
        raise Refused.of_unusable(NO_VIDEO, error) from error
    brand = head[_BRAND_AT : _BRAND_AT + _BRAND_BYTES] if head[4:8] == b"ftyp" else b"qt  "
    if form == "mov":
        if brand in _PICTURES:
            raise Refused(NO_VIDEO, "It is a still picture, as its first bytes show.", "Give a video.")
        return "mov" if brand == b"qt  " else "mp4"
    if form == "matroska" and b"webm" in head[:64]:
        return "webm"
    return form


def _facts(
    video: Video, container: str, fields: VideoFields, file_name: str, settings: Settings
) -> VideoFacts:
    length_s, fps, frames = video.duration_s, video.average_fps, video.frames_stated
    most_h = settings.part(VideoSettings).video_max_h
    if length_s is not None and length_s > most_h * HOUR_S:
        raise Poison(
            f"lasts {float(length_s) / HOUR_S:.1f} h, but at most {most_h:g} are allowed; cut it, or raise "
            "FRAMETALLY_VIDEO_MAX_H"
        )
    if video.stream_count > _MOST_STREAMS:
        raise Poison(f"has {video.stream_count} streams, but at most {_MOST_STREAMS} are allowed; convert it")
    if fps is not None and (fps > _MOST_FPS or fps <= 0):
        video.damage.append(
            f"it states {float(fps):g} frames per second, which is not possible; frametally counts its "
            "frames instead"
        )
        fps = None
    if video.doubt:
        video.damage.append(f"{video.doubt}; if that is wrong, convert it with the right rate")
    if frames is None and length_s is not None and fps is not None:
        frames = math.ceil(length_s * Fraction(fps))
    if frames is not None and frames > _MOST_FRAMES:
        raise Poison(f"has {frames:,} frames, but at most {_MOST_FRAMES:,} are allowed; cut it")
    first = video.first_frame(most_packets=_FIRST_PACKETS)
    if first is None and video.size_px == (0, 0):  # FFmpeg reports no size beyond its limit
        raise Poison(
            f"cannot be shown: it states no size, or more than the allowed {settings.max_image_megapixels} "
            "million pixels per frame; shrink it, or raise FRAMETALLY_MAX_IMAGE_MEGAPIXELS"
        )
    if first is None:
        raise Poison(
            f"cannot be shown: none of its first {_FIRST_PACKETS} packets can be decoded; play it to "
            "check, or export it again"
        )
    width_px, height_px = video.picture_size_px(first)
    why_not = why_not_played(container, video.codec, first.format.name, track=video.track.number)
    time = _event_time(video, fields, file_name, settings)
    return VideoFacts(
        container=container,
        content_type=_TYPES[container],
        codec=video.codec,
        width_px=width_px,
        height_px=height_px,
        fps=None if fps is None else float(fps),
        duration_s=None if length_s is None else float(length_s),
        frames=frames,
        has_sound=bool(video.sound_codecs),
        plays_in_browsers=why_not is None,
        why_not=why_not,
        started_at_ms=None if time is None else time.at_ms,
        time_source=None if time is None else time.time_source,
        track=video.track.number,
        damage=[sentence(damage) for damage in video.damage],
        time_remark=" ".join(_time_doubts(time, int((length_s or 0) * 1000))),
        remarks=[about_it(remark) for remark in (video.track.tracks_left, video.rate_remark) if remark],
    )


def _time_doubts(time: EventTime | None, length_ms: int) -> Iterator[str]:
    if time is not None and is_in_future(time.at_ms):
        yield f"It begins in the future, at {iso(time.at_ms)}: check the date, and correct it on its page."
    if time is not None and (other := other_time(time, length_ms)):
        yield sentence(f"It states two times: {other}")


def _event_time(video: Video, fields: VideoFields, file_name: str, settings: Settings) -> EventTime | None:
    """Return when a video began, by the same sources as `frametally produce`, or None if none has a time."""
    overrides: dict[str, object] = {"timezone": fields.timezone} if fields.timezone else {}
    modified_ms = fields.last_modified_ms
    if modified_ms is None:  # the stored file's date is that of the upload
        overrides["file_time"] = False
    clues = TimeClues(
        Path(file_name),
        video.statements,
        "container",
        (modified_ms or 0) * 1_000_000,
        int((video.duration_s or 0) * 1000),
        is_on_disk=False,
    )
    start = parse_start_time(fields.start_time) if fields.start_time else None
    try:
        return find_event_time(clues, settings=settings.model_copy(update=overrides), start_time=start)
    except Poison:
        return None
