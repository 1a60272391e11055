"""Commands that look after what is there: the books and the log. They need no component."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import click

from frametally.books.quality import newest_reports
from frametally.books.status import Status, read_status
from frametally.errors import Misconfigured
from frametally.opening import open_frame_log, open_ledger, open_object_store
from frametally.ports.ledger import Ledger
from frametally.settings.loading import Settings
from frametally_cli.commands.quality import quality_lines
from frametally_cli.console import books as console_books
from frametally_cli.console import output as console
from frametally_cli.options.ports import Ports, data_dir_option, open_ports, option, read_settings

_WATCH_EVERY_S = 2.0


@contextmanager
def open_books(settings: Settings) -> Iterator[tuple[Ports, Ledger]]:
    """Open the ports and the ledger; close them at the end."""
    with (
        open_ports(settings) as ports,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        yield ports, ledger


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@option("--model", "Model id; default: the one published last.")
@click.option("--watch", is_flag=True, help="Print them again every 2 s until Ctrl-C.")
@data_dir_option
def status(as_json: bool, model: str | None, watch: bool, **overrides: Any) -> int:
    """Print the books; exit with 0 settled, 4 behind, 3 broken."""
    if as_json and watch:
        raise Misconfigured("--json and --watch do not go together: use one of them")
    with open_books(read_settings(None, overrides)) as (ports, ledger):
        books = _read(ports, ledger, model)
        while watch:
            console.out.clear()
            console_books.print_status(books)
            time.sleep(_WATCH_EVERY_S)
            books = _read(ports, ledger, model)
        runs = [counted.run for counted in ledger.runs() if counted.run.model == books.model]
        reports = newest_reports(ports.store, runs)
    if as_json:
        click.echo(console_books.status_json(books, reports))
    else:
        console_books.print_status(books)
        for line in (line for report in reports for line in quality_lines(report)):
            click.echo(f"quality: {line}" if line[0] != " " else line)
    return books.exit_code


def _read(ports: Ports, ledger: Ledger, model: str | None) -> Status:
    with console.stage_bar("ledger") as bar:
        books = read_status(
            settings=ports.settings,
            store=ports.store,
            log=ports.log,
            index=ports.index,
            ledger=ledger,
            model=model,
            progress=bar,
        )
    models = ledger.models()
    if model is not None and models and model not in models:
        raise Misconfigured(f"--model {model}: no segment is of that model; there are {', '.join(models)}")
    return books


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
