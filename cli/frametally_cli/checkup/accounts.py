"""Whether the dashboard asks people who they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally.errors import FrametallyError
from frametally.opening import open_access_book
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import Finding, shown
from frametally_cli.checkup.ports import not_there_yet


def account_rows(settings: Settings) -> Iterator[Finding]:
    """Say who may do what in the dashboard: those with accounts, those a proxy names, or everybody."""
    address = shown("url", settings.catalogue_url)
    try:
        number = _accounts(settings)
    except FrametallyError as error:
        yield Finding("accounts", address, "not usable", remedy=str(error))
        return
    if number:
        yield Finding("accounts", address, f"{number}: the dashboard asks who it is")
    elif settings.proxy_secret.get_secret_value():
        yield Finding("accounts", address, "none", "the proxy in front says who it is")
    elif settings.web_accounts:
        yield Finding("accounts", address, "none", "`frametally serve` makes the first")
    elif settings.listens_to_itself:
        yield Finding("accounts", address, "none", "everybody on this machine may do everything")
    else:
        remedy = "`frametally users add NAME --role run` makes one"
        yield Finding("accounts", address, "none, so nobody may change anything", remedy=remedy)


def _accounts(settings: Settings) -> int:
    if not_there_yet(settings.catalogue_url) is not None:
        return 0
    with closing(open_access_book(settings.catalogue_url, settings.catalogue_access)) as book:
        book.check()
        return len(book.accounts())
