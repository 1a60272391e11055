"""`frametally work`: does what waits to be done to uploaded videos."""

from __future__ import annotations

import signal
from contextlib import closing
from typing import Any

import click

from frametally.books.videos.settling import StateSettler
from frametally.opening import open_count_index, open_ledger, open_object_store, open_video_catalogue
from frametally_cli.console import output as console
from frametally_cli.options.ports import PART_DONE, data_dir_option, read_settings, stop_on


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Videos that are worked on at once, each in a process of its own.",
)
@click.option("--until-done", is_flag=True, help="End when nothing waits any more.")
@data_dir_option
def work(workers: int, until_done: bool, **overrides: Any) -> int:
    """Make frames and previews of uploaded videos, and remove those that are to go, until Ctrl-C."""
    from frametally_producer.jobs import worker

    settings = read_settings("producer", overrides)
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        states = StateSettler(settings=settings, store=store, index=index, ledger=ledger, catalogue=catalogue)
        report = worker.work(
            settings=settings,
            store=store,
            catalogue=catalogue,
            workers=workers,
            until_done=until_done,
            say=lambda line: click.echo(console.plain(line), err=True),
            should_stop=should_stop,
            each_round=states.settle,
        )
    click.echo(f"jobs: {report.done} done, {len(report.failed)} failed")
    return PART_DONE if report.failed else 0
