"""`frametally alerts run`: looks at the rules and sends what they tell, once or every so often."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from frametally.opening import open_count_index, open_ledger, open_object_store
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.exit_codes import PART_DONE
from frametally.process.period import parse_period_s
from frametally.process.retrying import OnceAMinute
from frametally.settings.loading import Settings
from frametally_alerts.channels.delivery import AlertSender
from frametally_alerts.commands.reports import maker
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.reports.due_reports import EverLater, MakeFiles, make_due
from frametally_alerts.rounds import look_at_all
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, option, read_settings, repeat_rounds
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.video_catalogue import VideoCatalogue

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook


@dataclass(frozen=True)
class _Opened:
    settings: Settings
    store: ObjectStore
    index: CountIndex
    ledger: Ledger
    catalogue: VideoCatalogue
    book: AlertBook
    make: MakeFiles
    sender: AlertSender


@click.command()
@option("--every", "Do it again every so often (15s, 15m, 1h), until SIGTERM.", metavar="PERIOD")
@data_dir_option
def run(every: str | None, **overrides: Any) -> int:
    """Look at every rule, make reports that are due, and send what waits.

    Run it after `frametally index`, or with --every.

    Exit code 6: a rule could not be looked at, or something could not be sent.
    """
    period_s = None if every is None else parse_period_s("--every", every)
    settings = read_settings("web", overrides)
    failpoints.arm()
    once_a_minute = OnceAMinute(_say)
    if period_s is None:
        with _open(settings) as opened:
            return _round(opened, once_a_minute, quiet=False)
    return repeat_rounds(
        settings,
        lambda: _open(settings),
        lambda opened: _round(opened, once_a_minute, quiet=True),
        period_s=period_s,
    )


@contextmanager
def _open(settings: Settings) -> Iterator[_Opened]:
    from frametally_alerts.book import AlertBook

    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
        closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book,
    ):
        make = EverLater(maker(settings, store, index, ledger))
        sender = AlertSender(settings, book, _say)
        yield _Opened(settings, store, index, ledger, catalogue, book, make, sender)


def _round(opened: _Opened, once_a_minute: OnceAMinute, *, quiet: bool) -> int:
    ports = RoundPorts(
        opened.settings,
        opened.store,
        opened.index,
        opened.ledger,
        opened.catalogue,
        now_ms=round(time.time() * 1000),
    )
    found = look_at_all(opened.book, ports)
    made, undone = make_due(opened.book, ports, opened.make)
    problems = [*found.problems, *undone]
    for problem in problems:
        once_a_minute(problem, f"alerts: {problem}")
    sent = opened.sender.send()
    if not quiet or found.told or made or any(sent):
        click.echo(
            f"alerts: {found.rules} rules looked at, {found.told} alerts told or corrected, "
            f"{made} reports made, "
            f"{sent.sent} messages sent, {sent.failed} refused, {sent.put_off} put off"
        )
    return PART_DONE if problems or sent.failed or sent.put_off else 0


def _say(line: str) -> None:
    click.echo(console.plain(line), err=True)
