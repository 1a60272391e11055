"""`frametally tokens`: by what programs prove to the dashboard whom they speak for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from frametally.errors import Misconfigured
from frametally.keys import slug
from frametally.rules.times import DAY_S
from frametally_accounts.commands.users import find_account, note_sources, open_book, rights_in_words
from frametally_accounts.rights import ROLES, ApiToken, Role, check_name
from frametally_accounts.secrets import make_api_token, token_hash
from frametally_cli.options.ports import data_dir_option

_MOST_DAYS = 366


@click.group("tokens")
def tokens_group() -> None:
    """Have programs speak for an account, by tokens that end."""


@tokens_group.command("add")
@click.argument("account")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="What it may do; default: what the account may.")
@click.option("--source", "sources", multiple=True, help="A source that it sees; default: the account's.")
@click.option(
    "--days",
    type=click.IntRange(1, _MOST_DAYS),
    default=90,
    show_default=True,
    help="Days after which it is over.",
)
@data_dir_option
def tokens_add(
    account: str, name: str, role: Role | None, sources: tuple[str, ...], days: int, **overrides: Any
) -> int:
    """Make a token of this name for an account, and print it, once."""
    name = check_name(name, of="a token")
    with open_book(overrides) as (settings, book):
        owner = find_account(book, account)
        rights = owner.narrowed(role or owner.role, tuple(slug(source) for source in sources))
        if rights is None:
            raise Misconfigured(
                f"{owner.name} may {rights_in_words(owner.role, owner.sources)}: no token of theirs may more"
            )
        secret = make_api_token()
        made = ApiToken(owner.name, name, rights.role, rights.sources)
        if not book.add_token(made, token_hash(secret), lasts_s=days * DAY_S):
            raise Misconfigured(
                f"{owner.name} has a token {name} already: "
                f"`frametally tokens remove {owner.name} {name}` makes room for another"
            )
        click.echo(f"{name} of {owner.name} may {rights_in_words(rights.role, rights.sources)}, for {days} d")
        note_sources(settings, sources)
        click.echo(secret)
        click.echo("it is shown this once; programs send it as `Authorization: Bearer TOKEN`", err=True)
    return 0


@tokens_group.command("list")
@data_dir_option
def tokens_list(**overrides: Any) -> int:
    """List the tokens: what each may do, when it ends, and when it was used last."""
    with open_book(overrides) as (_, book):
        tokens = book.tokens()
        for one in tokens:
            used = f"used {_time(one.used_at_ms)}" if one.used_at_ms else "never used"
            click.echo(
                f"{one.account} {one.name}: may {rights_in_words(one.role, one.sources)}; "
                f"until {_time(one.ends_at_ms)}; {used}"
            )
        if not tokens:
            click.echo("there is no token: `frametally tokens add ACCOUNT NAME` makes one")
    return 0


@tokens_group.command("remove")
@click.argument("account")
@click.argument("name")
@data_dir_option
def tokens_remove(account: str, name: str, **overrides: Any) -> int:
    """Remove a token: whoever has it is let in no more."""
    with open_book(overrides) as (_, book):
        if not book.remove_token(check_name(account), check_name(name, of="a token")):
            raise Misconfigured(
                f"there is no token {name} of {account}: `frametally tokens list` has those that there are"
            )
        click.echo(f"{name} of {account} is removed")
    return 0


def _time(at_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC):%Y-%m-%d %H:%M} UTC"
