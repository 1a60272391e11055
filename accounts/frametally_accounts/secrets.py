"""Secrets that the server makes: 256 random bits, of which it keeps a hash alone, and their signature.

The signature of a session's token is what tells a broken cookie without a look into the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from frametally.settings.access import API_TOKEN_PREFIX

_SIGNED = re.compile("([A-Za-z0-9_-]{43})[.]([0-9a-f]{64})")


def make_token() -> str:
    """Return a new secret, as it stands in an address or a cookie."""
    return secrets.token_urlsafe(32)


def make_api_token() -> str:
    """Return a new secret for a program."""
    return API_TOKEN_PREFIX + make_token()


def token_hash(token: str) -> str:
    """Return what is kept of a secret of `make_token`: it has too many bits to be guessed from that."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def sign(token: str, key: bytes) -> str:
    """Return a token with its signature."""
    return f"{token}.{_signature(token, key)}"


def read_signed(text: str, key: bytes) -> str | None:
    """Return the token of `sign`; None: this server has signed no such thing."""
    found = _SIGNED.fullmatch(text)
    if found is None or not hmac.compare_digest(_signature(found[1], key), found[2]):
        return None
    return found[1]


def _signature(token: str, key: bytes) -> str:
    return hmac.digest(key, token.encode(), hashlib.sha256).hex()
