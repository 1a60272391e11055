"""Opens the store, log, index and ledger that settings name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.files.reserve import keep_reserve
from frametally.files.temporary import temporary_folder
from frametally.ports.ledger import Ledger
from frametally.ports.opened import IndexPorts, Ports, StagePorts, StorePorts
from frametally.settings.loading import Settings


def port_openers(settings: Settings) -> dict[str, tuple[str, Callable[[str], Any]]]:
    """Return, for each port and the ledger, the URL and a function that opens such a port at a URL."""
    return {
        "store": (settings.store_url, lambda url: open_object_store(url, settings.store_access)),
        "log": (
            settings.log_url,
            lambda url: open_frame_log(url, settings.log_access, lease_s=settings.lease_s),
        ),
        "index": (settings.index_url, lambda url: open_count_index(url, settings.index_access)),
        "ledger": (settings.ledger_url, lambda url: open_ledger(url, settings.ledger_access)),
    }


@contextmanager
def open_store_port(settings: Settings) -> Iterator[StorePorts]:
    """Open the store that `settings` name; close it at the end."""
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        yield StorePorts(settings, store)


@contextmanager
def open_stage_ports(settings: Settings, *, reading: bool = False) -> Iterator[StagePorts]:
    """Open the store and log that `settings` name; close them at the end.

    Unless `reading`, first make sure of the data folder's reserve.
    """
    if not reading:
        keep_reserve(settings.data_dir)
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log,
    ):
        yield StagePorts(settings, store, log)


@contextmanager
def readable(settings: Settings) -> Iterator[Settings]:
    """Yield settings that can read a folder without write permission, such as an archive.

    SQLite writes next to a file that it reads, so its files there are copied into a temporary folder.
    """
    folder = settings.data_dir
    if not folder.is_dir() or os.access(folder, os.W_OK):
        yield settings
        return
    with temporary_folder() as copies:
        urls = {}
        for name in ("log", "index", "ledger", "catalogue", "gold"):
            file = folder / f"{name}.sqlite"
            if getattr(settings, f"{name}_url") == f"sqlite:///{file}":
                urls[f"{name}_url"] = f"sqlite:///{copies}/{file.name}"
                for part in (file, file.with_name(f"{file.name}-wal")):
                    if part.exists():
                        shutil.copyfile(part, Path(copies, part.name))
        yield settings.model_copy(update=urls)


@contextmanager
def open_index_ports(settings: Settings) -> Iterator[IndexPorts]:
    """Open the store and index that `settings` name; close them at the end."""
    with (
        open_store_port(settings) as port,
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
    ):
        yield IndexPorts(settings, port.store, index)


@contextmanager
def open_ports(settings: Settings, *, reading: bool = False) -> Iterator[Ports]:
    """Open the store, log and index that `settings` name; close them at the end.

    With `reading`, nothing is changed, and a folder without write permission is enough.
    """
    with (
        readable(settings) if reading else nullcontext(settings) as usable,
        open_stage_ports(usable, reading=reading) as stage,
        closing(open_count_index(usable.index_url, usable.index_access)) as index,
    ):
        yield Ports(usable, stage.store, stage.log, index)


@contextmanager
def open_books(settings: Settings, *, reading: bool = False) -> Iterator[tuple[Ports, Ledger]]:
    """Open the ports and the ledger as `open_ports` does; close them at the end."""
    with (
        open_ports(settings, reading=reading) as ports,
        closing(open_ledger(ports.settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        yield ports, ledger
