"""What every command of the command line shares: options, settings, open ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from frametally.count_index import CountIndex, open_count_index
from frametally.frame_log import FrameLog, open_frame_log
from frametally.object_store import ObjectStore, open_object_store
from frametally.settings import Settings, load_settings


def option(flag: str, text: str, **kwargs: Any) -> Callable[[Any], Any]:
    """An option that overrides the setting of the same name; unset means: the setting."""
    return click.option(flag, help=text, **kwargs)


data_dir_option = option(
    "--data-dir", "Folder of the embedded store, log and index.", type=click.Path(path_type=Path)
)


def with_options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """All of `options` on one command."""

    def decorate(command: Any) -> Any:
        for one in reversed(options):
            command = one(command)
        return command

    return decorate


@dataclass(frozen=True)
class Ports:
    """The open ports of one command."""

    settings: Settings
    store: ObjectStore
    log: FrameLog
    index: CountIndex


@contextmanager
def open_ports(settings: Settings) -> Iterator[Ports]:
    """Store, log and index as `settings` name them, closed at the end."""
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url, lease_s=settings.lease_s)) as log,
        closing(open_count_index(settings.index_url)) as index,
    ):
        yield Ports(settings, store, log, index)


def read_settings(component: str | None, overrides: dict[str, Any]) -> Settings:
    """Settings of a command: its options (those given) win over everything else."""
    given = dict(overrides)
    if given.pop("no_file_time", False):
        given["file_time"] = False
    return load_settings(component, **given)
