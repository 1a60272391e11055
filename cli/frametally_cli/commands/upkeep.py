"""Commands that look after the ledger and the embedded log. They need no component."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from frametally.opening import open_frame_log, open_ledger, open_object_store
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, read_settings


@click.group("ledger")
def ledger_group() -> None:
    """Look after the ledger, a cache of what the store holds."""


@ledger_group.command("rebuild")
@data_dir_option
def ledger_rebuild(**overrides: Any) -> int:
    """Make the ledger anew from the store alone."""
    settings = read_settings(None, overrides)
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
        console.stage_bar("ledger") as bar,
    ):
        ledger.clear()
        taken = ledger.refresh(store, bar).taken
    click.echo(f"ledger: {taken} objects taken in")
    return 0


@click.group("log")
def log_group() -> None:
    """Look after the embedded log."""


@log_group.command("trim")
@data_dir_option
def log_trim(**overrides: Any) -> int:
    """Remove the messages that every consumer group has committed."""
    settings = read_settings(None, overrides)
    with closing(open_frame_log(settings.log_url, settings.log_access)) as log:
        click.echo(f"{log.trim(settings.topic)} messages removed")
    return 0
