"""Makes the secrets of the cloud stack, and refuses those that are examples or easy to guess."""

from __future__ import annotations

import re
import secrets

import bcrypt

from frametally.errors import Misconfigured

LEAST_CHARACTERS = 12
_LEAST_DIFFERENT = 6
_EXAMPLES = re.compile(
    r"change[-_]?(me|it|this)|example|placeholder|your[-_]?(own|password|secret|key)|<.*>|x{4,}|insert|todo"
    r"|^(ci|test|demo|dummy)?(access|secret)(key)?[0-9]*$",
    re.IGNORECASE,
)
_COMMON = re.compile(
    r"pass(word|wort)|qwert|asdf|letmein|welcome|iloveyou|dragon|monkey|football|admin|secret|frametally"
    r"|abcdef|012345|123456|654321|111111|000000",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
# No one can get a certificate for these.
_NO_ONES = {"local", "localhost", "internal", "invalid", "lan", "home", "corp"}
_EMAIL = re.compile(r"[^@\s]+@([^@\s]+)")
# Traefik checks the hash at every request: some 15 ms at 8, a quarter of a second at bcrypt's usual 12.
_WEB_ROUNDS = 8


def checked_domain(text: str) -> str:
    """Return the domain in lower case, without a final dot. Raises `Misconfigured`."""
    name = text.strip().lower().removesuffix(".")
    labels = name.split(".")
    if (
        len(labels) < 2
        or len(name) > 240
        or not all(_LABEL.fullmatch(label) for label in labels)
        or labels[-1].isdigit()  # an IPv4 address
        or labels[-1] in _NO_ONES
    ):
        raise Misconfigured(
            f"{text!r} is not a domain that can get a certificate; give a domain that you own, such as "
            "counts.your-town.org, without https:// and without a path"
        )
    return name


def checked_email(text: str) -> str:
    """Return the e-mail address without surrounding blanks; raise `Misconfigured` if it is not one."""
    match = _EMAIL.fullmatch(text.strip())
    try:
        checked_domain(match[1] if match else "")
    except Misconfigured:
        raise Misconfigured(
            f"{text!r} is not an e-mail address; Let's Encrypt writes to it when a certificate expires"
        ) from None
    return text.strip()


def checked_secret(name: str, value: str) -> str:
    """Return `value`, a secret chosen by a person or read from a file, if it is acceptable.

    Messages call it `name`, as where people set it, and never show its value.

    Raises `Misconfigured` if the secret is an example's, easy to guess, or unfit for the files.
    """
    refuse_example(name, value)
    if len(value) < LEAST_CHARACTERS or len(set(value)) < _LEAST_DIFFERENT or _COMMON.search(value):
        raise Misconfigured(
            f"{name} is too easy to guess: use at least {LEAST_CHARACTERS} characters, {_LEAST_DIFFERENT} "
            "of them different, and not a common password; or leave it empty to generate one"
        )
    if not value.isprintable() or set(value) & set("'\"\\"):
        raise Misconfigured(f"{name} must not contain quotes, backslashes or control characters")
    return value


def refuse_example(name: str, value: str) -> None:
    """Raise `Misconfigured` if `value` is an example's, or contains quotes or line ends."""
    if _EXAMPLES.search(value):
        raise Misconfigured(f"{name} is an example value; set your own, or leave it empty")
    if not value.isprintable() or "'" in value:
        raise Misconfigured(f"{name} must not contain quotes or control characters")


def new_secret() -> str:
    """Make a secret of 32 letters, digits, - and _: 192 bits."""
    while True:
        value = secrets.token_urlsafe(24)
        # One in millions contains a word that `checked_secret` refuses, or looks like an option.
        if not value.startswith("-") and not _COMMON.search(value) and not _EXAMPLES.search(value):
            return value


def web_hash(password: str) -> str:
    """Return the bcrypt hash for Traefik's users file."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_WEB_ROUNDS)).decode()


def index_hash(password: str) -> str:
    """Return the bcrypt hash for Elasticsearch's users file, with the prefix that it accepts."""
    return "$2a$" + bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode().removeprefix("$2b$")


def fits(password: str, hashed: str) -> bool:
    """Return whether the hash is that of the password; False if the text is not a hash."""
    try:
        return bcrypt.checkpw(password.encode(), hashed.encode())
    except ValueError:
        return False
