"""`frametally embed`: a read-only chart for another site's page, until a set time."""

from __future__ import annotations

import datetime
import time
import zoneinfo
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar, get_args

import click

from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.console.name_check import check_names
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option
from frametally.errors import Misconfigured
from frametally.keys import slug
from frametally.plugins import plugins
from frametally.rules.known import AskedMetric
from frametally.rules.times import DAY_S, known_timezone
from frametally.settings.data_folder import is_empty
from frametally.settings.loading import Settings
from frametally_accounts.commands.users import note_address, open_book
from frametally_accounts.embeds.signed_selection import (
    MOST_CHARS,
    MOST_DAYS,
    SignedChart,
    embed_code,
    sign_chart,
)
from frametally_accounts.password_links import address_of

_TIMES_CHARS = 24  # a signed address has this many more characters for its times than two zeros


_CommandT = TypeVar("_CommandT", bound=Callable[..., int])


def _zone_option(command: _CommandT) -> _CommandT:
    """Add `--zone` to a command if a plug-in draws zones."""
    if not any(plugin.places for plugin in plugins()):
        return command
    add = click.option("--zone", help="A zone of the source; default: the whole picture.")
    return add(command)


@click.command()
@click.option("--from", "from_text", required=True, help="Start of the chart, ISO 8601.", metavar="TIME")
@click.option("--to", "to_text", required=True, help="End of the chart, not included.", metavar="TIME")
@click.option(
    "--site", "sites", multiple=True, required=True, help="Origin that may show the chart; repeatable."
)
@click.option("--source", "sources", multiple=True, help="A source to show; repeatable; default: all.")
@click.option("--label", "labels", multiple=True, help="A label to show; repeatable; default: all.")
@_zone_option
@click.option("--hours", help="Hours of the day, such as 07:00-09:00; default: all.")
@click.option("--weekdays", help="Days of the week, 1 is Monday: 1,2,3,4,5; default: all.")
@click.option("--timezone", help="IANA time zone for days, hours and times without an offset.")
@click.option("--interval", type=click.IntRange(min=1), help="Seconds per bar; default: automatic.")
@click.option("--metric", type=click.Choice(get_args(AskedMetric)), default="auto", show_default=True)
@click.option("--model", help="Model ID; default: the newest published model.")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=30, show_default=True, help="Lifetime.")
@data_dir_option
def embed(
    from_text: str,
    to_text: str,
    sites: tuple[str, ...],
    sources: tuple[str, ...],
    labels: tuple[str, ...],
    days: int,
    **options: Any,
) -> int:
    """Print the HTML that shows one chart on another site, even where people must sign in."""
    from frametally_web.requests.origins import is_origin

    for site in sites:
        if not is_origin(site):
            raise Misconfigured(
                f"--site {site[:80]!r} is not an origin: write it as https://name or https://name:port, "
                "in lower case and without a path"
            )
    names = ("zone", "hours", "weekdays", "timezone", "interval", "metric", "model")
    filters = {name: value for name in names if (value := options.pop(name, None)) is not None}
    with open_book(options) as (settings, book):
        filters.setdefault("timezone", settings.timezone)
        from_ms, to_ms = parse_bounds_ms(from_text, to_text, _zone_of(filters["timezone"]))
        question = {"from": from_ms, "to": to_ms, **filters}
        selection = [
            *(("source", slug(source)) for source in sources),
            *(("label", label) for label in labels),
            *((name, str(value)) for name, value in question.items()),
        ]
        _check_length(selection, sites)
        check_names(settings, sources=sources, labels=labels, model=filters.get("model", ""))
        now_ms = time.time_ns() // 1_000_000
        whole = _whole_question(settings, selection)
        query = sign_chart(
            SignedChart(whole, sites, now_ms, now_ms + days * DAY_S * 1000), book.signing_key()
        )
        _check_length(whole, sites)
        code = embed_code(address_of(settings), query)
    note_address(settings, "the code")
    click.echo(code)
    return 0


def _zone_of(name: str) -> datetime.tzinfo:
    try:
        return datetime.UTC if name == "UTC" else zoneinfo.ZoneInfo(known_timezone(name))
    except ValueError as error:
        raise Misconfigured(f"--timezone {error}") from error


def _check_length(selection: list[tuple[str, str]], sites: tuple[str, ...]) -> None:
    """Refuse a selection that does not fit into an address. Raises `Misconfigured`."""
    if len(sign_chart(SignedChart(selection, sites, 0, 0), b"")) > MOST_CHARS - _TIMES_CHARS:
        raise Misconfigured("the chart's address would be too long: choose fewer labels, sources and sites")


def _whole_question(settings: Settings, selection: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return `whole_question` of a selection, from the local counts.

    Raises:
        Misconfigured: The chart cannot be made; the message has the reason.
    """
    from frametally.actions.parameters import Args
    from frametally.actions.problems import Problem
    from frametally_web.charts.counts import count, nothing_counted, whole_question
    from frametally_web.charts.media_times import MediaTimes
    from frametally_web.charts.question import narrowed, resolve
    from frametally_web.requests.query import read_chart

    try:
        query = read_chart(Args([*selection, ("top", "0")]), settings)
        if is_empty(settings):
            return whole_question(selection, nothing_counted(None, query), with_range=True)
        with (
            closing(open_object_store(settings.store_url, settings.store_access)) as store,
            closing(open_count_index(settings.index_url, settings.index_access)) as index,
        ):
            read = narrowed(index, store, query.selection)
            answer = count(resolve(read, settings, MediaTimes(None), query))
    except Problem as problem:
        raise Misconfigured(f"{problem.detail} {problem.remedy}") from problem
    return whole_question(selection, answer, with_range=True)
