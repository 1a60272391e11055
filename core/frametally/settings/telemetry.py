"""Settings of metrics, lineage and traces."""

from __future__ import annotations

from frametally.settings.fields import Field, SecretStr, SettingsPart


class TelemetrySettings(SettingsPart):
    """The part of `Settings` about what a process tells of itself."""

    metrics_address: str = Field(
        "127.0.0.1", description="Address of a command's `/metrics`; the dashboard has its own."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port of a command's `/metrics`; 0: off.",
    )
    lineage_url: str = Field(
        "", description="URL for OpenLineage events of counting and indexing; empty: no events."
    )
    lineage_token: SecretStr = Field(SecretStr(""), description="Token for sending these events.")
    traces_url: str = Field(
        "",
        description="URL for traces of frames (OTLP over HTTP); empty: no traces.",
    )
    traces_ratio: float = Field(0.01, ge=0, le=1, description="Share of frames to trace.")
