"""Settings of cameras and streams: topics, limits, and allowed addresses of cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from frametally.settings.access import NO_SECRET, ServerAccess
from frametally.settings.fields import Field, SecretStr
from frametally.settings.plugin_settings import PluginSettings


class LiveSettings(PluginSettings):
    """The part of `Settings` about what is live."""

    stream_launcher: Literal["queue", "airflow"] = Field(
        "queue",
        description="What starts streams for the dashboard: frametally's own `queue`, or a run of "
        "the DAG `frametally_stream` in `airflow`.",
    )
    stream_launch_s: float = Field(
        120.0,
        ge=1,
        le=10_000,
        description="Seconds within which Airflow must start a run; else the stream fails.",
    )
    airflow_url: str = Field(
        "", description="Airflow's address, such as `http://127.0.0.1:8080`, for streams that it starts."
    )
    airflow_user: str = Field("", description="User name for Airflow.")
    airflow_password: SecretStr = Field(NO_SECRET, description="Password of that user.")
    airflow_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that may issue Airflow's certificate."
    )
    streams: int = Field(2, ge=1, le=100, description="Maximum number of video streams at once.")
    stream_lease_s: float = Field(
        10.0,
        ge=1,
        le=600,
        description="Seconds after which another process takes over a camera or stream from a dead process.",
    )
    live_buffer_mb: int = Field(
        2048,
        ge=16,
        le=10_000_000,
        description="Megabytes of frames that a camera keeps on disk while the store or the log is "
        "unavailable.",
    )
    live_allow: str = Field(
        "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        description="Networks, addresses and host names at which cameras are allowed; empty: none.",
    )
    live_logins: SecretStr = Field(
        NO_SECRET,
        description='Users and passwords of cameras by source or host, as JSON: `{"gate": "user:password"}`.',
    )
    live_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that may issue cameras' certificates; empty: no checks.",
    )

    @property
    def airflow_access(self) -> ServerAccess:
        """How to log in to Airflow."""
        return ServerAccess(
            user=self.airflow_user, password=self.airflow_password, ca_file=self.airflow_ca_file
        )
