"""Keeps secrets out of the URLs of ports: settings have the secret and the trusted certificates.

A URL is printed, logged and listed with the processes; a secret comes from the environment alone and is shown
as asterisks wherever it is printed by mistake.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from frametally.settings.fields import Field, SecretStr, SettingsPart

NO_SECRET = SecretStr("")
_LEAST_SECRET_CHARS = 32

API_TOKEN_PREFIX = "frametally_"  # noqa: S105 - how secrets begin
"""By which people, and programs that look for lost secrets, know what they have found."""
_API_TOKEN = re.compile(f"{API_TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}")


def hard_to_guess(secret: SecretStr) -> SecretStr:
    """Return a secret that is empty or long enough; raise `ValueError` for any other."""
    if 0 < len(secret.get_secret_value()) < _LEAST_SECRET_CHARS:
        raise ValueError(f"it has fewer than {_LEAST_SECRET_CHARS} characters; use a longer one")
    return secret


class TrustSettings(SettingsPart):
    """The trusted certificates, if the URL alone chooses TLS."""

    ca_file: Path | None = Field(
        None,
        description="PEM file of your own authorities, for mail, webhooks, MQTT, RabbitMQ and Airflow; "
        "empty: the system's.",
    )


@dataclass(frozen=True, kw_only=True)
class ServerAccess:
    """How to log in to a server: the index's (Elasticsearch or PostgreSQL) or the ledger's (PostgreSQL).

    Attributes:
        user: Name to log in by; empty: the one in the URL, or none.
        ca_file: PEM file of the authorities that the server's certificate may come from; None: the system's.
    """

    user: str = ""
    password: SecretStr = NO_SECRET
    ca_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class LogAccess(ServerAccess):
    """How to log in to Kafka.

    Attributes:
        security: Kafka's `security.protocol`; empty: SASL_SSL with a user and a CA file, SASL_PLAINTEXT with
            a user alone, SSL with a CA file alone, else PLAINTEXT.
        client_properties: A `client.properties` file as Confluent's clients read it; settings win over it.
        retention_h: Hours that messages are kept in topics that are made; 0: as the broker says.
    """

    security: str = ""
    client_properties: Path | None = None
    retention_h: int = 0


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


@dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """How to reach an S3 store.

    Attributes:
        endpoint: URL of the service; empty: AWS's for the region.
        region: Region of the bucket: `AWS_REGION` or `AWS_DEFAULT_REGION`, else `us-east-1`.
        access_key: Name of the key; empty: what AWS's own variables and files say.
        ca_file: PEM file of the authorities that the endpoint's certificate may come from; None: the
            system's.
        link_endpoint: URL of the service in links for browsers and batch nodes; empty: `endpoint`.
    """

    endpoint: str = ""
    region: str = field(default_factory=_region)
    access_key: str = ""
    secret_key: SecretStr = NO_SECRET
    ca_file: Path | None = None
    link_endpoint: str = ""


def is_api_token(text: str) -> bool:
    """Return whether `text` is written as an API token of a dashboard is."""
    return _API_TOKEN.fullmatch(text) is not None
