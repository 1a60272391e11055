"""Defines the settings of the servers in URLs: users, passwords and trusted certificates."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Literal, TypeVar

from frametally.settings.access import NO_SECRET, LogAccess, ServerAccess, StoreAccess, hard_to_guess
from frametally.settings.fields import Field, SecretStr, SettingsPart

AccessT = TypeVar("AccessT", ServerAccess, LogAccess, StoreAccess)

_ON_THIS_MACHINE = ("", "file", "sqlite")


def is_server(url: str) -> bool:
    """Return whether a URL is of a server, by its scheme, because its address may be in a file."""
    return url.partition(":")[0] not in _ON_THIS_MACHINE


class ServerSettings(SettingsPart):
    """The part of `Settings` about servers. Secrets come only from the environment, never from a URL."""

    store_endpoint: str = Field("", description="URL of the S3 service; if empty, AWS's for the region.")
    store_access_key: str = Field(
        "", description="Name of the S3 key; if empty, from AWS's own variables and files."
    )
    store_secret_key: SecretStr = Field(NO_SECRET, description="Secret of the S3 key.")
    store_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that the S3 service's certificate may come from."
    )
    store_link_endpoint: str = Field(
        "",
        description="URL of the S3 service as browsers and batch nodes reach it; if empty, `store_endpoint`.",
    )
    store_image_days: int = Field(
        0, ge=0, le=36_500, description="Days after which the S3 store deletes frames; if 0, never."
    )
    store_metadata_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days after which the S3 store deletes detections; if 0, never. Counts stay.",
    )
    log_security: Literal["", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "", description="Kafka's `security.protocol`; if empty, derived from the other settings."
    )
    log_user: str = Field("", description="User name for Kafka.")
    log_password: SecretStr = Field(NO_SECRET, description="Password of that user.")
    log_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that Kafka's certificate may come from."
    )
    log_client_properties: Path | None = Field(
        None, description="A Kafka `client.properties` file; the settings take precedence."
    )
    log_retention_h: int = Field(
        0,
        ge=0,
        le=876_000,
        description="Hours that Kafka keeps messages in new topics; if 0, the broker's default.",
    )
    index_user: str = Field("", description="User name for the index server.")
    index_password: SecretStr = Field(NO_SECRET, description="Password of that user.")
    index_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that the index server's certificate may come from."
    )
    ledger_password: SecretStr = Field(
        NO_SECRET,
        description="Password for the servers of ledger and catalogue; their URLs contain the user name.",
    )
    ledger_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that the certificates of these servers may come from."
    )
    catalogue_url: str = Field(
        "", description="Catalogue of videos; if empty, SQLite in `<data_dir>/catalogue.sqlite`."
    )
    backup_key: SecretStr = Field(
        NO_SECRET,
        check=hard_to_guess,
        description="Secret that encrypts backups, at least 32 characters; if empty, no encryption. "
        "Keep a copy elsewhere: you need it to restore.",
    )

    @property
    def store_access(self) -> StoreAccess:
        """How to reach the object store, in addition to its URL."""
        return self._access(StoreAccess, "store")

    @property
    def log_access(self) -> LogAccess:
        """How to log in to the frame log."""
        return self._access(LogAccess, "log")

    @property
    def index_access(self) -> ServerAccess:
        """How to log in to the count index."""
        return self._access(ServerAccess, "index")

    @property
    def ledger_access(self) -> ServerAccess:
        """How to log in to the ledger and the catalogue."""
        return ServerAccess(password=self.ledger_password, ca_file=self.ledger_ca_file)

    catalogue_access = ledger_access

    def _access(self, kind: type[AccessT], server: str) -> AccessT:
        own = {field.name: getattr(self, f"{server}_{field.name}", None) for field in fields(kind)}
        return kind(**{name: value for name, value in own.items() if value is not None})
