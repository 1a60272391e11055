"""Settings of what is done to videos: the queue, its jobs, what they make, and who is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from frametally.settings.access import NO_SECRET, ServerAccess


class WorkSettings(BaseModel, defer_build=True):
    """The part of `Settings` about workers, their jobs, the gold tables and mail."""

    queue_url: str = Field(
        "", description="Queue of jobs, `amqp://` or `amqps://` (RabbitMQ); empty: the video catalogue's own."
    )
    queue_user: str = Field("", description="Name to log in to the queue by.")
    queue_password: SecretStr = Field(NO_SECRET, description="Password of that name.")
    queue_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that the queue's certificate may come from."
    )
    queue_acknowledge_min: float = Field(
        25.0,
        gt=0,
        le=1440,
        description="Minutes after which a job at work is acknowledged to RabbitMQ, "
        "fewer than its `consumer_timeout`; its lease alone guards it then.",
    )
    job_max_h: float = Field(6.0, gt=0, le=168, description="Hours that one job may take.")
    job_memory_mb: int = Field(
        4096, ge=256, le=1_000_000, description="Megabytes of memory that one job may take."
    )
    scratch_dir: Path | None = Field(
        None, description="Folder of files that are being made; empty: `<data_dir>/tmp`."
    )
    video_encoders: str = Field(
        "h264_nvenc,h264_qsv,libx264,mpeg4",
        pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$",
        description="FFmpeg's encoders of moving pictures, the first that works is taken.",
    )
    video_crf: int = Field(
        23, ge=0, le=51, description="Quality that videos are encoded with, 0 the best (x264's `crf`)."
    )
    playable_max_side_px: int = Field(
        1920, ge=16, le=16_384, description="Longest side in pixels of a video that is made for browsers."
    )
    video_orchestrator: Literal["queue", "airflow"] = Field(
        "queue", description="Who has new videos described and checked: the workers' queue, or Airflow."
    )
    videos_topic: str = Field(
        "videos",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Log topic that new videos are announced on, for Airflow.",
    )
    gold_url: str = Field(
        "", description="Database of the gold tables; empty: SQLite in `<data_dir>/gold.sqlite`."
    )
    gold_user: str = Field("", description="Name to log in to the gold database by.")
    gold_password: SecretStr = Field(NO_SECRET, description="Password of that name.")
    gold_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that its certificate may come from."
    )

    @property
    def queue_access(self) -> ServerAccess:
        """How to log in to the queue."""
        return ServerAccess(user=self.queue_user, password=self.queue_password, ca_file=self.queue_ca_file)

    @property
    def gold_access(self) -> ServerAccess:
        """How to log in to the gold database."""
        return ServerAccess(user=self.gold_user, password=self.gold_password, ca_file=self.gold_ca_file)
