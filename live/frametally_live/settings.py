"""Settings of cameras and streams: their topics, their bounds, and where cameras may be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from frametally.settings.access import NO_SECRET, ServerAccess


class LiveSettings(BaseModel, defer_build=True):
    """The part of `Settings` about what is live."""

    live_topic: str = Field(
        "video-frames",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Log topic that frames of cameras and streams are announced on: no backlog delays them.",
    )
    results_topic: str = Field(
        "processed-frames",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Log topic on which what is found in them is told at once, for those who watch.",
    )
    stream_engine: Literal["consumer", "spark"] = Field(
        "consumer", description="What detects their frames: `consumer`, or `spark` (Structured Streaming)."
    )
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
    spark_jars: str = Field(
        "",
        description="Jars of Spark's Kafka connector, separated by commas; empty: Spark fetches its package.",
    )
    results_keep_s: float = Field(
        60.0, ge=1, le=10_000, description="Seconds that the log keeps of that, at least."
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
