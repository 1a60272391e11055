"""`frametally live`: runs the cameras and streams that are wanted."""

from __future__ import annotations

import signal
from contextlib import closing
from typing import Any

import click

from frametally.process import failpoints
from frametally.process.retrying import OnceAMinute
from frametally_cli.console import output as console
from frametally_cli.console import streams
from frametally_cli.options.ports import (
    data_dir_option,
    metrics_of,
    opened_once,
    read_settings,
    stop_on,
    wait_for,
)
from frametally_live.commands.cameras import add, list_cameras, remove, start, stop
from frametally_live.opening import open_live_book


@click.group("live")
def live_group() -> None:
    """Add cameras, and run what is live: cameras, and streams of uploaded videos."""


@live_group.command("work")
@data_dir_option
def live_work(**overrides: Any) -> int:
    """Run each camera and stream that is wanted, in a process of its own, until Ctrl-C; others then go on."""
    from frametally_live.feeds import feed_worker

    settings = read_settings("producer", overrides)
    failpoints.arm()
    streams.log_lines()
    once_a_minute = OnceAMinute(lambda line: click.echo(console.plain(line), err=True))
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(lambda: closing(open_live_book(settings))) as opened,
    ):
        book = wait_for(opened, should_stop)
        feed_worker.work(
            settings=settings,
            book=book,
            say=lambda line: once_a_minute(line, line),
            should_stop=should_stop,
        )
    return 0


for _command in (add, list_cameras, start, stop, remove):
    live_group.add_command(_command)
