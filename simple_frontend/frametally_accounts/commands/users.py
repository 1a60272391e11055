"""`frametally users` and `tokens`: people who may sign in to the dashboard, and programs acting for them."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from frametally.adapters_by_url import open_object_store
from frametally.console.name_check import open_names
from frametally.console.options import data_dir_option, read_settings
from frametally.console.output import note
from frametally.errors import FrametallyError
from frametally.process.reports import plural
from frametally.settings.loading import Settings
from frametally_accounts.credentials import MOST_CHARS, check_password, hash_password
from frametally_accounts.marker import note_no_accounts
from frametally_accounts.password_links import address_of, make_link
from frametally_accounts.people import changes
from frametally_accounts.people.changes import MOST_DAYS, find_account, rights_in_words
from frametally_accounts.rights import ROLE_NAMES, ROLES, Role, UserAccount

if TYPE_CHECKING:
    from frametally_accounts.book import AccessBook


_ROLES_IN_WORDS = ", ".join(f"{role} ({name})" for role, name in ROLE_NAMES.items())
_password_option = click.option(
    "--password",
    "asks",
    is_flag=True,
    help="Ask for the password, or read it from a pipe; default: print a link.",
)
_codes_option = click.option(
    "--codes/--no-codes", default=None, help="Require a code from an authenticator app, or stop requiring it."
)


@click.group("users")
def users_group() -> None:
    """Manage the accounts that can sign in to the dashboard, and their roles."""


@users_group.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="look",
    show_default=True,
    help=f"Role of the account: {_ROLES_IN_WORDS}.",
)
@click.option(
    "--source", "sources", multiple=True, help="A source that the account can see; repeatable; default: all."
)
@_password_option
@_codes_option
@data_dir_option
def users_add(
    name: str, role: Role, sources: tuple[str, ...], asks: bool, codes: bool | None, **overrides: Any
) -> int:
    """Add an account, and print a link with which its owner chooses the password, once."""
    with open_book(overrides) as (settings, book):
        account = changes.new_account(book, name, role, sources)
        password = _ask(account.name) if asks else None
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            if changes.add_account(book, store, account):
                note(
                    "this catalogue does not have the accounts that this store had; this is the first new one"
                )
        click.echo(f"{account.name} has the role {rights_in_words(account.role, account.sources)}")
        note_sources(settings, sources)
        _prove(settings, book, account, password, codes)
    return 0


@users_group.command("passwd")
@click.argument("name")
@_password_option
@_codes_option
@data_dir_option
def users_passwd(name: str, asks: bool, codes: bool | None, **overrides: Any) -> int:
    """Set a new password, which ends the account's sessions, or print a link to choose one."""
    with open_book(overrides) as (settings, book):
        account = find_account(book, name)
        _prove(settings, book, account, _ask(account.name) if asks else None, codes)
    return 0


@users_group.command("remove")
@click.argument("name")
@data_dir_option
def users_remove(name: str, **overrides: Any) -> int:
    """Delete an account, which ends its sessions."""
    with open_book(overrides) as (settings, book):
        account = find_account(book, name)
        changes.remove_account(book, account, may_be_only=True)
        click.echo(f"{account.name} deleted")
        if book.is_empty():
            with closing(open_object_store(settings.store_url, settings.store_access)) as store:
                note_no_accounts(store)
            click.echo("no accounts are left: the dashboard refuses everyone until you restart it")
    return 0


@users_group.command("list")
@data_dir_option
def users_list(**overrides: Any) -> int:
    """List the accounts with their roles and numbers of sessions."""
    with open_book(overrides) as (_, book):
        sessions = book.sessions()
        for account in book.accounts():
            proof = "password set" if account.has_password else "no password yet"
            proof += ", codes on" if account.has_codes else ""
            may = rights_in_words(account.role, account.sources)
            click.echo(f"{account.name}: role {may}; {proof}; sessions: {sessions.get(account.name, 0)}")
        if book.is_empty():
            click.echo("no accounts yet: add the first with `frametally users add NAME --role run`")
    return 0


@contextmanager
def open_book(overrides: dict[str, Any]) -> Iterator[tuple[Settings, AccessBook]]:
    """Open the accounts of the settings, including settings on the command line."""
    from frametally_accounts.book import AccessBook

    settings = read_settings("web", overrides, must_be_there=False)
    with closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield settings, book


def note_address(settings: Settings, purpose: str) -> None:
    """Print the address that `purpose` uses, if FRAMETALLY_WEB_URL is not set."""
    if not settings.web_url:
        note(
            f"FRAMETALLY_WEB_URL is not set, so {purpose} uses {address_of(settings)}; set it to the "
            "address at which browsers open the dashboard"
        )


def note_sources(settings: Settings, sources: tuple[str, ...]) -> None:
    """Warn about sources that do not exist yet: you can add accounts before there is footage."""
    if not sources:
        return
    try:
        with open_names(settings) as lookup:
            for unknown_name in lookup.names.unknown(sources=sources):
                note(f"{unknown_name}")
    except FrametallyError as error:
        note(f"cannot check whether these sources exist: {error}")


def _prove(
    settings: Settings, book: AccessBook, account: UserAccount, password: str | None, codes: bool | None
) -> None:
    """Set an account's credentials, and print what its owner needs."""
    name = account.name
    if codes is not None:
        address = changes.change_codes(book, name, codes)
        click.echo(f"codes: {address}" if codes else "codes are off")
    if password is not None:
        book.set_password(name, hash_password(password))
        click.echo("password set; all sessions of this account have ended")
    elif codes is None or not account.has_password:
        note_address(settings, "the link")
        click.echo(
            "to choose the password, open this link within a day (it works once): "
            f"{make_link(address_of(settings), book, name)}"
        )


def _ask(name: str) -> str:
    """Return a password, typed twice at a terminal or read from a pipe. Raises `Misconfigured`."""
    if sys.stdin.isatty():
        text = click.prompt("password", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.readline(MOST_CHARS + 2).rstrip("\r\n")
    return check_password(text, name=name)


@click.group("tokens")
def tokens_group() -> None:
    """Manage tokens with which programs act for an account until they expire."""


@tokens_group.command("add")
@click.argument("account")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    help=f"Role of the token, {_ROLES_IN_WORDS}; default: the account's.",
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    help="A source that the token can see; repeatable; default: the account's.",
)
@click.option(
    "--days", type=click.IntRange(1, MOST_DAYS), default=90, show_default=True, help="Days until it expires."
)
@data_dir_option
def tokens_add(
    account: str, name: str, role: Role | None, sources: tuple[str, ...], days: int, **overrides: Any
) -> int:
    """Create a token NAME for an account, and print it once."""
    with open_book(overrides) as (settings, book):
        owner = find_account(book, account)
        token, secret = changes.add_token(book, owner, name, role=role, sources=sources, days=days)
        may = rights_in_words(token.role, token.sources)
        click.echo(
            f"token {token.name} of {owner.name} has the role {may} and expires in {plural(days, 'day')}"
        )
        note_sources(settings, sources)
        click.echo(secret)
        click.echo("this is shown only once; programs send it as `Authorization: Bearer TOKEN`", err=True)
    return 0


@tokens_group.command("list")
@data_dir_option
def tokens_list(**overrides: Any) -> int:
    """List the tokens with their roles, expiry and last use."""
    with open_book(overrides) as (_, book):
        tokens = book.tokens()
        for token in tokens:
            used = f"used {_time(token.used_at_ms)}" if token.used_at_ms else "never used"
            click.echo(
                f"{token.account} {token.name}: role {rights_in_words(token.role, token.sources)}; expires "
                f"{_time(token.ends_at_ms)}; {used}"
            )
        if not tokens:
            click.echo("no tokens yet: create one with `frametally tokens add ACCOUNT NAME`")
    return 0


@tokens_group.command("remove")
@click.argument("account")
@click.argument("name")
@data_dir_option
def tokens_remove(account: str, name: str, **overrides: Any) -> int:
    """Delete a token; it stops working at once."""
    with open_book(overrides) as (_, book):
        changes.remove_token(book, account, name)
        click.echo(f"token {name} of {account} deleted")
    return 0


def _time(at_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC):%Y-%m-%d %H:%M} UTC"
