"""`frametally users`: who may log in to the dashboard, and what they may do there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from frametally.errors import FrametallyError, Misconfigured
from frametally.keys import slug
from frametally.opening import open_object_store
from frametally.settings.loading import Settings
from frametally_accounts.marker import has_noted_accounts, note_accounts, note_no_accounts
from frametally_accounts.password_links import address_of, make_link
from frametally_accounts.passwords import MOST_CHARS, check_password, hash_password
from frametally_accounts.rights import ROLES, Role, UserAccount, check_name
from frametally_accounts.totp import code_address, make_code_secret
from frametally_cli.options.names import note, open_names
from frametally_cli.options.ports import data_dir_option, read_settings

if TYPE_CHECKING:
    from frametally_accounts.book import AccessBook

_password_option = click.option(
    "--password",
    "asks",
    is_flag=True,
    help="Ask for the password (or read it from a pipe); else a link does.",
)
_codes_option = click.option(
    "--codes/--no-codes", default=None, help="Ask for codes of an authenticator, too, or no longer."
)


@click.group("users")
def users_group() -> None:
    """Say who may log in to the dashboard, and what they may do there."""


@users_group.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="look", show_default=True, help="What they may do.")
@click.option("--source", "sources", multiple=True, help="A source that they see; default: all. Repeatable.")
@_password_option
@_codes_option
@data_dir_option
def users_add(
    name: str, role: Role, sources: tuple[str, ...], asks: bool, codes: bool | None, **overrides: Any
) -> int:
    """Add an account, and print a link that chooses its password once."""
    account = UserAccount(check_name(name), role, tuple(slug(source) for source in sources))
    with open_book(overrides) as (settings, book):
        if book.account(account.name) is not None:
            raise Misconfigured(
                f"there is an account {account.name} already: "
                f"`frametally users passwd {account.name}` gives it another password"
            )
        password = _ask(account.name) if asks else None
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            if book.is_empty() and has_noted_accounts(store):
                note(
                    "this store had accounts that this catalogue does not have: it begins anew with this one"
                )
            note_accounts(store)
        book.add_account(account)
        click.echo(f"{account.name} may {rights_in_words(account.role, account.sources)}")
        note_sources(settings, sources)
        _prove(settings, book, account, password, codes)
    return 0


@users_group.command("passwd")
@click.argument("name")
@_password_option
@_codes_option
@data_dir_option
def users_passwd(name: str, asks: bool, codes: bool | None, **overrides: Any) -> int:
    """Give an account another password, which ends its log-ins; or print a link that chooses one once."""
    with open_book(overrides) as (settings, book):
        account = find_account(book, name)
        _prove(settings, book, account, _ask(account.name) if asks else None, codes)
    return 0


@users_group.command("remove")
@click.argument("name")
@data_dir_option
def users_remove(name: str, **overrides: Any) -> int:
    """Remove an account, which ends its log-ins."""
    with open_book(overrides) as (settings, book):
        account = find_account(book, name)
        others = [one for one in book.accounts() if one.role == "run" and one.name != account.name]
        if account.role == "run" and not others and len(book.accounts()) > 1:
            raise Misconfigured(
                f"{account.name} is the last who may do everything: "
                "add another by `frametally users add NAME --role run` first"
            )
        book.remove_account(account.name)
        click.echo(f"{account.name} is removed")
        if book.is_empty():
            with closing(open_object_store(settings.store_url, settings.store_access)) as store:
                note_no_accounts(store)
            click.echo("there is no account any more: the dashboard is closed until it is started again")
    return 0


@users_group.command("list")
@data_dir_option
def users_list(**overrides: Any) -> int:
    """List the accounts: what each may do, and its log-ins."""
    with open_book(overrides) as (_, book):
        sessions = book.sessions()
        for one in book.accounts():
            proof = "a password" if one.has_password else "no password yet"
            proof += " and codes" if one.has_codes else ""
            may = rights_in_words(one.role, one.sources)
            click.echo(f"{one.name}: may {may}; {proof}; log-ins: {sessions.get(one.name, 0)}")
        if book.is_empty():
            click.echo("there is no account: `frametally users add NAME --role run` makes the first")
    return 0


@contextmanager
def open_book(overrides: dict[str, Any]) -> Iterator[tuple[Settings, AccessBook]]:
    """Open the accounts of the settings, some of which the command line has."""
    from frametally_accounts.book import AccessBook

    settings = read_settings("web", overrides, must_be_there=False)
    with closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield settings, book


def note_address(settings: Settings, what: str) -> None:
    """Say which address `what` names where nobody has set one."""
    if not settings.web_url:
        note(
            f"FRAMETALLY_WEB_URL is not set, so {what} names {address_of(settings)}; "
            "set it to the address under which browsers reach the dashboard"
        )


def note_sources(settings: Settings, sources: tuple[str, ...]) -> None:
    """Say which of some sources there are not: who sets accounts up may do so before the footage comes."""
    if not sources:
        return
    try:
        with open_names(settings) as here:
            for one in here.names.unknown(sources=sources):
                note(f"{one}")
    except FrametallyError as error:
        note(f"whether there are these sources could not be seen: {error}")


def find_account(book: AccessBook, name: str) -> UserAccount:
    """Return the account of a name. Raises `Misconfigured` where there is none."""
    account = book.account(check_name(name))
    if account is None:
        raise Misconfigured(f"there is no account {name}: `frametally users list` has those that there are")
    return account


def _prove(
    settings: Settings, book: AccessBook, account: UserAccount, password: str | None, codes: bool | None
) -> None:
    """Give an account what it proves itself by, and print what its owner has to know."""
    name = account.name
    if codes is not None:
        secret = make_code_secret() if codes else ""
        book.set_code_secret(name, secret)
        click.echo(f"codes: {code_address(name, secret)}" if codes else "no code is asked for any more")
    if password is not None:
        book.set_password(name, hash_password(password))
        click.echo("the password is set; whoever was logged in logs in again")
    elif codes is None or not account.has_password:
        note_address(settings, "the link")
        click.echo(f"a password is chosen once, within a day, at {make_link(settings, book, name)}")


def _ask(name: str) -> str:
    """Return a password, asked for twice at a terminal or read from a pipe. Raises `Misconfigured`."""
    if sys.stdin.isatty():
        text = click.prompt("password", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.readline(MOST_CHARS + 2).rstrip("\r\n")
    return check_password(text, name=name)


def rights_in_words(role: Role, sources: tuple[str, ...]) -> str:
    """Return what somebody may do, as people read it."""
    return f"{role} ({', '.join(sources) if sources else 'all sources'})"
