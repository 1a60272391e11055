"""The names of derivatives: eight hex over the original's bytes, what was asked for, and what makes it."""

from __future__ import annotations

import hashlib

import av

from frametally.settings.loading import Settings
from frametally_videos.library.enhancements import enhancement_options
from frametally_videos.media_records import DerivativeKind, Enhancement
from frametally_videos.settings import VideoSettings

MADE_BY = f"1, PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}"
"""To be raised where what is made of the same becomes another: it is made anew then."""
PRESET = "veryfast"
"""How much time x264 takes to make a video small."""

_DIGITS = 8


def recipe_of(sha256: str, kind: DerivativeKind, asked: Enhancement | None, settings: Settings) -> str:
    """Return the name of what is made so: who makes the same finds it made, whichever encoder worked there.

    Args:
        sha256: Of the original's bytes.
        kind: What is made.
        asked: What is done to the pictures; None: nothing.
        settings: Of them, those of encoding.
    """
    parts = (
        *(sha256, kind, "" if asked is None else enhancement_options(asked), MADE_BY),
        *(settings.part(VideoSettings).video_encoders, str(settings.part(VideoSettings).video_crf), PRESET),
        str(settings.part(VideoSettings).playable_max_side_px),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGITS]
