"""The rules for adding, changing and removing accounts and tokens, for both commands and the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from frametally.errors import Misconfigured
from frametally.keys import slug
from frametally.ports.object_store import ObjectStore
from frametally.rules.times import DAY_S
from frametally_accounts.credentials import code_address, make_api_token, make_code_secret, token_hash
from frametally_accounts.marker import has_noted_accounts, note_accounts
from frametally_accounts.rights import ROLE_NAMES, ApiToken, Role, UserAccount, check_name

if TYPE_CHECKING:
    from frametally_accounts.book import AccessBook

MOST_DAYS = 366
"""Longest validity of a token."""


class AccessRefused(Misconfigured):
    """A change cannot be made; the message has the command line's remedy, `remedy` the page's."""

    def __init__(self, status: int, detail: str, *, command: str, remedy: str) -> None:
        """Store the HTTP status, the fault, and both remedies."""
        super().__init__(detail, command)
        self.status = status
        self.remedy = remedy


def rights_in_words(role: Role, sources: tuple[str, ...]) -> str:
    """Return the rights of an account in words."""
    return f"{role} ({', '.join(sources) if sources else 'all sources'})"


def find_account(book: AccessBook, name: str) -> UserAccount:
    """Return the account of a name. Raises `Misconfigured` if it does not exist."""
    account = book.account(check_name(name))
    if account is None:
        raise AccessRefused(
            404,
            f"account {name} does not exist",
            command="`frametally users list` lists the accounts",
            remedy="Reload the page to see the current accounts.",
        )
    return account


def new_account(book: AccessBook, name: str, role: Role, sources: tuple[str, ...]) -> UserAccount:
    """Return an account that can be added. Raises `Misconfigured` if the name is taken or not valid."""
    account = UserAccount(check_name(name), role, tuple(slug(source) for source in sources))
    if book.account(account.name) is not None:
        raise AccessRefused(
            409,
            f"account {account.name} already exists",
            command=f"`frametally users passwd {account.name}` sets a new password",
            remedy="Choose another name, or create a new password link for that account.",
        )
    return account


def add_account(book: AccessBook, store: ObjectStore, account: UserAccount) -> bool:
    """Add an account, and return whether the store has the mark of accounts that this catalogue lacks."""
    begins_anew = book.is_empty() and has_noted_accounts(store)
    note_accounts(store)
    book.add_account(account)
    return begins_anew


def change_rights(book: AccessBook, account: UserAccount, role: Role, sources: tuple[str, ...]) -> None:
    """Give an account a role and sources. Raises `Misconfigured` if no account could do everything."""
    updated_account = account._replace(role=role, sources=tuple(slug(source) for source in sources))

    def check(accounts: Sequence[UserAccount]) -> None:
        if not updated_account.may_administer:
            _must_leave_administrator(accounts, account.name)

    book.set_rights(account.name, updated_account.role, updated_account.sources, check=check)


def remove_account(book: AccessBook, account: UserAccount, *, may_be_only: bool = False) -> None:
    """Remove an account; with `may_be_only`, even the last one.

    Raises:
        AccessRefused: No account could do everything any more.
    """

    def check(accounts: Sequence[UserAccount]) -> None:
        if not (may_be_only and len(accounts) == 1):
            _must_leave_administrator(accounts, account.name)

    book.remove_account(account.name, check=check)


def change_codes(book: AccessBook, name: str, has_codes: bool) -> str:
    """Require codes from an account, or stop requiring them; return the address for its authenticator."""
    secret = make_code_secret() if has_codes else ""
    book.set_code_secret(name, secret)
    return code_address(name, secret) if has_codes else ""


def _must_leave_administrator(accounts: Sequence[UserAccount], name: str) -> None:
    """Raise `Misconfigured` if no other account could do everything."""
    if [one.name for one in accounts if one.may_administer] == [name]:
        raise AccessRefused(
            409,
            f"{name} is the last account with the Admin role",
            command="add another with `frametally users add NAME --role run` first",
            remedy="Give the Admin role and access to all sources to another account first.",
        )


def add_token(
    book: AccessBook, owner: UserAccount, name: str, *, role: Role | None, sources: tuple[str, ...], days: int
) -> tuple[ApiToken, str]:
    """Add a token, valid for some days; return it with its secret. Raises `Misconfigured`."""
    name = check_name(name, kind="a token")
    rights = owner.narrowed(role or owner.role, tuple(slug(source) for source in sources))
    if rights is None:
        raise AccessRefused(
            400,
            f"{owner.name} is {ROLE_NAMES[owner.role]} of {', '.join(owner.sources) or 'all sources'}",
            command="a token cannot have more",
            remedy="A token cannot have more rights than its account: choose a lower role or fewer sources.",
        )
    secret = make_api_token()
    token = ApiToken(owner.name, name, rights.role, rights.sources)
    if not book.add_token(token, token_hash(secret), lasts_s=days * DAY_S):
        raise AccessRefused(
            409,
            f"{owner.name} already has a token named {name}",
            command=f"delete it first with `frametally tokens remove {owner.name} {name}`",
            remedy="Choose another name, or delete that token first.",
        )
    return token, secret


def remove_token(book: AccessBook, account: str, name: str) -> None:
    """Remove a token. Raises `Misconfigured` if it does not exist."""
    if not book.remove_token(check_name(account), check_name(name, kind="a token")):
        raise AccessRefused(
            404,
            f"{account} has no token named {name}",
            command="`frametally tokens list` lists the tokens",
            remedy="Reload the page to see the current tokens.",
        )
