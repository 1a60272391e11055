"""Settings of metrics, lineage and traces."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr


class TelemetrySettings(BaseModel, defer_build=True):
    """The part of `Settings` about what a process tells of itself."""

    metrics_address: str = Field(
        "127.0.0.1", description="Address that a command's `/metrics` listens on; the dashboard has its own."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port that a command's `/metrics` listens on; 0: nowhere.",
    )
    lineage_url: str = Field(
        "", description="Address that OpenLineage events of counting and indexing go to; empty: nowhere."
    )
    lineage_token: SecretStr = Field(SecretStr(""), description="Token that they are sent with.")
    traces_url: str = Field(
        "",
        description="Address that traces of frames go to, by OTLP over HTTP; empty: nowhere.",
    )
    traces_ratio: float = Field(0.01, ge=0, le=1, description="Part of all frames that are traced.")
