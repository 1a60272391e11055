"""Commands that look after what is there: the books and the log. They need no component."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from frametally import console
from frametally.cli_ports import data_dir_option, open_ports, option, read_settings
from frametally.frame_log import open_frame_log
from frametally.status import read_status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@option("--model", "Model id; default: the one published last.")
@data_dir_option
def status(as_json: bool, model: str | None, **overrides: Any) -> int:
    """Print the books; exit with 0 settled, 4 behind, 3 broken."""
    with open_ports(read_settings(None, overrides)) as ports:
        books = read_status(
            settings=ports.settings, store=ports.store, log=ports.log, index=ports.index, model=model
        )
    if as_json:
        click.echo(console.status_json(books))
    else:
        console.print_status(books)
    return books.exit_code


@click.group("log")
def log_group() -> None:
    """Look after the embedded log."""


@log_group.command("trim")
@data_dir_option
def log_trim(**overrides: Any) -> int:
    """Remove the messages that every consumer group has committed."""
    settings = read_settings(None, overrides)
    with closing(open_frame_log(settings.log_url)) as log:
        click.echo(f"{log.trim(settings.topic)} messages removed")
    return 0


COMMANDS = (status, log_group)
