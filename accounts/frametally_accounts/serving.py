"""What accounts do around a dashboard: open their book, have the store note them, name their sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, cast

import click

from frametally.errors import Misconfigured, Retryable
from frametally.opening import open_object_store
from frametally.settings.loading import Settings
from frametally_accounts.audit.command_log import record_first_link
from frametally_accounts.book import AccessBook
from frametally_accounts.marker import check_accounts, note_accounts
from frametally_cli.backups.commands import tell_store
from frametally_cli.checkup.findings import shown
from frametally_cli.options.ports import Ports, opened_once, wait_for
from frametally_cli.servers.index import tables_line
from frametally_cli.stages.family_members import MemberOptions
from frametally_cli.stages.looking import database_to_look


@contextmanager
def serving(ports: Ports, _: MemberOptions) -> Iterator[dict[str, Any]]:
    """Open the access book for a dashboard, and print the first link where accounts are wanted.

    Raises:
        Misconfigured: The accounts are lost.
    """
    settings = ports.settings
    with opened_once(lambda: _access_to_look(settings)) as opened:
        access = wait_for(opened)
        url = shown("url", settings.catalogue_url)
        check_accounts(ports.store, has_accounts=not access.is_empty(), url=url)
        if link := record_first_link(settings, access):
            click.echo(f"The administrator chooses a password once, within a day, at {link}")
        if not access.is_empty():  # made by a version that did not note it, or just now
            with suppress(Misconfigured):  # an archive that nobody may write to
                note_accounts(ports.store)
        yield {"access": access}


@contextmanager
def _access_to_look(settings: Settings) -> Iterator[AccessBook]:
    """Open the access book, which is made by the first account; close it at the end."""
    with database_to_look(settings, AccessBook, makes=("add_account",)) as book:
        yield cast(AccessBook, book)


def must_open(settings: Settings) -> None:
    """Open the access book, unless it or the store is away for now.

    Raises:
        Misconfigured: It can never be opened, or the accounts are lost.
    """
    with (
        suppress(Retryable),
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as access,
    ):
        url = shown("url", settings.catalogue_url)
        check_accounts(store, has_accounts=not access.is_empty(), url=url)


def setup(settings: Settings, _: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the accounts: their tables, in the catalogue's database. Raises as a database does."""
    if not settings.catalogue_url.startswith("sqlite:"):
        yield tables_line("accounts", settings.catalogue_url, settings.catalogue_access, AccessBook)


def restored(settings: Settings, numbers: Mapping[str, int]) -> None:
    """Have the store note that a backup brought accounts back."""
    if "accounts" in numbers:
        tell_store(settings, note_accounts, "the next start of `frametally serve` tells it")


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the accounts and tokens that name a source. Raises as the database does."""
    with closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield from (f"account {one.name}" for one in book.accounts() if source in one.sources)
        yield from (f"token {one.name} of {one.account}" for one in book.tokens() if source in one.sources)


def kept_since(settings: Settings) -> int | None:
    """Return since when there is an account; None: there is none."""
    with closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as book:
        return min((account.created_at_ms for account in book.accounts()), default=None)
