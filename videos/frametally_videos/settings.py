"""Settings of videos: uploads, the queue of jobs, and versions of videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from frametally.rules.times import HOUR_S
from frametally.settings.access import NO_SECRET, ServerAccess
from frametally.settings.fields import Field, SecretStr
from frametally.settings.plugin_settings import PluginSettings


class VideoSettings(PluginSettings):
    """The part of `Settings` about videos."""

    upload_max_gb: float = Field(20.0, gt=0, le=5000, description="Largest size of an upload in gigabytes.")
    video_max_h: float = Field(
        24.0, gt=0, le=8760, description="Maximum length of an uploaded video in hours."
    )
    video_workers: int = Field(
        1,
        ge=0,
        le=64,
        description="Workers that `frametally serve` starts when a video is waiting; 0: none.",
    )
    job_lease_s: float = Field(
        30.0, gt=0, le=HOUR_S, description="Seconds of silence after which a worker's job goes to another."
    )
    job_attempts: int = Field(5, ge=1, le=100, description="Attempts before a job fails permanently.")
    store_video_days: int = Field(
        0, ge=0, le=36_500, description="Days after which frametally deletes uploaded originals; 0: never."
    )
    queue_url: str = Field(
        "", description="Queue of jobs, `amqp://` or `amqps://` (RabbitMQ); empty: the video catalogue's own."
    )
    queue_user: str = Field("", description="User name for the queue.")
    queue_password: SecretStr = Field(NO_SECRET, description="Password of that user.")
    queue_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that may issue the queue's certificate."
    )
    job_max_h: float = Field(6.0, gt=0, le=168, description="Hours that one job may take.")
    scratch_dir: Path | None = Field(None, description="Folder for temporary files; empty: `<data_dir>/tmp`.")
    video_encoders: str = Field(
        "h264_nvenc,h264_qsv,libx264,mpeg4",
        pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$",
        description="FFmpeg's video encoders in order; frametally uses the first that works.",
    )
    video_crf: int = Field(
        23, ge=0, le=51, description="Quality of encoded videos, 0 is best (x264's `crf`)."
    )
    playable_max_side_px: int = Field(
        1920,
        ge=16,
        le=16_384,
        description="Longest side in pixels of a video that frametally makes for browsers.",
    )
    video_orchestrator: Literal["queue", "airflow"] = Field(
        "queue", description="What describes and checks new videos: the workers' `queue`, or `airflow`."
    )
    videos_topic: str = Field(
        "videos",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Log topic on which frametally announces new videos for Airflow.",
    )

    @property
    def queue_access(self) -> ServerAccess:
        """How to log in to the queue."""
        return ServerAccess(user=self.queue_user, password=self.queue_password, ca_file=self.queue_ca_file)

    def urls_in(self, data_dir: Path) -> dict[str, Any]:
        """Return the URLs and folders that are empty; see `PluginSettings.urls_in`."""
        return super().urls_in(data_dir) | {"scratch_dir": self.scratch_dir or data_dir / "tmp"}
