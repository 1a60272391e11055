"""Settings of cameras and streams: topics, limits, and allowed addresses of cameras."""

from __future__ import annotations

from pathlib import Path

from frametally.settings.access import NO_SECRET, ServerAccess
from frametally.settings.fields import Field, SecretStr
from frametally.settings.plugin_settings import PluginSettings


class LiveSettings(PluginSettings):
    """The part of `Settings` for live footage."""

    airflow_url: str = Field(
        "",
        description="Airflow's address, such as `http://127.0.0.1:8080`, if streams are runs of its DAG "
        "`frametally_stream`; if empty, frametally's own workers start them.",
    )
    airflow_user: str = Field("", description="User name for Airflow.")
    airflow_password: SecretStr = Field(NO_SECRET, description="Password of that user.")
    streams: int = Field(2, ge=1, le=100, description="Maximum number of video streams at once.")
    live_buffer_mb: int = Field(
        2048,
        ge=16,
        le=10_000_000,
        description="Megabytes of frames that a camera keeps on disk while the store or the log is "
        "unavailable.",
    )
    live_allow: str = Field(
        "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        description="Networks, addresses and host names at which cameras are allowed; if empty, none.",
    )
    live_logins: SecretStr = Field(
        NO_SECRET,
        description='Users and passwords of cameras by source or host, as JSON: `{"gate": "user:password"}`.',
    )
    live_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that may issue cameras' certificates; if empty, no checks.",
    )

    @property
    def airflow_access(self) -> ServerAccess:
        """How to log in to Airflow."""
        return ServerAccess(user=self.airflow_user, password=self.airflow_password, ca_file=self.ca_file)
