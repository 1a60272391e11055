"""Settings of videos: uploads, their catalogue, and what is done to them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, field_validator

from frametally.rules.times import HOUR_S
from frametally.settings.access import NO_SECRET, ServerAccess, hard_to_guess


class VideoSettings(BaseModel, defer_build=True):
    """The part of `Settings` about videos."""

    catalogue_url: str = Field(
        "", description="Catalogue of videos; empty: SQLite in `<data_dir>/catalogue.sqlite`."
    )
    catalogue_user: str = Field("", description="Name to log in to the catalogue's server by.")
    catalogue_password: SecretStr = Field(NO_SECRET, description="Password of that name.")
    catalogue_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that the catalogue server's certificate may come from.",
    )
    backup_key: SecretStr = Field(
        NO_SECRET,
        description="Secret that encrypts backups, 32 characters at least; empty: they are not encrypted. "
        "Keep it elsewhere, too: nothing can be restored without it.",
    )
    web_uploads: bool | None = Field(
        None,
        description="Whether videos may be uploaded and edited in the dashboard; "
        "empty: where it listens on this machine only.",
    )
    upload_max_gb: float = Field(20.0, gt=0, le=5000, description="Gigabytes that one upload may have.")
    upload_keep_h: float = Field(
        48.0, gt=0, le=8760, description="Hours after which an upload that was left is removed."
    )
    upload_idle_s: float = Field(
        60.0, gt=0, le=HOUR_S, description="Seconds without a byte after which an upload's request is closed."
    )
    uploads_per_client: int = Field(4, ge=1, le=1000, description="Uploads of one client at once.")
    uploads_in_all: int = Field(32, ge=1, le=10_000, description="Uploads at once.")
    video_max_h: float = Field(24.0, gt=0, le=8760, description="Hours that an uploaded video may last.")
    video_workers: int = Field(
        1,
        ge=0,
        le=64,
        description="Workers that `frametally serve` starts beside itself once a video waits; 0: none.",
    )
    job_lease_s: float = Field(
        30.0, gt=0, le=HOUR_S, description="Seconds without a word after which a worker's job goes to others."
    )
    job_attempts: int = Field(
        5, ge=1, le=100, description="Times that a job is begun before it is said to have failed."
    )
    store_video_days: int = Field(
        0, ge=0, le=36_500, description="Days after which uploaded originals are removed; 0: never."
    )

    _backup_key_is_long = field_validator("backup_key")(hard_to_guess)

    @property
    def catalogue_access(self) -> ServerAccess:
        """How to log in to the catalogue."""
        return ServerAccess(
            user=self.catalogue_user, password=self.catalogue_password, ca_file=self.catalogue_ca_file
        )
