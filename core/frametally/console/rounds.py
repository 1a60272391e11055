"""Repeats a command's rounds, and waits for servers that are unavailable."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

import click

from frametally.console import output as console
from frametally.console import streams
from frametally.console.stop_signals import stop_on, stopped
from frametally.process.period import repeat
from frametally.process.retrying import GivenUp, Patience
from frametally.settings.loading import Settings

T = TypeVar("T")


@contextmanager
def opened_once(open_it: Callable[[], AbstractContextManager[T]]) -> Iterator[Callable[[], T]]:
    """Yield a function that opens once, on its first successful call; close what it opened at the end.

    So a round fails when a server is unavailable, and the next round opens it.
    """
    with ExitStack() as opening:
        opened: list[T] = []

        def get() -> T:
            if not opened:
                opened.append(opening.enter_context(open_it()))
            return opened[0]

        yield get


def repeat_rounds(
    settings: Settings,
    open_it: Callable[[], AbstractContextManager[T]],
    work: Callable[[T], object],
    *,
    period_s: int,
) -> int:
    """Run rounds of `work` on what `open_it` opens, until a stop signal; return the exit code.

    If a server is unavailable, only that round fails, even the first; see `opened_once` and `repeat`.
    """
    streams.log_lines()
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(open_it) as opened,
        console.stage_bar("rounds") as bar,
    ):
        repeat(lambda: work(opened()), period_s=period_s, should_stop=should_stop, progress=bar)
    return 0


def wait_for(opened: Callable[[], T], should_stop: Callable[[], bool] = lambda: False) -> T:
    """Return the result of `opened`; while a server is unavailable, wait, printing a line a minute.

    Raises `SystemExit` if a stop was requested while it was unavailable.
    """
    patience = Patience(lambda line: click.echo(console.plain(line), err=True), should_stop)
    try:
        return patience.until_done("the servers", opened)
    except GivenUp as error:
        raise SystemExit(stopped()) from error


def metrics_of(settings: Settings) -> AbstractContextManager[None]:
    """Show the metrics of this command and the commands that it starts, if the settings ask for it.

    Raises `Misconfigured` if they cannot be shown there.
    """
    from frametally.telemetry.listener import metrics_shown  # here, because a short command shows none

    return metrics_shown(settings.data_dir, *settings.metrics_place)
