"""The answers about accounts and tokens."""

from __future__ import annotations

import msgspec

from frametally.actions.answers import Answer
from frametally_accounts.rights import ApiToken, Role, UserAccount


class ListedAccount(Answer, frozen=True, kw_only=True):
    """A person's account.

    Attributes:
        name: Lower-case letters, digits and `. _ @ + -`.
        role: What it can do: `look`, `correct` or `run`.
        sources: Slugs of the sources that the account can see; empty means all.
        has_password: Whether its owner has chosen a password.
        has_codes: Whether sign-in also requires codes of an authenticator.
        created_at_ms: When it was added, by the database's clock.
        sessions: How many times it is signed in.
    """

    name: str
    role: Role
    sources: list[str]
    has_password: bool
    has_codes: bool
    created_at_ms: int
    sessions: int


class ListedToken(Answer, frozen=True, kw_only=True):
    """A program's token; only the answer that created it has its secret.

    Attributes:
        account: The account that it acts for.
        name: Lower-case letters, digits and `. _ @ + -`.
        role: What it can do, no more than its account.
        created_at_ms: When it was added.
        ends_at_ms: When it expires.
        sources: Slugs of the sources that it can see; empty means all that its account sees.
        used_at_ms: When it was used last, to a minute; 0 if never.
    """

    account: str
    name: str
    role: Role
    sources: list[str]
    created_at_ms: int
    ends_at_ms: int
    used_at_ms: int


class AccountList(Answer, frozen=True, kw_only=True):
    """`/api/accounts`: all accounts by name, and all tokens by account and name.

    Attributes:
        accounts: By name.
        tokens: By account and name.
    """

    accounts: list[ListedAccount]
    tokens: list[ListedToken]


class ChangedAccount(Answer, frozen=True, kw_only=True):
    """A new or changed account, with what its owner needs; only this answer has it.

    Attributes:
        name: Name of the account.
        link: Address at which its owner can choose a password, once, within a day; empty if no link was made.
        codes: Address for its owner's authenticator app; empty if codes were not switched on.
        notes: Possible mistakes, such as a source that does not exist yet.
    """

    name: str
    link: str = ""
    codes: str = ""
    notes: tuple[str, ...] = ()


class NewToken(Answer, frozen=True, kw_only=True):
    """A new token with its secret; only this answer has it; its other fields are those of `ListedToken`.

    Attributes:
        secret: The secret that the program sends.
        notes: Possible mistakes, such as a source that does not exist yet.
    """

    account: str
    name: str
    secret: str
    notes: tuple[str, ...] = ()


def account_of(account: UserAccount, sessions: int) -> ListedAccount:
    """Return the API's answer for an account."""
    return msgspec.convert({**account._asdict(), "sessions": sessions}, ListedAccount)


def token_of(token: ApiToken) -> ListedToken:
    """Return the API's answer for a token."""
    return msgspec.convert(token._asdict(), ListedToken)
