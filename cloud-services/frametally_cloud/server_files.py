"""Writes the settings of two servers: Alertmanager's recipients, and RabbitMQ's users and rights."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from frametally.errors import Misconfigured
from frametally.plugins import hooks

_PORTS = {"smtp": 25, "smtps": 465}
"""The default ports by scheme; Alertmanager starts with TLS only at port 465."""


def alertmanager_settings(values: Mapping[str, str]) -> str:
    """Return the text of `alertmanager.yml` (JSON is YAML) for the mail settings of `.env`.

    Without `FRAMETALLY_SMTP_URL` and `FRAMETALLY_MAIL_TO` no mail is sent: only web pages show the alerts.

    Raises `Misconfigured` if the mail server's address has no host, or asks for TLS at a port other than 465.
    """
    url, recipients = values.get("FRAMETALLY_SMTP_URL", ""), values.get("FRAMETALLY_MAIL_TO", "")
    if not (url and recipients):
        return _settings({"name": "nobody"})
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if not (parts.hostname and port):
        raise Misconfigured("FRAMETALLY_SMTP_URL must be smtp://host:587 or smtps://host")
    if parts.scheme == "smtps" and port != _PORTS["smtps"]:
        raise Misconfigured(f"Alertmanager supports smtps:// only on port 465, not {port}; use smtp://")
    user = values.get("FRAMETALLY_SMTP_USER", "")
    mail: dict[str, object] = {
        "to": recipients,
        "from": values.get("FRAMETALLY_MAIL_FROM") or user,
        "smarthost": f"{parts.hostname}:{port}",
        "auth_username": user,
        "auth_password": values.get("FRAMETALLY_SMTP_PASSWORD", ""),
        # Send a password only over TLS.
        "require_tls": bool(user),
        "send_resolved": True,
    }
    if authority := values.get("FRAMETALLY_CA_FILE"):
        mail["tls_config"] = {"ca_file": authority}
    return _settings({"name": "mail", "email_configs": [mail]})


def _settings(receiver: dict[str, object]) -> str:
    route = {
        "receiver": receiver["name"],
        "group_by": ["alertname"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
    }
    return json.dumps({"route": route, "receivers": [receiver]}, indent=2) + "\n"


QUEUE_USERS = {
    "frametally": "FRAMETALLY_QUEUE_PASSWORD",
    "frametally-viewer": "FRAMETALLY_QUEUE_READER_PASSWORD",
}
"""RabbitMQ's users, with the name of each one's password in `.env`."""
EXCHANGES = ("frametally.media", "frametally.media.dead")
_SALT_BYTES = 4


def queue_definitions(values: Mapping[str, str]) -> str:
    """Return the definitions: workers may use only our queues; viewers of the page cannot change anything."""
    ours = "|".join(
        name.replace(".", r"\.")
        for name in (*EXCHANGES, *(name for names in hooks("queues") for name in names))
    )
    workers, viewer = QUEUE_USERS
    users = [
        {
            "name": user,
            "password_hash": _hashed(values[variable], secrets.token_bytes(_SALT_BYTES)),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "monitoring" if user == viewer else "",
        }
        for user, variable in QUEUE_USERS.items()
    ]
    permissions = [
        {"user": user, "vhost": "/", "configure": names, "write": names, "read": names}
        for user, names in ((workers, f"^({ours})$"), (viewer, "^$"))
    ]
    return (
        json.dumps({"users": users, "vhosts": [{"name": "/"}], "permissions": permissions}, indent=2) + "\n"
    )


def queue_password_fits(password: str, user: str, definitions: str) -> bool:
    """Return whether the definitions give a user that password; False if the text is not definitions."""
    try:
        hashes = {
            user_entry["name"]: user_entry["password_hash"] for user_entry in json.loads(definitions)["users"]
        }
        hashed = hashes[user]
        salt = base64.b64decode(hashed)[:_SALT_BYTES]
    except (KeyError, TypeError, ValueError):
        return False
    return hmac.compare_digest(_hashed(password, salt), hashed)


def _hashed(password: str, salt: bytes) -> str:
    """Return a password's hash in RabbitMQ's format."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
