"""Settings of cameras and streams: their topics, their bounds, and where cameras may be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from frametally.settings.access import NO_SECRET, ServerAccess
from frametally.settings.plugin_settings import PluginSettings


class LiveSettings(PluginSettings, defer_build=True):
    """The part of `Settings` about what is live."""

    stream_launcher: Literal["queue", "airflow"] = Field(
        "queue",
        description="What streams start by that the dashboard is asked for: our `queue`, or a run of the DAG "
        "`frametally_stream` in `airflow`.",
    )
    stream_launch_s: float = Field(
        120.0,
        ge=1,
        le=10_000,
        description="Seconds within which Airflow begins a run, else its stream fails.",
    )
    airflow_url: str = Field(
        "", description="Airflow's address, such as `http://127.0.0.1:8080`, for streams that it starts."
    )
    airflow_user: str = Field("", description="Name to log in to Airflow by.")
    airflow_password: SecretStr = Field(NO_SECRET, description="Password of that name.")
    airflow_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that Airflow's certificate may come from."
    )
    streams: int = Field(2, ge=1, le=100, description="Streams of videos that may run at a time.")
    stream_lease_s: float = Field(
        10.0,
        ge=1,
        le=600,
        description="Seconds after which a camera or stream whose process is gone goes on.",
    )
    live_buffer_mb: int = Field(
        2048,
        ge=16,
        le=10_000_000,
        description="Megabytes of frames that a camera keeps on disk while store or log are away.",
    )
    live_allow: str = Field(
        "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        description="Networks, addresses and host names that cameras may be at; empty: none.",
    )
    live_logins: SecretStr = Field(
        NO_SECRET, description='Log-ins of cameras by source, as JSON: `{"gate-1": "user:password"}`.'
    )
    live_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that cameras' certificates must come from; empty: they are "
        "not checked.",
    )

    @property
    def airflow_access(self) -> ServerAccess:
        """How to log in to Airflow."""
        return ServerAccess(
            user=self.airflow_user, password=self.airflow_password, ca_file=self.airflow_ca_file
        )
