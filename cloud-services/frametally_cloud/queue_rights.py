"""Who may do what at the stack's RabbitMQ: its definitions, which it reads at each start."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping

from frametally.plugins import hooks

QUEUE_USERS = {
    "frametally": "FRAMETALLY_QUEUE_PASSWORD",
    "frametally-viewer": "FRAMETALLY_QUEUE_READER_PASSWORD",
}
"""RabbitMQ's users, and where each one's password stands in `.env`."""
EXCHANGES = ("frametally.media", "frametally.media.dead")
_SALT_BYTES = 4


def queue_definitions(values: Mapping[str, str]) -> str:
    """Return the definitions: workers have our queues alone, who opens the page sees, and changes nothing."""
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
    """Return whether the definitions give a user that password; False for what are none."""
    try:
        found = {one["name"]: one["password_hash"] for one in json.loads(definitions)["users"]}
        hashed = found[user]
        salt = base64.b64decode(hashed)[:_SALT_BYTES]
    except (KeyError, TypeError, ValueError):
        return False
    return hmac.compare_digest(_hashed(password, salt), hashed)


def _hashed(password: str, salt: bytes) -> str:
    """Return a password's hash as RabbitMQ has it."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
