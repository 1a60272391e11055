"""Encrypts texts with a secret from the environment, such as `FRAMETALLY_ALERT_KEY`, by Fernet.

A person may have chosen the secret, so scrypt derives the key, with a salt stored with each text.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from functools import lru_cache

SALT_BYTES = 16


class WrongKeyError(ValueError):
    """A text was encrypted with another secret, or is damaged."""


@lru_cache(maxsize=256)
def fernet_key(secret: str, salt: str) -> bytes:
    """Return Fernet's key for a secret and a hex salt; slow, to make guessing slow."""
    derived = hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32)
    return urlsafe_b64encode(derived)


def encrypt_text(text: str, secret: str) -> str:
    """Return a text as one line that only the secret can decrypt."""
    from cryptography.fernet import Fernet

    salt = secrets.token_hex(SALT_BYTES)
    return f"{salt}:{Fernet(fernet_key(secret, salt)).encrypt(text.encode()).decode()}"


def decrypt_text(line: str, secret: str) -> str:
    """Return the text given to `encrypt_text`.

    Raises:
        WrongKeyError: The secret is another one, or the line is damaged.
    """
    from cryptography.fernet import Fernet, InvalidToken

    salt, _, token = line.partition(":")
    try:
        return Fernet(fernet_key(secret, salt)).decrypt(token.encode()).decode()
    except (InvalidToken, ValueError) as error:
        raise WrongKeyError("encrypted with another secret, or damaged") from error
