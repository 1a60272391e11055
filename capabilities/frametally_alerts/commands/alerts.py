"""`frametally alerts add|list|remove|test|run|log`."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, Any, get_args

import click

from frametally.console import output as console
from frametally.console.action_answers import ask_action, json_option, print_json
from frametally.console.name_check import open_names
from frametally.console.option_values import parse_time_ms
from frametally.console.options import data_dir_option, read_settings
from frametally.console.output import note
from frametally.errors import Misconfigured
from frametally.rules.known import Metric
from frametally.rules.times import utc
from frametally_alerts.channels.channel_kinds import all_channels
from frametally_alerts.channels.delivery import send_now
from frametally_alerts.commands.reports import in_options, open_book
from frametally_alerts.commands.run_rounds import run
from frametally_alerts.rule_form import MOST_RULES, RuleRefused, make_rule, mute_end
from frametally_alerts.rules import FOR_GOOD, WHATS, AlertRule
from frametally_alerts.why_never_fires import why_silent

if TYPE_CHECKING:
    from frametally_alerts.answers import AlertMessages, Alerts, ToldRule


@click.group("alerts")
def alerts_group() -> None:
    """Notify people and programs of counts, gaps in footage, and failures."""


@alerts_group.command()
@click.argument("name")
@click.option("--what", type=click.Choice(WHATS), required=True, help="The condition to check.")
@click.option("--at-least", type=float, help="Alert if a value is at least this.")
@click.option("--below", "less_than", type=float, help="Alert if a value is less than this.")
@click.option(
    "--measure",
    type=click.Choice(get_args(Metric)),
    default="detections",
    show_default=True,
    help="Number of a bar that a rule on counts compares.",
)
@click.option("--interval", default="15m", show_default=True, help="Length of the intervals.")
@click.option(
    "--for", "lasting", default="", help="How long the condition must last, such as 1h.", metavar="PERIOD"
)
@click.option("--source", "sources", multiple=True, help="Only this source; repeatable.")
@click.option("--label", "labels", multiple=True, help="Only this class; repeatable: counted together.")
@click.option("--line", default="", help="Line whose crossings to count.")
@click.option(
    "--direction",
    type=click.Choice(["both", "to_right", "to_left"]),
    default="both",
    show_default=True,
    help="Direction of the crossings to count.",
)
@click.option("--zone", default="", help="Zone of counts or occupancy; default: the whole picture.")
@click.option("--timezone", help="Time zone of the intervals; default: FRAMETALLY_TIMEZONE.", metavar="ZONE")
@click.option("--model", default="", help="Model of the counts; default: the newest published model.")
@click.option("--note", default="", help="Text to send with each alert, such as what to do.")
@click.option(
    "--since", help="Send nothing about event times before this ISO 8601 time; default: now.", metavar="TIME"
)
@click.option("--channel", "channels", multiple=True, required=True, help="Channel to notify; repeatable.")
@data_dir_option
def add(name: str, at_least: float | None, less_than: float | None, since: str | None, **options: Any) -> int:
    """Add the rule NAME, which sends alerts through its channels."""
    if at_least is not None and less_than is not None:
        raise Misconfigured("give either --at-least or --below; to check both, add two rules")
    with open_book({"data_dir": options.pop("data_dir")}) as (settings, book):
        options["timezone"] = options["timezone"] or settings.timezone
        try:
            rule = make_rule(
                name=name,
                threshold=at_least if less_than is None else less_than,
                below=less_than is not None,
                since_ms=None if since is None else parse_time_ms("--since", since, datetime.UTC),
                known_channels=all_channels(settings, book).usable,
                now_ms=round(time.time() * 1000),
                **options,
            )
            with open_names(settings) as lookup:
                silences = why_silent(rule, lookup.names, lookup.index, settings.interval_s)
            for silence in silences:
                if silence.for_good:
                    raise RuleRefused(silence.field, silence.why)
        except RuleRefused as refusal:
            raise Misconfigured(in_options(refusal)) from refusal
        if len(book.rules()) >= MOST_RULES:
            raise Misconfigured(f"you already have {MOST_RULES} rules, the maximum; delete one first")
        if not book.add(rule):
            raise Misconfigured(
                f"there is already a rule named {name!r}; delete it first, or choose another name"
            )
    if silences:
        note("; ".join(silence.why for silence in silences))
    click.echo(console.plain(f"{name}: added; `frametally up` or `frametally alerts run` checks it"))
    return 0


@alerts_group.command("list")
@json_option
@data_dir_option
def list_rules(as_json: bool, **overrides: Any) -> int:
    """List the rules, why they may stay silent, and how many messages are waiting for each channel."""
    answer: Alerts = ask_action(read_settings("web", overrides), "alerts")
    if as_json:
        print_json(answer)
        return 0
    if not answer.rules:
        click.echo("there are no rules; add one with `frametally alerts add`")
    for rule in answer.rules:
        click.echo(console.plain(_line(rule, answer.source_names)))
        for line in rule.silent:
            click.echo(console.plain(f"  may stay silent: {line}"))
    for channel in answer.channels:
        click.echo(console.plain(f"channel {channel.name}: {channel.place}, {channel.waiting} waiting"))
    return 0


def _line(rule: ToldRule, source_names: dict[str, str]) -> str:
    parts = [rule.name, rule.what]
    if rule.threshold is not None:
        parts.append(f"{'below' if rule.below else 'at least'} {rule.threshold:g} in {rule.interval_s} s")
    if rule.duration_s:
        parts.append(f"for {rule.duration_s} s")
    sources = [source_names.get(source, source) for source in rule.sources]
    for word, names in (("of", sources), ("label", rule.labels)):
        if names:
            parts.append(f"{word} {', '.join(names)}")
    parts += [f"{word} {name}" for word, name in (("line", rule.line), ("zone", rule.zone)) if name]
    if rule.muted_until_ms > time.time() * 1000:
        parts.append(f"(muted {_muted(rule.muted_until_ms)})")
    return f"{'  '.join(parts)}  through {', '.join(rule.channels)}, since {utc(rule.since_ms)}"


@alerts_group.command()
@click.argument("name")
@data_dir_option
def remove(name: str, **overrides: Any) -> int:
    """Delete the rule NAME; its waiting messages are not sent."""
    with open_book(overrides) as (_, book):
        if not book.remove(AlertRule, name):
            raise Misconfigured(f"there is no rule named {name!r}; `frametally alerts list` lists the rules")
    click.echo(console.plain(f"{name}: deleted"))
    return 0


@alerts_group.command()
@click.argument("name")
@click.option("--until", help="ISO 8601 time; default: until you unmute it.", metavar="TIME")
@data_dir_option
def mute(name: str, until: str | None, **overrides: Any) -> int:
    """Mute the rule NAME: it stays listed, and sends neither new nor waiting messages."""
    asked_ms = None if until is None else parse_time_ms("--until", until, datetime.UTC)
    try:
        until_ms = mute_end(asked_ms, round(time.time() * 1000))
    except RuleRefused as refusal:
        raise Misconfigured(in_options(refusal)) from refusal
    _mute(name, until_ms, overrides)
    click.echo(console.plain(f"{name}: muted {_muted(until_ms)}"))
    return 0


@alerts_group.command()
@click.argument("name")
@data_dir_option
def unmute(name: str, **overrides: Any) -> int:
    """Unmute the rule NAME."""
    _mute(name, 0, overrides)
    click.echo(console.plain(f"{name}: sends alerts again"))
    return 0


def _mute(name: str, until_ms: int, overrides: dict[str, Any]) -> None:
    with open_book(overrides) as (_, book):
        if book.mute_rule(name, until_ms) is None:
            raise Misconfigured(f"there is no rule named {name!r}; `frametally alerts list` lists the rules")


def _muted(until_ms: int) -> str:
    return "until you unmute it" if until_ms == FOR_GOOD else f"until {utc(until_ms)}"


@alerts_group.command("test")
@click.argument("channel")
@data_dir_option
def try_channel(channel: str, **overrides: Any) -> int:
    """Send a test message through CHANNEL now, and show the result."""
    with open_book(overrides) as (settings, book):
        target = all_channels(settings, book).usable.get(channel)
    if target is None:
        raise Misconfigured(
            f"there is no channel named {channel[:60]!r}; `frametally alerts list` lists the channels"
        )
    send_now(target, settings, round(time.time() * 1000))
    click.echo(console.plain(f"{channel}: {target.place} accepted the test"))
    return 0


@alerts_group.command()
@click.option("--waiting", "state", flag_value="queued", help="Only messages that are waiting.")
@click.option("--failed", "state", flag_value="failed", help="Only messages that frametally gave up.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="Show at most this many messages.",
)
@json_option
@data_dir_option
def log(state: str | None, limit: int, as_json: bool, **overrides: Any) -> int:
    """Show sent, waiting and failed messages with the reasons, newest first."""
    settings = read_settings("web", overrides)
    answer: AlertMessages = ask_action(settings, "alert_messages", state=state, limit=limit)
    if as_json:
        print_json(answer)
        return 0
    for message in answer.messages:
        reason = f" ({message.reason})" if message.reason else ""
        head = f"{utc(message.created_at_ms)}  {message.state}{reason}  {message.channel}"
        click.echo(console.plain(f"{head}: {message.text}"))
    if not answer.messages:
        click.echo("there are no messages")
    return 0


alerts_group.add_command(run)
