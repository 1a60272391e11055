"""`frametally alerts add|list|remove|test|run|log`."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click
import msgspec

from frametally.errors import FrametallyError, Misconfigured
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_urls import channels_of
from frametally_alerts.channels.delivery import send_now
from frametally_alerts.channels.wording import subject_of
from frametally_alerts.commands.reports import in_options
from frametally_alerts.commands.run_rounds import run
from frametally_alerts.rule_form import MOST_RULES, RuleRefused, make_rule
from frametally_alerts.rules import WHATS, AlertMessage, AlertRule
from frametally_alerts.silence import why_silent
from frametally_cli.console import output as console
from frametally_cli.options.names import note, open_names
from frametally_cli.options.ports import data_dir_option, read_settings
from frametally_cli.options.times import parse_time_ms

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook


@click.group("alerts")
def alerts_group() -> None:
    """Have people and programs told of counts, of what is missing, and of what failed."""


@contextmanager
def _book(overrides: dict[str, Any]) -> Iterator[tuple[Settings, AlertBook]]:
    from frametally_alerts.book import AlertBook

    settings = read_settings("web", overrides)
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield settings, book


@alerts_group.command()
@click.argument("name")
@click.option("--what", type=click.Choice(WHATS), required=True, help="What is looked at.")
@click.option("--at-least", type=float, help="Told where a value is this or more.")
@click.option("--below", "less_than", type=float, help="Told where a value is less than this.")
@click.option(
    "--measure",
    type=click.Choice(["detections", "peak", "objects"]),
    default="detections",
    show_default=True,
    help="Of counts.",
)
@click.option("--interval", default="15m", show_default=True, help="Length of the intervals.")
@click.option("--for", "lasting", default="", help="How long it has to last, such as 1h.", metavar="PERIOD")
@click.option("--source", "sources", multiple=True, help="Only of this source; may come again.")
@click.option("--label", "labels", multiple=True, help="Of this class by itself; may come again.")
@click.option("--line", default="", help="Of crossings.")
@click.option(
    "--direction",
    type=click.Choice(["both", "to_right", "to_left"]),
    default="both",
    show_default=True,
    help="Of crossings.",
)
@click.option("--zone", default="", help="Of occupancy; without it, the whole picture.")
@click.option("--model", default="", help="Whose counts; without it, those published last.")
@click.option(
    "--since", help="ISO 8601 event time before which nothing is told; default: now.", metavar="TIME"
)
@click.option("--channel", "channels", multiple=True, required=True, help="Tells it; may come again.")
@data_dir_option
def add(name: str, at_least: float | None, less_than: float | None, since: str | None, **given: Any) -> int:
    """Add the rule NAME, of which the channels tell."""
    if at_least is not None and less_than is not None:
        raise Misconfigured("give --at-least or --below, not both: two rules can have one each")
    with _book({"data_dir": given.pop("data_dir")}) as (settings, book):
        try:
            rule = make_rule(
                name=name,
                threshold=at_least if less_than is None else less_than,
                below=less_than is not None,
                since_ms=None if since is None else parse_time_ms("--since", since, datetime.UTC),
                known=channels_of(settings),
                now_ms=round(time.time() * 1000),
                **given,
            )
            with open_names(settings) as here:
                silences = why_silent(rule, here.names, here.index, settings.interval_s)
            for one in silences:
                if one.for_good:
                    raise RuleRefused(one.field, one.why)
        except RuleRefused as refusal:
            raise Misconfigured(in_options(refusal)) from refusal
        if len(book.rules()) >= MOST_RULES:
            raise Misconfigured(f"there are {MOST_RULES} rules, and more are not looked at: remove some")
        if not book.add_rule(rule):
            raise Misconfigured(f"there is a rule {name!r} already: remove it first, or give another name")
    if silences:
        note("; ".join(one.why for one in silences))
    click.echo(console.plain(f"{name}: added; `frametally up` or `frametally alerts run` looks at it"))
    return 0


@alerts_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def list_rules(as_json: bool, **overrides: Any) -> int:
    """Show each rule, why it tells nothing where it cannot, and how many messages wait for each channel."""
    with _book(overrides) as (settings, book):
        rules, waiting, channels = book.rules(), book.waiting(), channels_of(settings)
    silent, written = _silent(settings, rules)
    if as_json:
        told = [{**msgspec.to_builtins(rule), "silent": silent[rule.name]} for rule in rules]
        click.echo(json.dumps(told, indent=2))
        return 0
    if not rules:
        click.echo("there are no rules; add one with `frametally alerts add`")
    for rule in rules:
        click.echo(console.plain(_line(rule, written)))
        for line in silent[rule.name]:
            click.echo(console.plain(f"  may stay silent: {line}"))
    for name, channel in channels.items():
        click.echo(console.plain(f"channel {name}: {channel.place}, {waiting.get(name, 0)} waiting"))
    return 0


def _silent(settings: Settings, rules: list[AlertRule]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return by rule why it tells nothing, and by slug how sources are written.

    Where that cannot be read a line says so, of them all.
    """
    written: dict[str, str] = {}
    silent: dict[str, list[str]] = {rule.name: [] for rule in rules}
    try:
        with open_names(settings) as here:
            written = here.names.sources
            for rule in rules:
                found = why_silent(rule, here.names, here.index, settings.interval_s)
                silent[rule.name] = [one.why for one in found]
    except FrametallyError as error:
        note(f"whether each rule can tell anything could not be seen: {error}")
    return silent, written


def _line(rule: AlertRule, written: dict[str, str]) -> str:
    parts = [rule.name, rule.what]
    if rule.threshold is not None:
        parts.append(f"{'below' if rule.below else 'at least'} {rule.threshold:g} in {rule.interval_s} s")
    if rule.duration_s:
        parts.append(f"for {rule.duration_s} s")
    sources = [written.get(source, source) for source in rule.sources]
    for word, names in (("of", sources), ("label", rule.labels)):
        if names:
            parts.append(f"{word} {', '.join(names)}")
    parts += [f"{word} {name}" for word, name in (("line", rule.line), ("zone", rule.zone)) if name]
    return f"{'  '.join(parts)}  by {', '.join(rule.channels)}, since {utc(rule.since_ms)}"


@alerts_group.command()
@click.argument("name")
@data_dir_option
def remove(name: str, **overrides: Any) -> int:
    """Remove the rule NAME; what waits of it is not sent any more."""
    with _book(overrides) as (_, book):
        if not book.remove_rule(name):
            raise Misconfigured(f"there is no rule {name!r}; `frametally alerts list` shows them")
    click.echo(console.plain(f"{name}: removed"))
    return 0


@alerts_group.command("test")
@click.argument("channel")
@data_dir_option
def try_channel(channel: str, **overrides: Any) -> int:
    """Send a test by CHANNEL, now, and say what became of it."""
    settings = read_settings("web", overrides)
    found = channels_of(settings).get(channel)
    if found is None:
        raise Misconfigured(f"{channel[:60]!r} is none of FRAMETALLY_ALERT_CHANNELS")
    send_now(found, settings, round(time.time() * 1000))
    click.echo(console.plain(f"{channel}: {found.place} has taken a test"))
    return 0


@alerts_group.command()
@click.option("--waiting", "state", flag_value="queued", help="Only what waits.")
@click.option("--failed", "state", flag_value="failed", help="Only what was given up.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def log(state: str | None, limit: int, as_json: bool, **overrides: Any) -> int:
    """Show what was told, what waits, and what failed and why; the newest first."""
    with _book(overrides) as (_, book):
        messages, _ = book.messages(limit, states=() if state is None else (state,))
    if as_json:
        click.echo(json.dumps([_fields(message) for message in messages], indent=2))
        return 0
    for message in messages:
        why = f" ({message.reason})" if message.reason else ""
        head = f"{utc(message.created_at_ms)}  {message.state}{why}  {message.channel}"
        click.echo(console.plain(f"{head}: {subject_of(message.alert)}"))
    if not messages:
        click.echo("nothing was told")
    return 0


def _fields(message: AlertMessage) -> dict[str, Any]:
    return {**message._asdict(), "alert": msgspec.to_builtins(message.alert)}


alerts_group.add_command(run)
