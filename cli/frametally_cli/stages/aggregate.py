"""The work of `frametally aggregate`: its options and its output."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

import click
from rich import filesize

from frametally.books.index_lag import of_earlier_rules, of_earlier_version
from frametally.console import output as console
from frametally.console.option_values import parse_bounds_ms
from frametally.ports.opened import StorePorts
from frametally.process.period import parse_period_s, repeat
from frametally.process.reports import exit_code, plural
from frametally.rules.places import FLOWS, in_words, series_of
from frametally.rules.times import HOUR_S
from frametally_hadoop.count_round import count_once, current_runs
from frametally_hadoop.dry_run import dry_run
from frametally_hadoop.planning.plan import DaySelection


def dry_run_lines(report: Mapping[str, Any]) -> list[str]:
    """Format a dry run (`frametally aggregate --dry-run --json`) for people."""
    lines = [f"{day['day']}  {_what(day)}" for day in report["days"]]
    if not report["days"]:
        return [f"nothing to count: {plural(report['days_up_to_date'], 'day is', 'days are')} up to date"]
    total = f"{plural(len(report['days']), 'day')} to count, {report['days_up_to_date']} up to date: "
    total += f"{plural(report['segments'], 'segment')}, {filesize.decimal(report['bytes'])}, "
    if report["estimated_s"] is None:
        total += "there is no earlier aggregation here from which to estimate the time"
    else:
        total += (
            f"about {_duration(report['estimated_s'])}, judging by the last {report['estimated_from']} here"
        )
    return [*lines, total]


def _what(day: Mapping[str, Any]) -> str:
    """Return what would be counted of a day, and from what."""
    what = f"{in_words(day['model'])}, {day['interval_s']} s"
    if series_of(day["model"]) == FLOWS:
        return f"{what}: its tracks"
    return f"{what}: {plural(day['segments'], 'segment')}, {filesize.decimal(day['bytes'])}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / HOUR_S:.1f} h"


def asked_days(from_text: str | None, to_text: str | None, *, recount: bool) -> DaySelection:
    """Return the days that `--from`, `--to` and `--all` select. Raises `Misconfigured`."""
    from_ms, to_ms = parse_bounds_ms(from_text, to_text, datetime.UTC)
    return DaySelection(from_ms, to_ms, recount)


def count_every(
    opened: Callable[[], StorePorts],
    period: str,
    selection: DaySelection,
    *,
    afterwards: Callable[[], object],
    should_stop: Callable[[], bool],
) -> int:
    """Aggregate at a fixed pace, each time followed by `afterwards`; return the exit code when asked to stop.

    `opened` and `afterwards` wait for unavailable servers: without the index, counting goes on.

    Raises `Misconfigured` if `period` is invalid or nothing can be counted until a person changes something.
    """
    period_s = parse_period_s("--every", period)

    is_first_round = True  # in later rounds no day is from an earlier version

    def work() -> None:
        nonlocal is_first_round
        count_once(opened(), selection, wait=False, upgraded=is_first_round)
        is_first_round = False
        afterwards()

    with console.stage_bar("rounds") as bar:
        repeat(work, period_s=period_s, should_stop=should_stop, progress=bar)
    return 0


def tell_dry_run(ports: StorePorts, selection: DaySelection, *, as_json: bool) -> int:
    """Print what would be counted; return the exit code."""
    with console.stage_bar("plan") as bar:
        report = dry_run(settings=ports.settings, store=ports.store, progress=bar, selection=selection)
    to_count = {(day.model, day.interval_s, day.day) for day in report.days}
    runs = [run for run in current_runs(ports.store) if (run.model, run.interval_s, run.day) in to_count]
    body = report._asdict() | {
        "earlier_version": sorted({run.day for run in of_earlier_version(runs)}),
        "days": [day._asdict() for day in report.days],
        "skipped": [item._asdict() for item in report.skipped],
    }
    console.print_skipped(report.skipped)
    for line in report.warnings:
        click.echo(f"warning: {console.plain(line)}", err=True)
    for line in [json.dumps(body, indent=2)] if as_json else dry_run_lines(body):
        click.echo(line)
    for finding in () if as_json else of_earlier_rules(runs):
        click.echo(finding.line)
    return exit_code(done_count=len(report.days) + report.days_up_to_date, skipped=report.skipped)
