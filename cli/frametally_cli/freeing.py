"""Lets commands that free space run on a full disk; see `CommandEntry.frees`."""

from __future__ import annotations

import functools
from typing import Any

import click

from frametally.files.reserve import reserve_released
from frametally.plugins import CommandEntry
from frametally.settings.loading import load_settings


def give_reserve(command: click.Command, entry: CommandEntry) -> None:
    """Let a command, or commands of a group, use the reserve of the data folder while they run."""
    for subcommand in entry.frees:
        freeing = command.commands[subcommand] if isinstance(command, click.Group) else command
        if freeing.callback is not None:
            freeing.callback = _with_reserve(freeing.callback)


def _with_reserve(run: Any) -> Any:
    @functools.wraps(run)
    def with_reserve(**options: Any) -> Any:
        if options.get("dry_run"):
            return run(**options)
        with reserve_released(load_settings(data_dir=options.get("data_dir")).data_dir):
            return run(**options)

    return with_reserve
