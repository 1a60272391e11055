"""`frametally status`: the books of a deployment, printed once or again and again."""

from __future__ import annotations

import time
from typing import Any

import click

from frametally.books.quality_reports import read_reports
from frametally.books.status import Status, read_status
from frametally.errors import Misconfigured
from frametally.ports.ledger import Ledger
from frametally_cli.commands.quality import quality_lines
from frametally_cli.console import output as console
from frametally_cli.console import status as console_status
from frametally_cli.options.ports import Ports, data_dir_option, open_books, option, read_settings

_WATCH_EVERY_S = 2.0
_REPORTS = 3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@option("--model", "Model id; default: the one published last.")
@click.option("--watch", is_flag=True, help="Print them again every 2 s until Ctrl-C.")
@data_dir_option
def status(as_json: bool, model: str | None, watch: bool, **overrides: Any) -> int:
    """Print the books; exit with 0 settled, 4 behind, 3 broken."""
    if as_json and watch:
        raise Misconfigured("--json and --watch do not go together: use one of them")
    with open_books(read_settings(None, overrides), reading=True) as (ports, ledger):
        books = _read(ports, ledger, model)
        while watch:
            console.out.clear()
            console_status.print_status(books)
            time.sleep(_WATCH_EVERY_S)
            books = _read(ports, ledger, model)
        runs = [counted.run for counted in ledger.runs() if counted.run.model == books.model]
        newest = sorted(runs, key=lambda run: (run.day, run.interval_s))[-_REPORTS:]
        reports, problems = read_reports(ports.store, newest)
        books = books._replace(broken=books.broken + problems)
    if as_json:
        click.echo(console_status.status_json(books, reports))
    else:
        console_status.print_status(books)
        for line in (line for report in reports for line in quality_lines(report)):
            click.echo(console.plain(f"quality: {line}" if line[0] != " " else line))
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
