"""Accounts and their rights, as every part of frametally knows them."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

from frametally.errors import Misconfigured

Role = Literal["look", "correct", "run"]
"""Looks at all there is; corrects and adds, too (lines, uploads, streams, names); does everything."""

ROLES: tuple[Role, ...] = get_args(Role)

MOST_NAME_CHARS = 64
_NAME = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{0,{MOST_NAME_CHARS - 1}}}")


class UserAccount(NamedTuple):
    """Somebody who may log in.

    Attributes:
        name: Small letters, digits and `. _ @ + -`, 64 at most.
        role: What they may do; each role includes those before it.
        sources: Slugs of the sources that there are for them; none: all.
        has_password: Whether they have chosen one.
        has_codes: Whether a code of an authenticator is asked for, too.
        created_at_ms: When it was made, by the database's clock.
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

    def narrowed(self, role: Role, sources: tuple[str, ...]) -> UserAccount | None:
        """Return the account with these rights alone (no sources: all of its own); None: it has less."""
        if not self.may(role) or (self.sources and not set(sources) <= set(self.sources)):
            return None
        return self._replace(role=role, sources=sources or self.sources)


class ApiToken(NamedTuple):
    """What a program proves itself by.

    Attributes:
        account: Name of the account that it speaks for, and goes with.
        name: What it is called there; written as accounts' names are.
        role: What it may do, no more than the account.
        sources: Slugs of the sources that there are for it; none: all of the account's.
        created_at_ms: When it was made, by the database's clock.
        ends_at_ms: When it is over.
        used_at_ms: When it was used last, to a minute; 0: never.
    """

    account: str
    name: str
    role: Role
    sources: tuple[str, ...] = ()
    created_at_ms: int = 0
    ends_at_ms: int = 0
    used_at_ms: int = 0


class Credentials(NamedTuple):
    """What an account proves itself by.

    Attributes:
        password_hash: Of argon2, with its parameters; empty: there is no password yet.
        code_secret: Of the codes, in Base32; empty: none is asked for.
    """

    password_hash: str = ""
    code_secret: str = ""


class Session(NamedTuple):
    """Somebody who has logged in and may still go on.

    Attributes:
        account: Who, with the rights that they have by now.
        begun_at_ms: When, by the database's clock.
        seen_at_ms: When they were seen last, to a minute.
    """

    account: UserAccount
    begun_at_ms: int
    seen_at_ms: int


class OwnSession(NamedTuple):
    """One of the sessions that an account has, as its people see it.

    Attributes:
        token_hash: Of its token, by which it is ended.
        begun_at_ms: When they logged in, by the database's clock.
        seen_at_ms: When they were seen last, to a minute.
    """

    token_hash: str
    begun_at_ms: int
    seen_at_ms: int


def as_name(text: str) -> str | None:
    """Return the name that a person means by `text`; None: nobody can be called so."""
    name = text[: MOST_NAME_CHARS * 4].strip().lower()
    return name if len(text) <= MOST_NAME_CHARS * 4 and _NAME.fullmatch(name) else None


def check_name(text: str, *, of: str = "an account") -> str:
    """Return the name that `text` is, of an account or of a token.

    Raises:
        Misconfigured: Nobody can be called so.
    """
    name = as_name(text)
    if name is None:
        raise Misconfigured(
            f"{text[:80]!r} is no name of {of}: use small letters, digits and . _ @ + -, "
            f"beginning with a letter or digit, {MOST_NAME_CHARS} at most"
        )
    return name
