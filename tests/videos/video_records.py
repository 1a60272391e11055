"""Records of videos with values that fit each other; a test names those that it is about."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import msgspec

from frametally import keys
from frametally_videos.records import VideoFacts, VideoFields, VideoRecord

UPLOADED_AT_MS = 1_767_225_600_000


def make_facts(**values: Any) -> VideoFacts:
    """A minute of H.264 that tells when it was filmed."""
    usual: dict[str, Any] = {
        "container": "mp4",
        "content_type": "video/mp4",
        "codec": "h264",
        "width_px": 640,
        "height_px": 360,
        "fps": 25.0,
        "duration_s": 60.0,
        "frames": 1500,
        "has_sound": False,
        "plays_in_browsers": True,
        "started_at_ms": UPLOADED_AT_MS - 3_600_000,
        "time_source": "container",
    }
    return VideoFacts(**{**usual, **values})


def make_video(number: int = 1, *, facts: VideoFacts | None = None, **values: Any) -> VideoRecord:
    """The video of a number: other bytes, another name, a minute later than that of the number before."""
    usual: dict[str, Any] = {
        "id": str(uuid.UUID(int=number, version=4)),
        "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
        "size_bytes": 1000 + number,
        "name": f"Gate {number}",
        "file_name": f"gate-{number}.mp4",
        "source_name": "Gate",
        "fields": VideoFields(),
        "facts": facts or make_facts(),
        "uploaded_at_ms": UPLOADED_AT_MS + 60_000 * number,
    }
    usual |= values
    usual.setdefault("source", keys.slug(usual["source_name"]))
    return VideoRecord(**usual)


def corrected(record: VideoRecord, **values: Any) -> VideoRecord:
    """A record as it is after one correction more."""
    return msgspec.structs.replace(record, revision=record.revision + 1, **values)
