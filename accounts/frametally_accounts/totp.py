"""Codes of an authenticator as a second factor: TOTP of RFC 6238 over HOTP of RFC 4226, six digits, SHA-1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import struct
from urllib.parse import quote

_STEP_S = 30
_AHEAD_AND_BEHIND = 1
"""Steps by which the clock of an authenticator may differ."""


def make_code_secret() -> str:
    """Return a new secret of 160 bits, in Base32."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_secret_of(token: str, key: bytes) -> str:
    """Return the secret that a link gives, in Base32: 160 bits, the same for as long as it lasts.

    `key` is the access book's own: who has the link alone cannot make it without the page.
    """
    return base64.b32encode(hmac.digest(key, f"codes {token}".encode(), hashlib.sha256)[:20]).decode()


def code_address(name: str, secret: str) -> str:
    """Return the address that authenticators read."""
    return f"otpauth://totp/frametally:{quote(name, safe='')}?secret={secret}&issuer=frametally"


def code_at(secret: str, step: int) -> str:
    """Return the code of the step `step` since 1970 (RFC 4226, 5.3)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1)
    begin = digest[-1] & 0xF
    number = struct.unpack(">I", digest[begin : begin + 4])[0] & 0x7FFF_FFFF
    return f"{number % 1_000_000:06d}"


def step_of(time_s: float) -> int:
    """Return the step that a moment is in."""
    return int(time_s // _STEP_S)


def find_step(secret: str, code: str, *, time_s: float) -> int | None:
    """Return the step that `code` is of, one before or after now at most; None: it is none of theirs."""
    code = code.replace(" ", "")
    if not re.fullmatch("[0-9]{6}", code):
        return None
    now = step_of(time_s)
    near = range(max(0, now - _AHEAD_AND_BEHIND), now + _AHEAD_AND_BEHIND + 1)
    found = [step for step in near if hmac.compare_digest(code_at(secret, step), code)]
    return found[-1] if found else None
