"""Keeps secrets out of the URLs of ports: settings have the secret and the trusted certificates.

URLs are printed, logged and visible in process lists. Secrets come only from the environment and appear as
asterisks if they are printed by mistake.
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
"""Lets people, and programs that scan for leaked secrets, recognize a token."""
_API_TOKEN = re.compile(f"{API_TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}")


def hard_to_guess(secret: SecretStr) -> SecretStr:
    """Return a secret that is empty or long enough; raise `ValueError` for any other."""
    if 0 < len(secret.get_secret_value()) < _LEAST_SECRET_CHARS:
        raise ValueError(f"it has fewer than {_LEAST_SECRET_CHARS} characters; use a longer one")
    return secret


class TrustSettings(SettingsPart):
    """The trusted certificates for servers whose URL alone decides about TLS."""

    ca_file: Path | None = Field(
        None,
        description="PEM file of your own authorities, for mail, webhooks, MQTT, RabbitMQ and Airflow; "
        "if empty, the system's.",
    )


@dataclass(frozen=True, kw_only=True)
class ServerAccess:
    """How to log in to a server: the index's (Elasticsearch or PostgreSQL) or the ledger's (PostgreSQL).

    Attributes:
        user: User name; empty for the one in the URL, or none.
        ca_file: PEM file of the trusted certificate authorities, or None for the system's.
    """

    user: str = ""
    password: SecretStr = NO_SECRET
    ca_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class LogAccess(ServerAccess):
    """How to log in to Kafka.

    Attributes:
        security: Kafka's `security.protocol`. If empty, SASL_SSL with a user and a CA file, SASL_PLAINTEXT
            with only a user, SSL with only a CA file, otherwise PLAINTEXT.
        client_properties: A `client.properties` file for Confluent's clients; settings take precedence.
        retention_h: Hours to keep messages in new topics; 0 for the broker's default.
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
        endpoint: URL of the service; empty for AWS's in the region.
        region: Region of the bucket, from `AWS_REGION` or `AWS_DEFAULT_REGION`, else `us-east-1`.
        access_key: Name of the key; empty for AWS's own variables and files.
        ca_file: PEM file of the trusted certificate authorities, or None for the system's.
        link_endpoint: URL of the service in links for browsers and batch nodes; empty for `endpoint`.
    """

    endpoint: str = ""
    region: str = field(default_factory=_region)
    access_key: str = ""
    secret_key: SecretStr = NO_SECRET
    ca_file: Path | None = None
    link_endpoint: str = ""


def is_api_token(text: str) -> bool:
    """Return whether `text` has the form of a dashboard's API token."""
    return _API_TOKEN.fullmatch(text) is not None
