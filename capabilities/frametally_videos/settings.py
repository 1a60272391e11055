"""Settings of videos: uploads, the queue of jobs, and versions of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from frametally.settings.access import NO_SECRET, ServerAccess
from frametally.settings.fields import Field, SecretStr
from frametally.settings.plugin_settings import PluginSettings

if TYPE_CHECKING:
    from frametally.settings.loading import Settings

LEAST_JOB_H = 6.0


def videos_topic(settings: Settings) -> str:
    """Return the log topic on which new videos are announced to Airflow."""
    return settings.topic_beside("videos-").removesuffix("-frames")


class VideoSettings(PluginSettings):
    """The part of `Settings` about videos."""

    upload_max_gb: float = Field(20.0, gt=0, le=5000, description="Largest size of an upload in gigabytes.")
    video_max_h: float = Field(
        24.0,
        gt=0,
        le=8760,
        description="Maximum length of an uploaded video in hours. A job may take a quarter of it, or 6 "
        "hours if that is more.",
    )
    video_workers: int = Field(
        1,
        ge=0,
        le=64,
        description="Workers that `frametally serve` starts when a video is waiting; if 0, none.",
    )
    store_video_days: int = Field(
        0, ge=0, le=36_500, description="Days after which frametally deletes uploaded originals; if 0, never."
    )
    queue_url: str = Field(
        "",
        description="Queue of jobs, `amqp://` or `amqps://` (RabbitMQ); if empty, the video catalogue's own.",
    )
    queue_password: SecretStr = Field(NO_SECRET, description="Password of the user in the URL.")
    video_encoders: str = Field(
        "h264_nvenc,h264_qsv,libx264,mpeg4",
        pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$",
        description="FFmpeg's video encoders in order; frametally uses the first that works.",
    )
    video_orchestrator: Literal["queue", "airflow"] = Field(
        "queue", description="What describes and checks new videos: the workers' `queue`, or `airflow`."
    )

    @property
    def job_max_h(self) -> float:
        """The longest time of one job, in hours."""
        return max(LEAST_JOB_H, self.video_max_h / 4)

    @property
    def queue_access(self) -> ServerAccess:
        """The login for the queue."""
        return ServerAccess(password=self.queue_password, ca_file=self.ca_file)
