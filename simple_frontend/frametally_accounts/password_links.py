"""Single-use links to choose a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frametally.rules.times import DAY_S
from frametally.settings.loading import Settings
from frametally_accounts.credentials import make_token, token_hash
from frametally_accounts.rights import UserAccount

if TYPE_CHECKING:
    from frametally_accounts.book import AccessBook

ADMINISTRATOR = "admin"
LINK_PATH = "/sign-in/once/"


def make_link(address: str, book: AccessBook, name: str) -> str:
    """Return a link for an account, which works once, for a day, and replaces earlier ones.

    `address` is the dashboard's address for browsers.
    """
    token = make_token()
    book.put_link(name, token_hash(token), lasts_s=DAY_S)
    return f"{address.rstrip('/')}{LINK_PATH}{token}"


def address_of(settings: Settings) -> str:
    """Return the dashboard's address for browsers, without a slash at the end."""
    return (settings.web_url or local_address_of(settings)).rstrip("/")


def local_address_of(settings: Settings) -> str:
    """Return the dashboard's address on this machine, or where it listens."""
    everywhere = settings.web_host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = "127.0.0.1" if everywhere else settings.web_host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.web_port}"


def first_link(settings: Settings, book: AccessBook) -> str | None:
    """Add the first administrator if accounts are required and none exists, and return its link.

    Also return a new link if the last was never used, because it may be lost; otherwise None.
    """
    if not lacks_administrator(settings, book):
        return None
    if book.is_empty():
        book.add_account(UserAccount(ADMINISTRATOR, "run"))
    return make_link(address_of(settings), book, ADMINISTRATOR)


def lacks_administrator(settings: Settings, book: AccessBook) -> bool:
    """Return whether accounts are required but the first one has no password yet."""
    accounts = book.accounts()
    is_unused = [(account.name, account.has_password) for account in accounts] == [(ADMINISTRATOR, False)]
    return settings.web_accounts and (is_unused or not accounts)
