"""Hooks of accounts: open their book, name their sources, and check them."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, cast

import click

from frametally import keys
from frametally.adapters.sql.kept_books import place_of
from frametally.adapters_by_url import open_object_store
from frametally.backups import tell_store
from frametally.checkup.areas import is_needed, not_there_yet
from frametally.checkup.findings import Finding, Look, ServingLook, TrialLook, ask, public_value
from frametally.console.rounds import opened_once, wait_for
from frametally.errors import FrametallyError, Misconfigured
from frametally.files.sqlite import sqlite_path
from frametally.media.kept_data import KeptPart, in_folders
from frametally.openers.look_openers import database_to_look
from frametally.ports.opened import Ports, StorePorts
from frametally.settings.data_folder import embedded_folder
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions
from frametally_accounts import tables
from frametally_accounts.audit import tables as audit_tables
from frametally_accounts.audit.command_log import record_first_link
from frametally_accounts.book import AccessBook
from frametally_accounts.marker import check_accounts, note_accounts


@contextmanager
def serving(ports: Ports, options: MemberOptions) -> Iterator[dict[str, Any]]:
    """Open the access book for a dashboard, and print the first link if accounts are required.

    If the accounts are lost, print what to do: the dashboard shows nothing until then.
    """
    settings = ports.settings
    with opened_once(lambda: _access_to_look(settings)) as opening:
        access = wait_for(opening)
        are_lost = False
        try:
            url = public_value("url", settings.catalogue_url)
            check_accounts(ports.store, has_accounts=not access.is_empty(), url=url)
        except Misconfigured as error:
            are_lost = True
            click.echo(f"no one can sign in: {error}", err=True)
        if not are_lost and options.listens and (link := record_first_link(settings, access)):
            click.echo(f"To choose the administrator's password, open this link within a day: {link}")
        if options.listens and not access.is_empty():  # created just now, or by a version that wrote no mark
            with suppress(Misconfigured):  # the archive may be read-only
                note_accounts(ports.store)
        yield {"access": access, "accounts_are_lost": are_lost}


@contextmanager
def _access_to_look(settings: Settings) -> Iterator[AccessBook]:
    """Open the access book, which the first account creates; close it at the end."""
    with database_to_look(settings, AccessBook, makes=("add_account",)) as book:
        yield cast("AccessBook", book)


def restored(settings: Settings, numbers: Mapping[str, int]) -> None:
    """Mark in the store that a backup restored accounts."""
    if "accounts" in numbers:
        tell_store(settings, note_accounts, "`frametally serve` publishes it at its next start")


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the accounts and tokens that name a source. Raises as the database does."""
    with closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield from (f"account {account.name}" for account in book.accounts() if source in account.sources)
        yield from (
            f"token {token.name} of {token.account}" for token in book.tokens() if source in token.sources
        )


def data_places(_: StorePorts) -> KeptPart:
    """Return where accounts and the audit log are."""
    accounts = place_of("accounts", tables, "accounts.kept_accounts")
    return KeptPart(
        [
            accounts,
            accounts._replace(place="store", files=in_folders(keys.ACCESS)),
            place_of("audit-log", audit_tables, "accounts.kept_audit"),
        ]
    )


def kept_since(settings: Settings) -> int | None:
    """Return the time of the first account, or None without accounts."""
    with closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as book:
        return min((account.created_at_ms for account in book.accounts()), default=None)


def findings(look: Look) -> Iterator[Finding]:
    """Report who may do what in the dashboard: people with accounts, users of a proxy, or everyone.

    While it serves, report only whether the accounts can be read.
    """
    if isinstance(look, ServingLook) and (accounts := look.parts.get("access")) is not None:
        yield from ask("accounts", accounts.is_empty)
    if not isinstance(look, TrialLook) or not is_needed("accounts", look.stage):
        return
    settings = look.settings
    address = public_value("url", settings.catalogue_url)
    try:
        number = _accounts(settings)
    except FrametallyError as error:
        yield Finding("accounts", address, "not usable", remedy=str(error))
        return
    yield from _private_rows(settings)
    if number:
        yield Finding("accounts", address, f"{number}: the dashboard asks people to sign in")
    elif settings.proxy_secret.get_secret_value():
        yield Finding("accounts", address, "none", "the proxy in front of the dashboard names its users")
    elif settings.web_accounts:
        yield Finding("accounts", address, "none", "`frametally serve` adds the first")
    elif settings.listens_to_itself:
        yield Finding("accounts", address, "none", "everyone on this machine may do everything")
    else:
        remedy = "add one with `frametally users add NAME --role run`"
        yield Finding("accounts", address, "none, so no one can change anything", remedy=remedy)


def _private_rows(settings: Settings) -> Iterator[Finding]:
    """Report whether others on this machine can read the pictures, or the file with accounts' secrets."""
    folder = embedded_folder(settings)
    if folder is not None and folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        remedy = f"as its owner: chmod 700 {shlex.quote(str(folder))}"
        yield Finding("accounts", str(folder), "other users can open it", remedy=remedy)
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
            check_accounts(store, has_accounts=number > 0, url=public_value("url", settings.catalogue_url))
    return number
