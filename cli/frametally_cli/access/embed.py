"""`frametally embed`: a chart for another site's page, which ends, and of which nothing can be changed."""

from __future__ import annotations

import time
from typing import Any

import click

from frametally.access.charts import MOST_CHARS, MOST_DAYS, SignedChart, embed_code, is_origin, sign_chart
from frametally.access.links import address_of
from frametally.errors import Misconfigured
from frametally.keys import slug
from frametally.rules.times import DAY_S
from frametally_cli.access.users import open_book
from frametally_cli.options.names import check_names
from frametally_cli.options.ports import data_dir_option
from frametally_cli.options.times import parse_bounds_ms

_METRICS = ("auto", "detections", "mean_per_frame", "peak", "objects")


@click.command()
@click.option("--from", "from_text", required=True, help="ISO 8601 time at which it begins.", metavar="TIME")
@click.option("--to", "to_text", required=True, help="Time at which it ends, not included.", metavar="TIME")
@click.option("--site", "sites", multiple=True, required=True, help="Origin that may show it. Repeatable.")
@click.option("--source", "sources", multiple=True, help="A source in it; default: all. Repeatable.")
@click.option("--label", "labels", multiple=True, help="A label in it; default: all. Repeatable.")
@click.option("--interval", type=click.IntRange(min=1), help="Seconds of a bar; default: chosen.")
@click.option("--metric", type=click.Choice(_METRICS), default="auto", show_default=True)
@click.option("--model", help="Model id; default: the one published last.")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=30, show_default=True, help="How long.")
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
    """Print the code by which a page of another site shows one chart, also where people log in."""
    for site in sites:
        if not is_origin(site):
            raise Misconfigured(
                f"--site {site[:80]!r} is no origin: write it as https://name or https://name:port, "
                "in small letters and without a path"
            )
    chosen = {name: options.pop(name) for name in ("interval", "metric", "model")}
    with open_book(options) as (settings, book):
        zone = settings.timezone
        from_ms, to_ms = parse_bounds_ms(from_text, to_text, settings.tzinfo())
        if from_ms is None or to_ms is None or from_ms >= to_ms:
            raise Misconfigured("--to is not after --from: give the range as its begin and its end")
        named = {"from": from_ms, "to": to_ms, "timezone": zone, **chosen}
        selection = [
            *(("source", slug(one)) for one in sources),
            *(("label", one) for one in labels),
            *((name, str(value)) for name, value in named.items() if value is not None),
        ]
        now_ms = time.time_ns() // 1_000_000
        chart = SignedChart(selection, sites, now_ms, now_ms + days * DAY_S * 1000)
        query = sign_chart(chart, book.signing_key())
        if len(query) > MOST_CHARS:
            raise Misconfigured("so many labels, sources and sites are too long for an address: name fewer")
        check_names(settings, sources=sources, labels=labels, model=chosen["model"] or "")
        code = embed_code(address_of(settings), query)
    click.echo(code)
    return 0
