"""`frametally alerts run`: checks the rules and sends alerts, once or at intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.console import output as console
from frametally.console.options import data_dir_option, option, read_settings
from frametally.console.rounds import repeat_rounds
from frametally.process import failpoints
from frametally.process.exit_codes import PART_DONE
from frametally.process.period import parse_period_s
from frametally.process.reports import plural
from frametally.process.retrying import OnceAMinute
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_kinds import all_channels
from frametally_alerts.channels.delivery import AlertSender
from frametally_alerts.commands.reports import maker
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.home_assistant.publishing import HomeAssistant
from frametally_alerts.reports.due_reports import EverLater, MakeFiles, make_due
from frametally_videos.catalogue_by_url import open_video_catalogue

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook


class _Opened(NamedTuple):
    ports: RoundPorts
    book: AlertBook
    make: MakeFiles
    sender: AlertSender
    home: HomeAssistant


@click.command()
@option("--every", "Repeat at this interval (15s, 15m, 1h) until SIGTERM.", metavar="PERIOD")
@data_dir_option
def run(every: str | None, **overrides: Any) -> int:
    """Check every rule, make reports that are due, and send waiting messages.

    Run it after `frametally index`, or with --every.

    Exit code 6: a rule could not be checked, or a message could not be sent.
    """
    period_s = None if every is None else parse_period_s("--every", every)
    settings = read_settings("web", overrides)
    failpoints.arm()
    once_a_minute = OnceAMinute(_say)
    if period_s is None:
        with _open(settings) as round_parts:
            return _round(round_parts, once_a_minute, quiet=False)
    return repeat_rounds(
        settings,
        lambda: _open(settings),
        lambda round_parts: _round(round_parts, once_a_minute, quiet=True),
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
        closing(HomeAssistant(settings, _say)) as home,
    ):
        ports = RoundPorts(settings, store, index, ledger, catalogue, now_ms=0)
        make = EverLater(maker(settings, store, index, ledger))
        yield _Opened(ports, book, make, AlertSender(settings, book, _say), home)


def _round(round_parts: _Opened, once_a_minute: OnceAMinute, *, quiet: bool) -> int:
    from frametally_alerts.rounds import look_at_all  # charts

    ports = replace(round_parts.ports, now_ms=round(time.time() * 1000))
    report = look_at_all(round_parts.book, ports)
    report_count, undone = make_due(round_parts.book, ports, round_parts.make)
    problems = [*report.problems, *undone]
    for problem in problems:
        once_a_minute(problem, f"alerts: {problem}")
    send_report = round_parts.sender.send()
    if quiet:  # with --every: Home Assistant sees from the connection that frametally runs
        round_parts.home.publish(all_channels(ports.settings, round_parts.book).usable.values(), ports)
    if not quiet or report.alert_count or report_count or any(send_report):
        click.echo(
            f"alerts: {plural(report.rules, 'rule')} checked, {plural(report.alert_count, 'alert')} new or "
            f"corrected, {plural(report_count, 'report')} made, {plural(send_report.sent, 'message')} sent, "
            f"{send_report.failed} refused, {send_report.put_off} postponed"
        )
    return PART_DONE if problems or send_report.failed or send_report.put_off else 0


def _say(line: str) -> None:
    click.echo(console.plain(line), err=True)
