"""`frametally retention show|set|apply|hold|release`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import click

from frametally import keys
from frametally.adapters_by_url import open_ledger, open_object_store
from frametally.checkup.findings import Glance
from frametally.console import output as console
from frametally.console.action_answers import ask_action, json_option, print_json
from frametally.console.name_check import check_names
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.console.rounds import repeat_rounds
from frametally.console.tables import folded_table
from frametally.errors import Misconfigured
from frametally.files.reserve import reserve_released
from frametally.openers.port_openers import open_store_port
from frametally.ports.ledger import Ledger
from frametally.ports.opened import StorePorts
from frametally.process import failpoints
from frametally.process.exit_codes import PART_DONE
from frametally.process.period import parse_period_s
from frametally.process.reports import Progress, plural
from frametally.rules.times import DAY_MS, HOUR_MS, HOUR_S, utc, utc_range
from frametally_retention.hooks import findings
from frametally_retention.policy import (
    THINNING,
    LegalHold,
    RetentionPolicy,
    RetentionRule,
    drop_rule,
    in_words,
    put_hold,
    read_policy,
    release_hold,
    set_rule,
)
from frametally_retention.rounds import RetentionReport, RetentionRound, known_kinds

_AGE = re.compile(r"([0-9]{1,6})(h|d)")
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(MB|GB|TB)")
_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
BY_ITSELF = {
    "uploads": "unfinished uploads go by themselves when they expire",
    "runs": "counting removes superseded runs by itself, an hour after the next one",
    "packs": "the kind frames has single frames and those in packs",
    "counts": "counts stay, and the index mirrors those of the store; use `frametally forget` for footage "
    "that must not count",
    "segments": "every count is counted again from segments, so frametally never removes them; use "
    "`frametally forget` for footage that must not count",
}
"""Kinds that need no rule, or must not have one, and the reason."""


@click.group("retention")
def retention_group() -> None:
    """Remove old data by a policy, thin frames, and hold evidence."""


@retention_group.command()
@json_option
@data_dir_option
def show(as_json: bool, **overrides: Any) -> int:
    """Show the rules, the holds, and what the last round removed."""
    settings = read_settings(None, overrides)
    if as_json:
        print_json(ask_action(settings, "retention"))
        return 0
    with open_store_port(settings) as ports:
        policy = read_policy(ports.store)
        late = [finding.line for finding in findings(Glance(settings, ports.store))]
    for line in (*_lines(policy), *late):
        click.echo(console.plain(line))
    return 0


def _lines(policy: RetentionPolicy) -> Iterator[str]:
    if not policy.rules:
        yield "there are no rules, so nothing is removed; add one with `frametally retention set`"
    for rule in policy.rules:
        yield f"{rule.kind} of {rule.source or 'all other sources'}: {words_of(rule)}"
    for hold in policy.holds:
        yield f"hold {hold.name}: {in_words(hold)}{f' ({hold.note})' if hold.note else ''}"
    for kind, why in BY_ITSELF.items():
        yield f"{kind}: no rule; {why}"
    if policy.applied_at_ms is not None:
        yield f"last round: {utc(policy.applied_at_ms)}" + ("" if policy.removed else ", nothing removed")
    for row in policy.removed:
        yield f"  {row.kind} of {row.source or 'all sources'}: {row.items}, {in_bytes(row.size_bytes)}"


def words_of(rule: RetentionRule) -> str:
    """Return what a rule does, as text."""
    parts = []
    if rule.after_ms is not None:
        days, rest_ms = divmod(rule.after_ms, DAY_MS)
        age = f"{rule.after_ms // HOUR_MS}h" if rest_ms else f"{days}d"
        parts.append(f"older than {age}")
    if rule.most_bytes is not None:
        parts.append(f"beyond the newest {in_bytes(rule.most_bytes)} of each source")
    when = " or ".join(parts)
    if rule.kind != THINNING:
        return f"removed when {when}"
    frames = f"{plural(rule.frames, 'frame')} of every {rule.interval_s // 60} min stay"
    return f"thinned when {when}: the proof of visits and labels and {frames}"


def in_bytes(number: int) -> str:
    """Return a number of bytes for people, such as `1.5 GB`."""
    size, units = number / 1000, ["TB", "GB", "MB", "kB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop()
    return f"{size:.1f} {units[-1]}"


@retention_group.command("set")
@click.argument("kind")
@click.option("--source", default="", help="Only this source; default: all sources without a rule.")
@click.option("--after", help="Remove what is older, such as 36h or 30d.", metavar="AGE")
@click.option("--most", help="Keep the newest so much of each source, such as 500GB.", metavar="SIZE")
@click.option("--interval", help="Thinning: length of the intervals, such as 15m.", metavar="PERIOD")
@click.option("--frames", type=int, help="Thinning: frames that stay of each interval.")
@click.option("--never", is_flag=True, help="Remove the rule.")
@data_dir_option
def set_kind(
    kind: str,
    source: str,
    after: str | None,
    most: str | None,
    interval: str | None,
    frames: int | None,
    never: bool,
    **overrides: Any,
) -> int:
    """Set when data of KIND is removed, such as frames, thinning or originals."""
    settings = read_settings(None, overrides)
    slug = keys.slug(source) if source else ""
    with open_store_port(settings) as ports:
        kinds = known_kinds(ports)
        if kind not in kinds:
            why = f": {BY_ITSELF[kind]}" if kind in BY_ITSELF else f"; choose one of {', '.join(kinds)}"
            raise Misconfigured(f"there can be no rule for {kind!r}{why}")
        if never:
            if any(option is not None for option in (after, most, interval, frames)):
                raise Misconfigured("--never removes the rule: give no other option with it but --source")
            drop_rule(ports.store, kind, slug)
            click.echo(f"{kind}: rule removed")
            return 0
        if slug:
            check_names(settings, sources=[slug])
        rule = RetentionRule(
            kind=kind,
            source=slug,
            after_ms=None if after is None else _age_ms(after),
            most_bytes=None if most is None else _size_bytes(most),
            interval_s=parse_period_s("--interval", interval) if interval else HOUR_S * (kind == THINNING),
            frames=(1 if kind == THINNING else 0) if frames is None else frames,
        )
        set_rule(ports.store, rule)
    click.echo(
        console.plain(
            f"{kind} of {slug or 'all other sources'}: {words_of(rule)}; `frametally retention apply "
            "--dry-run` shows what would go"
        )
    )
    return 0


def _age_ms(text: str) -> int:
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise Misconfigured(f"--after {text!r} is not an age: write it like 36h or 30d, at least 1h")
    return int(match[1]) * (DAY_MS if match[2] == "d" else HOUR_MS)


def _size_bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise Misconfigured(f"--most {text!r} is not a size: write it like 500GB or 1.5TB")
    return round(float(match[1]) * _BYTES[match[2]])


class _Opened(NamedTuple):
    ports: StorePorts
    ledger: Ledger


@retention_group.command()
@click.option("--dry-run", is_flag=True, help="Show what would go and what that frees; remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print JSON.")
@click.option("--every", help="Repeat at this interval (15m, 1h) until SIGTERM.", metavar="PERIOD")
@click.option(
    "--interval-of-counts", "interval_s", type=int, help="Stored base interval in seconds, as of aggregate."
)
@data_dir_option
def apply(dry_run: bool, as_json: bool, every: str | None, **overrides: Any) -> int:
    """Remove what the rules allow. If it is killed, the same command continues.

    Exit code 6: data that is old enough was kept because it could not be read.
    """
    if (as_json and not dry_run) or (every is not None and dry_run):
        raise Misconfigured("--json needs --dry-run; --every cannot be combined with --dry-run")
    settings = read_settings(None, overrides, must_be_there=every is None)
    failpoints.arm()

    @contextmanager
    def open_it() -> Iterator[_Opened]:
        with (
            closing(open_object_store(settings.store_url, settings.store_access)) as store,
            closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
        ):
            yield _Opened(StorePorts(settings, store), ledger)

    if every is not None:
        period_s = parse_period_s("--every", every)
        return repeat_rounds(settings, open_it, _repeated, period_s=period_s)
    with open_it() as opened, console.stage_bar("dry run" if dry_run else "remove") as bar:
        report = _round(opened, bar, dry=dry_run)
    if as_json:
        print_json(_body(report))
    else:
        _print(report, dry=dry_run)
    return PART_DONE if report.spared["unreadable"] else 0


def _round(opened: _Opened, progress: Progress, *, dry: bool) -> RetentionReport:
    clock_ms = round(time.time() * 1000)
    return RetentionRound(*opened, clock_ms=clock_ms, progress=progress, dry=dry).run()


def _repeated(opened: _Opened) -> None:
    from frametally.process.reports import NoProgress

    if not read_policy(opened.ports.store).rules:
        return
    with reserve_released(opened.ports.settings.data_dir):
        report = _round(opened, NoProgress(), dry=False)
    for line in report.lines:
        click.echo(console.plain(f"retention: {line}"), err=True)
    if report.going_bytes:
        going = sum(kind.going for kind in report.kinds)
        click.echo(f"retention: {going} removed, {in_bytes(report.going_bytes)} freed")


def _body(report: RetentionReport) -> Mapping[str, Any]:
    return {
        "now_ms": report.now_ms,
        "kinds": [kind._asdict() for kind in report.kinds],
        "spared": dict(report.spared),
        "frees_bytes": report.going_bytes,
        "lines": report.lines,
    }


def _print(report: RetentionReport, *, dry: bool) -> None:
    goes = "would go" if dry else "removed"
    if not report.kinds:
        click.echo("no rule applies to anything here; `frametally retention show` lists the rules")
    else:
        table = folded_table("kind", "source", "stored", "size", goes, "frees")
        for kind in report.kinds:
            table.add_row(
                kind.kind,
                kind.source,
                str(kind.items),
                in_bytes(kind.size_bytes),
                str(kind.going),
                in_bytes(kind.going_bytes),
            )
        console.out().print(table)
        click.echo(f"{'would free' if dry else 'freed'} {in_bytes(report.going_bytes)}")
    for reason, number in sorted(report.spared.items()):
        click.echo(f"kept although old enough, {reason.replace('_', ' ')}: {plural(number, 'frame')}")
    for line in report.lines:
        click.echo(console.plain(line))
    click.echo("segments stay, so every count stays and can be counted again")


@retention_group.command()
@click.argument("name")
@click.option("--source", default="", help="Only this source; default: all sources.")
@click.option("--from", "from_text", help="ISO 8601 start of the range (event time).", metavar="TIME")
@click.option("--to", "to_text", help="ISO 8601 end of the range, exclusive.", metavar="TIME")
@option("--timezone", "IANA time zone of times without an offset.")
@click.option("--note", default="", help="Why, such as a case number.")
@data_dir_option
def hold(
    name: str, source: str, from_text: str | None, to_text: str | None, note: str, **overrides: Any
) -> int:
    """Keep all data of a source and range under NAME, whatever the rules say.

    Exit code 6: some of it was being removed at that moment.
    """
    settings = read_settings(None, overrides)
    from_ms, to_ms = parse_bounds_ms(from_text, to_text, settings.tzinfo())
    slug = keys.slug(source) if source else ""
    if slug:
        check_names(settings, sources=[slug])
    legal_hold = LegalHold(
        name=name,
        source=slug,
        from_ms=from_ms,
        to_ms=to_ms,
        note=note,
        set_at_ms=round(time.time() * 1000),
    )
    with open_store_port(settings) as ports:
        removals = put_hold(ports.store, legal_hold)
    click.echo(console.plain(f"hold {name}: {in_words(legal_hold)}"))
    for removal in removals:
        span = utc_range(removal.from_ms, removal.to_ms)
        click.echo(
            console.plain(
                f"{removal.source or 'all sources'}, {span}: frametally was removing data there when you set "
                "the hold, so some of it may be gone; everything else stays"
            ),
            err=True,
        )
    return PART_DONE if removals else 0


@retention_group.command()
@click.argument("name")
@data_dir_option
def release(name: str, **overrides: Any) -> int:
    """Release the hold NAME; the next round applies the rules to its data again."""
    with open_store_port(read_settings(None, overrides)) as ports:
        release_hold(ports.store, name)
    click.echo(console.plain(f"hold {name}: released"))
    return 0
