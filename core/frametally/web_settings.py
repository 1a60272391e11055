"""Settings of the dashboard."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class WebSettings(BaseSettings):
    """The part of `Settings` about the dashboard."""

    web_host: str = Field("127.0.0.1", description="Address that the dashboard listens on.")
    web_port: int = Field(5001, ge=0, le=65_535, description="Port that the dashboard listens on.")
    web_max_buckets: int = Field(
        20_000,
        ge=100,
        le=200_000,
        description="Most bars (intervals times labels) in one answer of `/api/counts`.",
    )
    web_max_values: int = Field(
        200, ge=1, le=1000, description="Most labels, and most sources, that one query may name."
    )
    web_max_evidence_frames: int = Field(
        12, ge=1, le=200, description="Most frames in one answer of `/api/evidence`, one a label."
    )
