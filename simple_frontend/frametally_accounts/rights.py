"""Accounts and their rights."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

from frametally.errors import Misconfigured

Role = Literal["look", "correct", "run"]
"""Roles: view everything; also correct and add (lines, uploads, streams, names); do everything."""

ROLE_NAMES: dict[Role, str] = {"look": "Viewer", "correct": "Editor", "run": "Admin"}
"""The roles' names on pages and in messages."""
ROLES: tuple[Role, ...] = get_args(Role)

MOST_NAME_CHARS = 64
_NAME = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{0,{MOST_NAME_CHARS - 1}}}")


class UserAccount(NamedTuple):
    """A person's account.

    Attributes:
        name: Lower-case letters, digits and `. _ @ + -`, 64 at most.
        role: Its role; each role includes the ones before it.
        sources: Slugs of the sources that it can see; empty for all.
        has_password: Whether its owner has chosen a password.
        has_codes: Whether sign-in also requires a code from an authenticator.
        created_at_ms: When it was added, by the database's clock.
    """

    name: str
    role: Role
    sources: tuple[str, ...] = ()
    has_password: bool = False
    has_codes: bool = False
    created_at_ms: int = 0

    def may(self, right: Role) -> bool:
        """Return whether the role includes this right."""
        return ROLES.index(self.role) >= ROLES.index(right)

    @property
    def may_administer(self) -> bool:
        """Whether the account may do everything, for all sources."""
        return self.role == "run" and not self.sources

    def narrowed(self, role: Role, sources: tuple[str, ...]) -> UserAccount | None:
        """Return the account with only these rights (without sources: all its own); None if it has fewer."""
        if not self.may(role) or (self.sources and not set(sources) <= set(self.sources)):
            return None
        return self._replace(role=role, sources=sources or self.sources)


class ApiToken(NamedTuple):
    """A program's token.

    Attributes:
        account: The account that it acts for, and with which it is deleted.
        name: Name of the token, written like an account's.
        role: Its role, at most the account's.
        sources: Slugs of the sources that it can see; empty for all of the account's.
        used_at_ms: When it was last used, to a minute; 0 if never.
    """

    account: str
    name: str
    role: Role
    sources: tuple[str, ...] = ()
    created_at_ms: int = 0
    ends_at_ms: int = 0
    used_at_ms: int = 0


class Credentials(NamedTuple):
    """The credentials of an account.

    Attributes:
        password_hash: Hash by argon2, with its parameters; empty if there is no password yet.
        code_secret: Secret of the codes, in Base32; empty if codes are off.
    """

    password_hash: str = ""
    code_secret: str = ""


class Session(NamedTuple):
    """An open session of a person, with the person's current rights.

    Times are by the database's clock; `seen_at_ms` is to a minute.
    """

    account: UserAccount
    begun_at_ms: int
    seen_at_ms: int


class OwnSession(NamedTuple):
    """A session as shown to its owner; its hash identifies it for ending."""

    token_hash: str
    begun_at_ms: int
    seen_at_ms: int


def as_name(text: str) -> str | None:
    """Return the account name in `text`, normalized; None if it is not a valid name."""
    name = text[: MOST_NAME_CHARS * 4].strip().lower()
    return name if len(text) <= MOST_NAME_CHARS * 4 and _NAME.fullmatch(name) else None


def check_name(text: str, *, kind: str = "an account") -> str:
    """Return the name in `text`, of an account or of a token.

    Raises:
        Misconfigured: It is not a valid name.
    """
    name = as_name(text)
    if name is None:
        raise Misconfigured(
            f"{text[:80]!r} is not a valid name for {kind}",
            "use lower-case letters, digits and . _ @ + -, "
            f"beginning with a letter or digit, {MOST_NAME_CHARS} at most",
        )
    return name
