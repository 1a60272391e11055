"""`frametally up`: everything on one machine, as one command."""

from __future__ import annotations

import signal
from contextlib import closing, nullcontext, suppress
from typing import Any

import click

from frametally.errors import Retryable
from frametally.plugins import hooks
from frametally.process.children import Family
from frametally.process.period import parse_period_s
from frametally.settings.data_folder import must_be_writable
from frametally.settings.loading import Settings
from frametally.telemetry.exposition import Scraped
from frametally.telemetry.family import family
from frametally.telemetry.listener import listening
from frametally_cli.backups.nightly import backing_up
from frametally_cli.console import streams
from frametally_cli.options.ports import (
    check_port,
    data_dir_option,
    option,
    port_openers,
    read_settings,
    stop_on,
)
from frametally_cli.stages.family_members import COUNT_EVERY, MemberOptions, command, counting, distinct, say


@click.command()
@option("--port", "Port that the dashboard listens on.", type=int)
@option("--workers", "Videos that are worked on at once.", type=click.IntRange(1, 64))
@option(
    "--every",
    "How often is counted (15s, 15m, 1h).",
    metavar="PERIOD",
    default=COUNT_EVERY,
    show_default=True,
)
@data_dir_option
def up(port: int | None, workers: int | None, every: str, **overrides: Any) -> int:
    """Run everything here: dashboard, video workers, streams, consumers, counting and alerts, until Ctrl-C.

    Each line says which command it is from. One that dies is started again. Once a day a backup is put
    into the store.
    """
    parse_period_s("--every", every)
    settings = read_settings("web", {**overrides, "web_port": port})
    must_be_writable(settings.data_dir)
    check_port(settings, "name another port by --port or FRAMETALLY_WEB_PORT")
    _must_open(settings)
    streams.log_lines()
    options = MemberOptions(workers=workers, every=every)
    members = [
        command("serve", settings, "--alone", *(() if port is None else ("--port", port))),
        command("consume", settings),
        counting(settings, options),
        *(member for find in hooks("members") for member in find(settings, options).members),
    ]
    # All that they do is shown by the dashboard's `/metrics`, and by one of its own where one is set.
    shown = Scraped(settings.data_dir)
    with (
        stop_on(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as should_stop,
        family() as is_first,
        listening(shown, settings.metrics_address, settings.metrics_port)
        if settings.metrics_port and is_first
        else nullcontext(),
        backing_up(settings, say),
    ):
        return Family(distinct(members), say=say).run(should_stop)


def _must_open(settings: Settings) -> None:
    """Open what all members need: what can never be opened is one line, and not one of each again and again.

    Raises:
        Misconfigured: A setting is wrong, or what is needed is lost. The members wait for what is away.
    """
    for url, open_at in port_openers(settings).values():
        with suppress(Retryable), closing(open_at(url)):
            pass
    for must_open in hooks("must_open"):
        must_open(settings)
