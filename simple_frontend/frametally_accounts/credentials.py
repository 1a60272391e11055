"""Credentials: passwords and their shortest length, random secrets, and codes of an authenticator.

Passwords are stored as argon2id hashes, and the comparison takes as long for an unknown account. A secret has
256 random bits, and only its hash is stored. The signature of a session's token reveals a forged cookie
without a database query. Codes are TOTP of RFC 6238 over HOTP of RFC 4226, six digits, SHA-1.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
import re
import secrets
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote

from frametally.errors import Misconfigured
from frametally.settings.access import API_TOKEN_PREFIX

if TYPE_CHECKING:
    from argon2 import PasswordHasher


LEAST_CHARS = 12
MOST_CHARS = 256
_LEAST_GUESSES = 10**8
_MOST_HELD_CHARS = 72
"""Characters of a password that are checked: zxcvbn takes no more, and a longer tail makes none common."""

HASHED_AT_ONCE = 2


def _yield_to_others() -> None:
    """Run the hashing threads at low priority, on half of the processors.

    Password guesses must not slow down all answers. Only Linux supports both for single threads.
    """
    if sys.platform == "linux":
        os.nice(10)
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, processors[len(processors) // 2 :])


# Each hash takes 64 MiB and a third of a second of CPU, outside Python's lock.
_hashing = ThreadPoolExecutor(HASHED_AT_ONCE, "hash", _yield_to_others)


def check_password(password: str, *, name: str) -> str:
    """Return a password if it is acceptable.

    Raises:
        Misconfigured: It is too short, too long, made of the account's name, or common.
    """
    if len(password) < LEAST_CHARS:
        raise Misconfigured(f"the password has fewer than {LEAST_CHARS} characters: choose a longer one")
    if len(password) > MOST_CHARS:
        raise Misconfigured(f"the password has more than {MOST_CHARS} characters: choose a shorter one")
    if len(set(password)) < 5 or name in password.lower() or "frametally" in password.lower():
        raise Misconfigured(
            "the password is easy to guess: use at least five different characters, and leave out the "
            "account's name and the word frametally"
        )
    if _is_common(password, name):
        raise Misconfigured(
            "the password is common, or similar to a leaked one: use several unrelated words, or let a "
            "password manager create one"
        )
    return password


def _is_common(password: str, name: str) -> bool:
    """Return whether `_LEAST_GUESSES` find a password, by the estimate of zxcvbn (USENIX Security 2016).

    zxcvbn knows 30 000 leaked passwords by frequency, and dictionaries of words and names, with changed case,
    digits for letters, repeats, keyboard rows, and suffixes.
    """
    try:  # its lists are 800 kB, and are needed only to choose a password
        from zxcvbn import zxcvbn
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{error.name} is not installed; run pip install 'frametally[web]'") from error
    return bool(zxcvbn(password[:_MOST_HELD_CHARS], [name, "frametally"])["guesses"] < _LEAST_GUESSES)


def hash_password(password: str) -> str:
    """Return the hash of a password (RFC 9106, the second recommended choice)."""
    return _hashing.submit(_hasher().hash, password).result()


def is_password(stored_hash: str, password: str) -> bool:
    """Return whether a password matches the stored hash; takes the same time if no hash is stored."""
    from argon2.exceptions import InvalidHashError, VerificationError

    password_hash = stored_hash or _nobodys()
    try:
        verified = _hashing.submit(_hasher().verify, password_hash, password[: MOST_CHARS + 1])
        return verified.result() and bool(stored_hash)
    except (VerificationError, InvalidHashError):
        return False


@functools.cache
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{error.name} is not installed; run pip install 'frametally[web]'") from error
    return PasswordHasher()


@functools.cache
def _nobodys() -> str:
    """Return a hash that no password matches."""
    return hash_password("an account that does not exist")


_SIGNED = re.compile("([A-Za-z0-9_-]{43})[.]([0-9a-f]{64})")


def make_token() -> str:
    """Return a new secret in the form used in addresses and cookies."""
    return secrets.token_urlsafe(32)


def make_api_token() -> str:
    """Return a new secret for a program."""
    return API_TOKEN_PREFIX + make_token()


def token_hash(token: str) -> str:
    """Return the hash of a secret from `make_token`, which has too many bits to guess."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def sign(token: str, key: bytes) -> str:
    """Return a token with its signature."""
    return f"{token}.{_signature(token, key)}"


def read_signed(text: str, key: bytes) -> str | None:
    """Return the token that `sign` signed, or None if this server has not signed it."""
    match = _SIGNED.fullmatch(text)
    if match is None or not hmac.compare_digest(_signature(match[1], key), match[2]):
        return None
    return match[1]


def _signature(token: str, key: bytes) -> str:
    return hmac.digest(key, token.encode(), hashlib.sha256).hex()


_STEP_S = 30
_AHEAD_AND_BEHIND = 1
"""Steps by which an authenticator's clock may differ."""


def make_code_secret() -> str:
    """Return a new secret of 160 bits, in Base32."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_secret_of(token: str, key: bytes) -> str:
    """Return the secret of a link, in Base32: 160 bits, the same while the link lasts.

    `key` is the access book's key: the link alone does not reveal the secret.
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
    """Return the step at a time."""
    return int(time_s // _STEP_S)


def find_step(secret: str, code: str, *, time_s: float) -> int | None:
    """Return the step of `code`, at most one before or after now, or None if the code is not valid now."""
    code = code.replace(" ", "")
    if not re.fullmatch("[0-9]{6}", code):
        return None
    now = step_of(time_s)
    near = range(max(0, now - _AHEAD_AND_BEHIND), now + _AHEAD_AND_BEHIND + 1)
    steps = [step for step in near if hmac.compare_digest(code_at(secret, step), code)]
    return steps[-1] if steps else None
