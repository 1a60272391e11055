"""Passwords: kept by argon2id alone, and compared as slowly where there is no such account."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

from frametally.errors import Misconfigured

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LEAST_CHARS = 12
MOST_CHARS = 256
_LEAST_GUESSES = 10**8
_MOST_HELD_CHARS = 72
"""Of a password: zxcvbn takes no more, and what stands behind makes none that is common."""
# Each takes 64 MiB: many that log in at once wait for each other, and the machine has room for the rest.
_few_at_once = threading.BoundedSemaphore(2)


def check_password(password: str, *, name: str) -> str:
    """Return a password that may be one.

    Raises:
        Misconfigured: It is too short, too long, made of the account's name, or common.
    """
    if len(password) < LEAST_CHARS:
        raise Misconfigured(f"the password has fewer than {LEAST_CHARS} characters: take a longer one")
    if len(password) > MOST_CHARS:
        raise Misconfigured(f"the password has more than {MOST_CHARS} characters: take a shorter one")
    if len(set(password)) < 5 or name in password.lower() or "frametally" in password.lower():
        raise Misconfigured(
            "the password is easily guessed: take one of five different characters or more, "
            "without the account's name or frametally's"
        )
    if _is_common(password, name):
        raise Misconfigured(
            "the password is common, or nearly one that was breached elsewhere: "
            "take several words that do not belong together, or have a password manager make one"
        )
    return password


def _is_common(password: str, name: str) -> bool:
    """Return whether `_LEAST_GUESSES` find a password, by the estimate of zxcvbn (USENIX Security 2016).

    It has 30 000 passwords that were breached, by how often, and dictionaries of words and names; it
    knows them by their case, digits for letters, repeats, rows of the keyboard, and what is put behind them.
    """
    try:  # its lists are 800 kB: they are for who chooses a password alone
        from zxcvbn import zxcvbn
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{error.name} is not installed; pip install 'frametally[web]'") from error
    return bool(zxcvbn(password[:_MOST_HELD_CHARS], [name, "frametally"])["guesses"] < _LEAST_GUESSES)


def hash_password(password: str) -> str:
    """Return what is kept of a password (RFC 9106, the second recommended choice)."""
    with _few_at_once:
        return _hasher().hash(password)


def is_password(kept: str, password: str) -> bool:
    """Return whether a password is the one that `kept` is of; as slow where nothing is kept."""
    from argon2.exceptions import InvalidHashError, VerificationError

    known = kept or _nobodys()
    with _few_at_once:
        try:
            return _hasher().verify(known, password[: MOST_CHARS + 1]) and bool(kept)
        except (VerificationError, InvalidHashError):
            return False


@functools.cache
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{error.name} is not installed; pip install 'frametally[web]'") from error
    return PasswordHasher()


@functools.cache
def _nobodys() -> str:
    """Return a password's hash that nobody has."""
    return _hasher().hash("nobody has this password")
