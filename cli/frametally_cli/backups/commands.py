"""`frametally backup` and `frametally restore`: saves and brings back what the store cannot restore."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from frametally.backup_records import in_words
from frametally.backups.contents import decode_backup
from frametally.backups.keeping import (
    make_backup,
    note_elsewhere,
    read_backup,
    store_backup,
    stored_backups,
    write_backup,
)
from frametally.errors import FrametallyError, Misconfigured
from frametally.opening import open_kept_books, open_object_store
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_cli.checkup.ports import not_there_yet
from frametally_cli.options.names import note
from frametally_cli.options.ports import data_dir_option, read_settings


@click.command()
@click.option(
    "--to",
    "folder",
    help="Write it into this folder; default: into the store, which keeps the newest 30.",
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option("--list", "only_list", is_flag=True, help="List the backups in the store and make none.")
@data_dir_option
def backup(folder: Path | None, only_list: bool, **overrides: Any) -> int:
    """Save what the store cannot restore: accounts, tokens, alert rules, reports, audit log, cameras.

    Nothing has to be stopped. FRAMETALLY_BACKUP_KEY encrypts it.
    """
    settings = read_settings("web", overrides, must_be_there=False)
    if only_list:
        with _store(settings) as store:
            for one in stored_backups(store):
                click.echo(f"{one.key}  {utc(one.made_at_ms)}  {one.size_bytes} bytes")
        return 0
    if (path := not_there_yet(settings.catalogue_url)) is not None:
        raise Misconfigured(
            f"there is no catalogue {path}, so there is nothing to back up: "
            "name the right folder by --data-dir or FRAMETALLY_DATA_DIR"
        )
    made_at_ms, key = round(time.time() * 1000), settings.backup_key.get_secret_value()
    with closing(open_kept_books(settings.catalogue_url, settings.catalogue_access)) as books:
        data = make_backup(books, made_at_ms=made_at_ms, key=key)
        held = in_words(books.held())
    if data is None:
        click.echo("nothing to back up: there are no accounts, rules, reports, records, jobs or cameras")
        return 0
    if folder is None:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            place = store_backup(store, data, made_at_ms)
    else:
        place = str(write_backup(folder, data, made_at_ms))
        tell_store(settings, partial(note_elsewhere, data=data), "`frametally doctor` misses it")
    click.echo(f"{place}: {held}")
    if not key and (folder is not None or not settings.store_url.startswith("file:")):
        note("it is not encrypted, and has the secrets of accounts: set FRAMETALLY_BACKUP_KEY to encrypt it")
    return 0


@click.command()
@click.option(
    "--from",
    "source",
    help="A backup, or a folder, of which the newest is taken; default: the newest in the store.",
    metavar="FILE|FOLDER",
)
@click.option("--replace", is_flag=True, help="Remove what the catalogue holds, its audit log included.")
@data_dir_option
def restore(source: str | None, replace: bool, **overrides: Any) -> int:
    """Bring back a backup: accounts, tokens, alert rules, reports, audit log, cameras.

    Stop everything else first. All log-ins end. The backup is verified before anything is written.
    """
    settings = read_settings("web", overrides, must_be_there=False)
    with ExitStack() as opened:

        def find_store() -> ObjectStore:
            return opened.enter_context(_store(settings))

        name, data = read_backup(find_store, source)
        found = decode_backup(data, key=settings.backup_key.get_secret_value(), name=name)
        numbers = found.numbers()
        with closing(open_kept_books(settings.catalogue_url, settings.catalogue_access)) as books:
            found.check_layouts(books.layouts())
            books.restore(found.rows(), replace=replace)
            held = books.named(numbers)
    for follow in hooks("restored"):
        follow(settings, held)
    click.echo(f"restored {name}, made {utc(found.header.made_at_ms)} ({in_words(held)})")
    note("everybody has to sign in again; `frametally catalogue rebuild` brings uploaded videos back")
    return 0


@contextmanager
def _store(settings: Settings) -> Iterator[ObjectStore]:
    """Open the store, which must be there: what only looks for a backup makes no folder."""
    if (path := not_there_yet(settings.store_url)) is not None:
        raise Misconfigured(
            f"there is no store {path}, and so no backup: name a file or a folder by --from, "
            "or the right store by --data-dir or FRAMETALLY_STORE_URL"
        )
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        yield store


def tell_store(settings: Settings, tell: Callable[[ObjectStore], None], otherwise: str) -> None:
    """Have the store note what was done; it is done, also where the store is away."""
    try:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            tell(store)
    except FrametallyError as error:
        note(f"the store could not note this, so {otherwise}: {error}")
