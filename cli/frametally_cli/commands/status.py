"""`frametally status`: the books of a deployment, printed once or again and again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import click

from frametally import keys
from frametally.books.quality_reports import read_reports
from frametally.books.status import Status, read_status
from frametally.errors import FrametallyError, Misconfigured
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_cli.commands.quality import quality_lines
from frametally_cli.console import output as console
from frametally_cli.console import status as console_status
from frametally_cli.options.ports import Ports, data_dir_option, option, read_settings
from frametally_cli.stages.looking import WhatAnswers
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.job_book import Failures, JobKind
from frametally_videos.ports.video_catalogue import FINAL_STATES, VideoQuestion
from frametally_videos.uploads.content_claims import moved_words

_WATCH_EVERY_S = 2.0
_REPORTS = 3
_MOST_MOVED = 20


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
        moved, failures = _of_videos(settings, ports.store)
    _say_away(books)
    if as_json:
        click.echo(console_status.status_json(books, reports, failures))
    else:
        console_status.print_status(books)
        for line in [*moved, *_failed_lines(failures)]:
            click.echo(console.plain(line))
        for line in (line for report in reports for line in quality_lines(report)):
            click.echo(console.plain(f"quality: {line}" if line[0] != " " else line))
    return books.exit_code


def _say_away(books: Status) -> None:
    for line in books.away.values():
        click.echo(console.plain(f"away: {line}"), err=True)


def _of_videos(settings: Settings, store: ObjectStore) -> tuple[list[str], dict[JobKind, Failures]]:
    """Return a line for each video whose upload moved counts, and which jobs failed.

    Both are empty while the catalogue is away.
    """
    if next(iter(store.list(keys.VIDEOS)), None) is None:
        return [], {}
    try:
        with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
            rows = catalogue.videos(VideoQuestion(has_moved_counts=True, limit=_MOST_MOVED)).rows
            failures = catalogue.failures()
    except FrametallyError:
        return [], {}
    moved_lines = [
        f"moved by an upload: {moved_words(moved, settings)} "
        f"{'now' if row.state in FINAL_STATES else 'will soon'} count as {row.record.source_name}"
        for row in rows
        if (moved := row.record.moved_from) is not None
    ]
    return moved_lines, failures


def _failed_lines(failures: Mapping[JobKind, Failures]) -> list[str]:
    return [
        f"failed jobs, {kind}: {of.jobs}, since {utc(of.since_ms)}; the page /jobs says why and tries again"
        for kind, of in failures.items()
    ]


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
