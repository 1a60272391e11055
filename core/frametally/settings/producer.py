"""Settings of the producer: sampling, event times, pictures, watching."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field


def _known_timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no IANA time zone; an example of one is Europe/Berlin") from error
    return name


def _sampling(value: str) -> str:
    if value == "all":
        return value
    try:
        fps = float(value)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 1000:
        raise ValueError(f"{value!r} is neither 'all' nor a number of frames a second above 0, at most 1000")
    return f"{fps:g}"


class ProducerSettings(BaseModel, defer_build=True):
    """The producer's settings."""

    sample_fps: Annotated[str, AfterValidator(_sampling)] = Field(
        "5", description="Frames a second taken from a video; `all` takes every frame."
    )
    timezone: Annotated[str, AfterValidator(_known_timezone)] = Field(
        "UTC", description="IANA time zone of times that come without one."
    )
    time_pattern: str = Field(
        "", description="strptime pattern of the time in a file's name, such as `cam_%Y%m%d_%H%M%S`."
    )
    file_time: bool = Field(
        True,
        description="Whether a file's modification date may serve as event time when there is no better one.",
    )
    max_side_px: int = Field(
        0,
        ge=0,
        description="Longest side of a stored frame in pixels, larger ones are shrunk; 0 keeps their size.",
    )
    jpeg_quality: int = Field(90, ge=1, le=100, description="JPEG quality of stored frames, 1 to 100.")
    max_image_megapixels: int = Field(
        50,
        ge=1,
        le=1000,
        description="Millions of pixels above which a picture is refused, read from its header.",
    )

    min_free_disk_mb: int = Field(
        500,
        ge=0,
        description="Megabytes that stay free on the disk of the embedded store and log; the producer waits.",
    )
    watch_still_s: float = Field(
        5.0,
        gt=0,
        description="Seconds for which a watched file's size and date must have been still to be taken.",
    )
    gap_s: float = Field(
        0.0,
        ge=0,
        description="Seconds without footage that a dry run calls a gap; 0: ten times the usual step.",
    )
    job_memory_mb: int = Field(
        4096, ge=256, le=1_000_000, description="Megabytes of memory that one job may take."
    )

    def tzinfo(self) -> datetime.tzinfo:
        """Return the time zone of naive times."""
        return zoneinfo.ZoneInfo(self.timezone)
