"""`frametally status`: the books of a deployment, printed once or again and again."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import click

from frametally.books.quality_reports import read_reports
from frametally.books.status import Status, read_status
from frametally.errors import Misconfigured
from frametally.plugins import hooks
from frametally.ports.ledger import Ledger
from frametally_cli.commands.quality import quality_lines
from frametally_cli.console import output as console
from frametally_cli.console import status as console_status
from frametally_cli.console.status_part import StatusPart
from frametally_cli.options.ports import Ports, data_dir_option, option, read_settings
from frametally_cli.stages.looking import WhatAnswers

_WATCH_EVERY_S = 2.0
_REPORTS = 3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@option("--model", "Model id; default: the one published last.")
@click.option("--watch", is_flag=True, help="Print them again every 2 s until Ctrl-C.")
@data_dir_option
def status(as_json: bool, model: str | None, watch: bool, **overrides: Any) -> int:
    """Print the books; exit with 0 settled, 4 behind, 3 broken.

    What needs a part that is away is left out; the exit code is 2 then.
    """
    if as_json and watch:
        raise Misconfigured("--json and --watch do not go together: use one of them")
    settings = read_settings(None, overrides)
    with closing(WhatAnswers(settings)) as answering:
        while True:
            ports, ledger, away = answering.look()
            books = _read(ports, ledger, model, away)
            if not watch:
                break
            console.out.clear()
            console_status.print_status(books)
            _say_away(books)
            time.sleep(_WATCH_EVERY_S)
        runs = [counted.run for counted in ledger.runs() if counted.run.model == books.model]
        newest = sorted(runs, key=lambda run: (run.day, run.interval_s))[-_REPORTS:]
        reports, problems = read_reports(ports.store, newest)
        books = books._replace(broken=books.broken + problems)
        parts: list[StatusPart] = [tell(settings, ports.store) for tell in hooks("status")]
    _say_away(books)
    if as_json:
        click.echo(console_status.status_json(books, reports, parts))
    else:
        console_status.print_status(books)
        for line in (line for part in parts for line in part.lines):
            click.echo(console.plain(line))
        for line in (line for report in reports for line in quality_lines(report)):
            click.echo(console.plain(f"quality: {line}" if line[0] != " " else line))
    return books.exit_code


def _say_away(books: Status) -> None:
    for line in books.away.values():
        click.echo(console.plain(f"away: {line}"), err=True)


def _read(ports: Ports, ledger: Ledger, model: str | None, away: dict[str, str]) -> Status:
    with console.stage_bar("ledger") as bar:
        books = read_status(
            settings=ports.settings,
            store=ports.store,
            log=ports.log,
            index=ports.index,
            ledger=ledger,
            model=model,
            progress=bar,
            away=away,
        )
    models = ledger.models()
    if model is not None and models and model not in models:
        raise Misconfigured(f"--model {model}: no segment is of that model; there are {', '.join(models)}")
    return books
