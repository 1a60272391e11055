"""`frametally report add|list|remove`: reports of the last day, week or month, made on a schedule."""

from __future__ import annotations

import time
import zoneinfo
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from frametally import keys
from frametally.console import output as console
from frametally.console.name_check import check_names, open_names
from frametally.console.options import data_dir_option, read_settings
from frametally.console.output import note
from frametally.errors import FrametallyError, Misconfigured
from frametally.media.source_timezones import shared_timezone
from frametally.openers.port_openers import open_books
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.rules.clocks.turns import EVERY, ClockTurn
from frametally.rules.times import local_time
from frametally.settings.data_folder import is_empty
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_kinds import all_channels
from frametally_alerts.reports.due_reports import MOST_REPORTS, MakeFiles, turn_of
from frametally_alerts.rule_form import RuleRefused, make_report
from frametally_alerts.rules import ScheduledReport, turn_key

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook

_OPTIONS = {
    "channels": "--channel",
    "sources": "--source",
    "labels": "--label",
    "threshold": "--at-least or --below",
}
"""Options whose names differ from their fields."""


def maker(settings: Settings, store: ObjectStore, index: CountIndex, ledger: Ledger) -> MakeFiles:
    """Return the maker of a report's files, which reads the counts when it is called."""

    def make(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        from frametally_alerts.reports.report_files import make_files, read_media

        return make_files(index, settings, read_media(settings, store, index, ledger), report, turn)

    return make


@contextmanager
def open_book(overrides: Mapping[str, Any]) -> Iterator[tuple[Settings, AlertBook]]:
    """Open the alert book of the settings, including `overrides`, and close it at the end."""
    from frametally_alerts.book import AlertBook

    settings = read_settings("web", {**overrides})
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield settings, book


@click.group()
def report() -> None:
    """Write traffic reports, once or on a schedule."""


@report.command("add")
@click.argument("name")
@click.option("--every", type=click.Choice(EVERY), required=True, help="Days on which to make the report.")
@click.option("--at", required=True, help="Time of day by the clocks of --zone.", metavar="HH:MM")
@click.option("--zone", help="IANA time zone; default: that of the sources, or FRAMETALLY_TIMEZONE.")
@click.option("--source", "sources", multiple=True, help="Only this source; repeatable.")
@click.option("--label", "labels", multiple=True, help="Only this class; repeatable.")
@click.option("--by-source", is_flag=True, help="Give each source its own rows.")
@click.option("--interval", "interval_s", type=int, help="Length of a row in seconds; default: automatic.")
@click.option("--model", default="", help="Model of the counts; default: the newest published model.")
@click.option(
    "--channel",
    "channels",
    multiple=True,
    help="Channel through which to send the report; repeatable; default: only store it.",
)
@data_dir_option
def add_report(zone: str | None, data_dir: Any, **options: Any) -> int:
    """Schedule the report NAME, which covers the last day, week or month.

    If there are counts, the command tries the report now, so that you see errors at once.
    """
    now_ms = round(time.time() * 1000)
    with open_book({"data_dir": data_dir}) as (settings, book):
        try:
            report = make_report(
                zone=_default_zone(settings, options["sources"]) if zone is None else zone,
                known_channels=all_channels(settings, book).usable,
                now_ms=now_ms,
                **options,
            )
        except RuleRefused as refusal:
            raise Misconfigured(in_options(refusal)) from refusal
        check_names(settings, sources=options["sources"], labels=report.labels, model=report.model)
        if is_empty(settings):
            note(f"there is no data in {settings.data_dir} yet, so frametally could not try the report")
        elif (turn := turn_of(report, now_ms)) is not None:
            with open_books(settings) as (ports, ledger):
                maker(settings, ports.store, ports.index, ledger)(report, turn)
        if len(book.reports()) >= MOST_REPORTS:
            raise Misconfigured(f"you already have {MOST_REPORTS} reports, the maximum; delete one first")
        if not book.add(report):
            raise Misconfigured(
                f"there is already a report named {report.name!r}; delete it first, or choose another name"
            )
    click.echo(
        console.plain(
            f"{report.name}: added; `frametally up` or `frametally alerts run` makes it when it is due"
        )
    )
    return 0


@report.command("list")
@data_dir_option
def list_reports(**overrides: Any) -> int:
    """List the scheduled reports, and when each was last made."""
    now_ms = round(time.time() * 1000)
    with open_book(overrides) as (settings, book):
        reports = book.reports()
        source_names = _source_names(settings) if any(report.sources for report in reports) else {}
        for report in reports:
            turn = turn_of(report, now_ms)
            is_made = turn is not None and book.was_told(turn_key(report, turn.day))
            last = f"made {turn.day}" if turn is not None and is_made else "not made yet"
            click.echo(console.plain(f"{line_of(report, source_names)}  {last}"))
    if not reports:
        click.echo("there are no reports; add one with `frametally report add`")
    return 0


def in_options(refusal: RuleRefused) -> str:
    """Return the text of an error about a rule or report, with the option that causes it."""
    option = _OPTIONS.get(refusal.field, refusal.field if refusal.field == "name" else f"--{refusal.field}")
    return f"{option}: {refusal.detail}"


def _default_zone(settings: Settings, sources: Collection[str]) -> str:
    with open_names(settings) as lookup:
        known_sources = [*map(keys.slug, sources)] or lookup.names.sources
        return shared_timezone(lookup.timezones, known_sources) or settings.timezone


def _source_names(settings: Settings) -> dict[str, str]:
    try:
        with open_names(settings) as lookup:
            return lookup.names.sources
    except FrametallyError:  # then show slugs
        return {}


def line_of(report: ScheduledReport, source_names: Mapping[str, str]) -> str:
    """Return a report as one line; `source_names` has the names of sources by slug."""
    sources = [source_names.get(source, source) for source in report.sources]
    parts = [report.name, f"every {report.every} at {report.clock} {report.zone}"]
    parts += [f"of {', '.join(names)}" for names in (sources, report.labels) if names]
    since = f"{local_time(report.made_at_ms, zoneinfo.ZoneInfo(report.zone)):%Y-%m-%d}"
    channels = f"through {', '.join(report.channels)}" if report.channels else "only stored"
    return f"{'  '.join(parts)}  {channels}, since {since}"


@report.command("remove")
@click.argument("name")
@data_dir_option
def remove_report(name: str, **overrides: Any) -> int:
    """Delete the report NAME; its waiting messages are not sent, and its files stay in the store."""
    with open_book(overrides) as (_, book):
        if not book.remove(ScheduledReport, name):
            raise Misconfigured(
                f"there is no report named {name!r}; `frametally report list` lists the reports"
            )
    click.echo(console.plain(f"{name}: deleted"))
    return 0
