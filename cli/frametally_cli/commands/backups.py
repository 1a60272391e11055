"""`frametally backup|restore`, and the backup that is put into the store once a day."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frametally.adapters_by_url import open_object_store
from frametally.backups import (
    decode_backup,
    in_words,
    is_due,
    note_elsewhere,
    read_backup,
    store_backup,
    stored_backups,
    tell_store,
    write_backup,
)
from frametally.checkup.areas import not_there_yet
from frametally.console.options import data_dir_option, read_settings
from frametally.console.output import note
from frametally.console.rounds import repeat_rounds
from frametally.errors import FrametallyError, Misconfigured
from frametally.files.names import as_text
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.process.limits import in_thread
from frametally.process.period import parse_period_s
from frametally.process.reports import stamped
from frametally.process.retrying import OnceAMinute
from frametally.rules.times import CHECK_CLOCK, utc
from frametally.settings.loading import Settings

if TYPE_CHECKING:
    from frametally.adapters.sql.kept_books import KeptBooks

FIRST_LOOK_S, LOOK_EVERY_S = 30.0, 600.0


def back_up_if_due(settings: Settings, now_ms: int) -> str | None:
    """Make a backup if the newest in the store is older than a day; return its key, or None if not due.

    Raises `FrametallyError` as the store and the catalogue do.
    """
    if not_there_yet(settings.catalogue_url) is not None:
        return None
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        if not is_due(store, now_ms):
            return None
        with kept_books(settings) as books:
            data = books.backup(made_at_ms=now_ms, key=settings.backup_key.get_secret_value())
        return None if data is None else store_backup(store, data, now_ms)


def _look(settings: Settings, say: Callable[[str], None]) -> None:
    """Make a backup if one is due, and `say` so. Raises as `back_up_if_due`."""
    if (key := back_up_if_due(settings, round(time.time() * 1000))) is not None:
        say(stamped(f"saved the backup {key}"))


@contextmanager
def backing_up(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Make a backup whenever one is due, until the context ends, and `say` the result."""

    def look(stop: threading.Event) -> None:
        once_a_minute, pause_s = OnceAMinute(say), FIRST_LOOK_S
        while not stop.wait(pause_s):
            pause_s = LOOK_EVERY_S
            try:
                _look(settings, say)
            except (FrametallyError, OSError) as error:
                once_a_minute(str(error), f"no backup was created: {error}")

    with in_thread(look, name="backups"):
        yield


@click.command()
@click.option(
    "--to",
    "folder",
    help="Folder for the backup; default: the store, which keeps those of 30 days.",
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option("--list", "only_list", is_flag=True, help="List the backups in the store; create none.")
@click.option("--every", help="Look this often (15m, 1h) until SIGTERM; save one a day.", metavar="PERIOD")
@data_dir_option
def backup(folder: Path | None, only_list: bool, every: str | None, **overrides: Any) -> int:
    """Save the data that the store cannot restore: accounts, tokens, the audit log, rules and reports.

    You do not need to stop anything. Set FRAMETALLY_BACKUP_KEY to encrypt the backup.
    """
    settings = read_settings("web", overrides, must_be_there=False)
    if every is not None:
        if only_list or folder is not None:
            raise Misconfigured("--every saves backups in the store: use it without --to and --list")
        period_s = parse_period_s("--every", every)
        return repeat_rounds(settings, nullcontext, lambda _: _look(settings, click.echo), period_s=period_s)
    if only_list:
        with _store(settings) as store:
            for backup in stored_backups(store):
                click.echo(f"{backup.key}  {utc(backup.made_at_ms)}  {backup.size_bytes} bytes")
        return 0
    if (path := not_there_yet(settings.catalogue_url)) is not None:
        raise Misconfigured(
            f"there is no catalogue at {path}, so there is nothing to back up: set the right folder with "
            "--data-dir or FRAMETALLY_DATA_DIR"
        )
    made_at_ms, key = round(time.time() * 1000), settings.backup_key.get_secret_value()
    with kept_books(settings) as books:
        data = books.backup(made_at_ms=made_at_ms, key=key)
        held = in_words(books.row_counts())
    if data is None:
        click.echo("nothing to back up: no accounts, rules or reports yet")
        return 0
    if folder is None:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            place = store_backup(store, data, made_at_ms)
    else:
        try:
            place = str(write_backup(folder, data, made_at_ms))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Misconfigured(
                f"--to {as_text(folder)}: {error.strerror}; give a folder that you can write to"
            ) from error
        tell_store(settings, partial(note_elsewhere, data=data), "`frametally doctor` will not know of it")
    click.echo(f"{place}: {held}")
    if not key and (folder is not None or not settings.store_url.startswith("file:")):
        note("the backup is not encrypted and contains secrets: set FRAMETALLY_BACKUP_KEY to encrypt it")
    return 0


@click.command()
@click.option(
    "--from",
    "source",
    help="A backup, or a folder whose newest backup to use; default: the newest in the store.",
    metavar="FILE|FOLDER",
)
@click.option("--replace", is_flag=True, help="Replace the catalogue, including its audit log.")
@data_dir_option
def restore(source: str | None, replace: bool, **overrides: Any) -> int:
    """Restore a backup: accounts, tokens, the audit log, rules and reports.

    Stop everything else first. The command verifies the backup before it writes anything, and signs everyone
    out.
    """
    settings = read_settings("web", overrides, must_be_there=False)
    with ExitStack() as opened:

        def find_store() -> ObjectStore:
            return opened.enter_context(_store(settings))

        now_ms = round(time.time() * 1000)
        name, data = read_backup(find_store, source, note)
        backup = decode_backup(data, key=settings.backup_key.get_secret_value(), name=name)
        numbers = backup.numbers()
        with kept_books(settings) as books:
            backup.check_layout(books.layout.schema_version)
            books.restore(backup.rows(), replace=replace)
            held = books.translate_counts(numbers)
    click.echo(f"restored {name}, created {utc(backup.header.made_at_ms)} ({in_words(held)})")
    if backup.header.made_at_ms > now_ms:
        note(f"this backup is dated in the future: {CHECK_CLOCK}")
    note("everyone must sign in again")
    for follow in hooks("restored"):
        follow(settings, held)
    return 0


@contextmanager
def kept_books(settings: Settings) -> Iterator[KeptBooks]:
    """Open the catalogue's database with the tables of all capabilities; see `KeptBooks`."""
    from frametally.adapters.sql.kept_books import KeptBooks

    with closing(KeptBooks(settings.catalogue_url, settings.catalogue_access)) as books:
        yield books


@contextmanager
def _store(settings: Settings) -> Iterator[ObjectStore]:
    """Open the store, which must exist: looking for a backup must not create a folder."""
    if (path := not_there_yet(settings.store_url)) is not None:
        raise Misconfigured(
            f"there is no store at {path}, and so no backup: give a file or a folder with --from, or set "
            "the right store with --data-dir or FRAMETALLY_STORE_URL"
        )
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        yield store
