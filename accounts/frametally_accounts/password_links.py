"""Links by which somebody chooses a password, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frametally.rules.times import DAY_S
from frametally.settings.loading import Settings
from frametally_accounts.rights import UserAccount
from frametally_accounts.secrets import make_token, token_hash

if TYPE_CHECKING:
    from frametally_accounts.book import AccessBook

ADMINISTRATOR = "admin"
LINK_PATH = "/sign-in/once/"


def make_link(settings: Settings, book: AccessBook, name: str) -> str:
    """Return the address of a link for an account, which works once, for a day, instead of all before."""
    token = make_token()
    book.put_link(name, token_hash(token), lasts_s=DAY_S)
    return f"{address_of(settings)}{LINK_PATH}{token}"


def address_of(settings: Settings) -> str:
    """Return where browsers find the dashboard, without a slash at the end."""
    everywhere = settings.web_host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = "127.0.0.1" if everywhere else settings.web_host
    here = f"http://[{host}]:{settings.web_port}" if ":" in host else f"http://{host}:{settings.web_port}"
    return (settings.web_url or here).rstrip("/")


def first_link(settings: Settings, book: AccessBook) -> str | None:
    """Make the first administrator where accounts are wanted and there is none, and return its link.

    Also where that has never been used: whoever lost it starts anew. None: nothing is to be done.
    """
    if not lacks_administrator(settings, book):
        return None
    if book.is_empty():
        book.add_account(UserAccount(ADMINISTRATOR, "run"))
    return make_link(settings, book, ADMINISTRATOR)


def lacks_administrator(settings: Settings, book: AccessBook) -> bool:
    """Return whether accounts are wanted, and nobody has ever chosen the first one's password."""
    accounts = book.accounts()
    is_unused = [(one.name, one.has_password) for one in accounts] == [(ADMINISTRATOR, False)]
    return settings.web_accounts and (is_unused or not accounts)
