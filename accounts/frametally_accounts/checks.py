"""Whether the dashboard asks people who they are."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator
from contextlib import closing

from frametally.errors import FrametallyError
from frametally.files.sqlite import sqlite_path
from frametally.opening import open_object_store
from frametally.settings.data_folder import embedded_folder
from frametally.settings.loading import Settings
from frametally_accounts.book import AccessBook
from frametally_accounts.marker import check_accounts
from frametally_cli.checkup.findings import Finding, shown
from frametally_cli.checkup.ports import is_needed, not_there_yet


def checks(settings: Settings, stage: str) -> Iterator[Finding]:
    """Say who may do what in the dashboard: those with accounts, those a proxy names, or everybody."""
    if not is_needed("accounts", stage):
        return
    address = shown("url", settings.catalogue_url)
    try:
        number = _accounts(settings)
    except FrametallyError as error:
        yield Finding("accounts", address, "not usable", remedy=str(error))
        return
    yield from _private_rows(settings)
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


def _private_rows(settings: Settings) -> Iterator[Finding]:
    """Say whether others on this machine can read the pictures, or the file with the accounts' secrets."""
    folder = embedded_folder(settings)
    if folder is not None and folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        remedy = f"as its owner: chmod 700 {shlex.quote(str(folder))}"
        yield Finding("accounts", str(folder), "other users can look into it", remedy=remedy)
    if not settings.catalogue_url.startswith("sqlite:"):
        return
    path = sqlite_path(settings.catalogue_url, "FRAMETALLY_CATALOGUE_URL")
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        remedy = f"as its owner: chmod 600 {shlex.quote(str(path))}*"
        yield Finding("accounts", str(path), "other users can read it", remedy=remedy)


def _accounts(settings: Settings) -> int:
    number = 0
    if not_there_yet(settings.catalogue_url) is None:
        with closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as book:
            book.check()
            number = len(book.accounts())
    if not_there_yet(settings.store_url) is None:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            check_accounts(store, has_accounts=number > 0, url=shown("url", settings.catalogue_url))
    return number
