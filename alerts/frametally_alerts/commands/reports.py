"""`frametally report add|list|remove`: reports that are made every so often, of the time that is over."""

from __future__ import annotations

import time
import zoneinfo
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import click

from frametally.books.unanalysed import find_dead_letters, find_unanalysed
from frametally.errors import FrametallyError, Misconfigured
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.rules.clocks.turns import EVERY, ClockTurn
from frametally.rules.times import local_time
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_urls import channels_of
from frametally_alerts.reports.due_reports import MOST_REPORTS, MakeFiles, make_report, turn_of
from frametally_alerts.rule_form import RuleRefused
from frametally_alerts.scheduled_report import ScheduledReport, turn_key
from frametally_cli.console import output as console
from frametally_cli.options.names import check_names, note, open_names
from frametally_cli.options.ports import data_dir_option, is_empty, open_books, read_settings

_OPTIONS = {
    "channels": "--channel",
    "sources": "--source",
    "labels": "--label",
    "threshold": "--at-least or --below",
}
"""Options that are not named as their fields are."""


def maker(settings: Settings, store: ObjectStore, index: CountIndex, ledger: Ledger) -> MakeFiles:
    """Return what makes the files of a report, from what is counted when it is called."""

    def make(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        from frametally_alerts.reports.report_files import make_files
        from frametally_web.charts.media_times import MediaTimes

        ledger.refresh(store, NoProgress())
        unanalysed = find_unanalysed(store=store, ledger=ledger, index=index, settings=settings)
        media = MediaTimes(ledger.manifests(), unanalysed, dead_letters=find_dead_letters(ledger))
        return make_files(index, settings, media, report, turn)

    return make


@click.group()
def report() -> None:
    """Write reports of what was counted, now or every so often."""


@report.command("add")
@click.argument("name")
@click.option("--every", type=click.Choice(EVERY), required=True, help="On which days.")
@click.option("--at", required=True, help="Time of the day by the clocks of --zone.", metavar="HH:MM")
@click.option("--zone", help="IANA time zone, such as Europe/Berlin; default: FRAMETALLY_TIMEZONE.")
@click.option("--source", "sources", multiple=True, help="Only of this source; may come again.")
@click.option("--label", "labels", multiple=True, help="Only of this class; may come again.")
@click.option("--by-source", is_flag=True, help="Rows of each source for itself.")
@click.option("--interval", "interval_s", type=int, help="Seconds of a row; default: chosen.")
@click.option("--model", default="", help="Whose counts; without it, those published last.")
@click.option(
    "--channel", "channels", multiple=True, help="Tells it; may come again. Without: into the store alone."
)
@data_dir_option
def add_report(zone: str | None, data_dir: Any, **given: Any) -> int:
    """Make the report NAME every day, week or month, of the one that is over.

    It is tried at once, where there are any data: what cannot be is said now.
    """
    from frametally_alerts.book import AlertBook

    settings = read_settings("web", {"data_dir": data_dir})
    now_ms = round(time.time() * 1000)
    try:
        report = make_report(
            zone=settings.timezone if zone is None else zone,
            known=channels_of(settings),
            now_ms=now_ms,
            **given,
        )
    except RuleRefused as refusal:
        raise Misconfigured(in_options(refusal)) from refusal
    check_names(settings, sources=given["sources"], labels=report.labels, model=report.model)
    if is_empty(settings):
        note(f"there is no data in {settings.data_dir} yet, so the report could not be tried")
    elif (turn := turn_of(report, now_ms)) is not None:
        with open_books(settings) as (ports, ledger):
            maker(settings, ports.store, ports.index, ledger)(report, turn)
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        if len(book.reports()) >= MOST_REPORTS:
            raise Misconfigured(f"there are {MOST_REPORTS} reports, and no more are made: remove some")
        if not book.add_report(report):
            raise Misconfigured(
                f"there is a report {report.name!r} already: remove it first, or give another name"
            )
    click.echo(console.plain(f"{report.name}: added; `frametally up` or `frametally alerts run` makes it"))
    return 0


@report.command("list")
@data_dir_option
def list_reports(**overrides: Any) -> int:
    """Show each scheduled report, and the last that was made of it."""
    from frametally_alerts.book import AlertBook

    settings = read_settings("web", overrides)
    now_ms = round(time.time() * 1000)
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        reports = book.reports()
        written = _written(settings) if any(report.sources for report in reports) else {}
        for report in reports:
            turn = turn_of(report, now_ms)
            is_made = turn is not None and book.was_told(turn_key(report, turn.day))
            last = f"made {turn.day}" if turn is not None and is_made else "not made yet"
            click.echo(console.plain(f"{line_of(report, written)}  {last}"))
    if not reports:
        click.echo("there are no reports; add one with `frametally report add`")
    return 0


def in_options(refusal: RuleRefused) -> str:
    """Return why there can be no such rule or report, by the options of who has typed it."""
    option = _OPTIONS.get(refusal.field, refusal.field if refusal.field == "name" else f"--{refusal.field}")
    return f"{option}: {refusal.detail}"


def _written(settings: Settings) -> dict[str, str]:
    try:
        with open_names(settings) as here:
            return here.names.sources
    except FrametallyError:  # by their slugs, then
        return {}


def line_of(report: ScheduledReport, written: Mapping[str, str]) -> str:
    """Return a report as one line, its sources as they are `written`, by slug."""
    sources = [written.get(source, source) for source in report.sources]
    parts = [report.name, f"every {report.every} at {report.clock} {report.zone}"]
    parts += [f"of {', '.join(names)}" for names in (sources, report.labels) if names]
    since = f"{local_time(report.made_at_ms, zoneinfo.ZoneInfo(report.zone)):%Y-%m-%d}"
    return f"{'  '.join(parts)}  by {', '.join(report.channels) or 'the store alone'}, since {since}"


@report.command("remove")
@click.argument("name")
@data_dir_option
def remove_report(name: str, **overrides: Any) -> int:
    """Remove the report NAME; what waits of it is not sent any more, what is in the store stays."""
    from frametally_alerts.book import AlertBook

    settings = read_settings("web", overrides)
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        if not book.remove_report(name):
            raise Misconfigured(f"there is no report {name!r}; `frametally report list` shows them")
    click.echo(console.plain(f"{name}: removed"))
    return 0
