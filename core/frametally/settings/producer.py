"""Defines the producer's settings: sampling, event times, pictures and limits."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Literal

from frametally.files.value_ranges import known_value_range
from frametally.rules.time_patterns import known_pattern
from frametally.rules.times import known_timezone
from frametally.settings.fields import Field, SettingsPart


def known_sampling(value: str) -> str:
    """Return a rate of frames in its short form. Raises `ValueError` for other texts."""
    if value == "all":
        return value
    try:
        fps = float(value)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 1000:
        raise ValueError(
            f"{value!r} is neither 'all' nor a number of frames per second above 0 and at most 1000"
        )
    return f"{fps:g}"


class ProducerSettings(SettingsPart):
    """The producer's settings."""

    sample_fps: str = Field(
        "5",
        check=known_sampling,
        description="Frames per second to take from a video; `all` takes every frame.",
    )
    timezone: str = Field(
        "UTC",
        check=known_timezone,
        description="IANA time zone of times without an offset.",
    )
    container_time: Literal["utc", "local"] = Field(
        "utc",
        description="Zone of `creation_time` in a video's container: `utc`, as its format says, or `local` "
        "(`FRAMETALLY_TIMEZONE`), as GoPro, DJI and many dash cams write it.",
    )
    time_pattern: str = Field(
        "",
        check=known_pattern,
        description="Pattern of the time in a file's name or path, such as `cam_%Y%m%d_%H%M%S`.",
    )
    file_time: bool = Field(
        True,
        description="Whether a file's modification date may be used as event time if no better one exists.",
    )
    max_side_px: int = Field(
        0,
        ge=0,
        description="Longest side of a stored frame in pixels; larger ones are scaled down; if 0, no limit.",
    )
    jpeg_quality: int = Field(90, ge=1, le=100, description="JPEG quality of stored frames, 1 to 100.")
    value_range: str = Field(
        "",
        check=known_value_range,
        description="Values `LOW:HIGH` that become black and white in pictures with more than 8 bits, "
        "such as those of a thermal camera.",
    )
    max_image_megapixels: int = Field(
        50,
        ge=1,
        le=1000,
        description="Millions of pixels above which a picture is refused, read from its header.",
    )

    min_free_disk_mb: int = Field(
        500,
        ge=0,
        description="Megabytes to keep free on the disk of the embedded store and log; below that, "
        "the producer waits.",
    )
    job_memory_mb: int = Field(
        4096, ge=256, le=1_000_000, description="Megabytes of memory that one job may take."
    )
    job_network: bool = Field(
        False,
        description="Whether a job that decodes a video may keep the network where the machine cannot take "
        "it away, as on macOS.",
    )

    def tzinfo(self) -> datetime.tzinfo:
        """Return the time zone of naive times."""
        return zoneinfo.ZoneInfo(self.timezone)
