"""`frametally quality`: what was checked of each current run. Needs no component."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import click
import msgspec

from frametally import keys
from frametally.books.quality_reports import QualityReport, read_reports
from frametally.books.runs import current_days
from frametally.opening import open_object_store
from frametally.process.exit_codes import PART_DONE
from frametally.rules.places import base_model, in_words
from frametally.rules.times import is_day_in_range
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, option, read_settings
from frametally_cli.options.times import parse_bounds_ms


@click.command()
@option("--from", "ISO 8601 time: only days that end after it.", metavar="TIME")
@option("--to", "ISO 8601 time: only days that begin before it.", metavar="TIME")
@option("--model", "Only this model's runs.")
@option("--interval", "Only runs of this base interval, in seconds.", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def quality(model: str | None, interval: int | None, as_json: bool, **overrides: Any) -> int:
    """Print the quality report of every day's current run; exit code 6: one failed or is damaged."""
    bounds = overrides.pop("from"), overrides.pop("to")
    settings = read_settings(None, overrides)
    from_ms, to_ms = parse_bounds_ms(*bounds, settings.tzinfo())
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        days = [
            counted
            for day, counted in current_days(store).items()
            if model in (None, base_model(day.model))
            and interval in (None, day.interval_s)
            and is_day_in_range(keys.day_start_ms(day.day), from_ms, to_ms)
        ]
        reports, problems = read_reports(store, [counted.run for counted in days if counted.run])
    problems += [counted.problem for counted in days if counted.problem]
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(report) for report in reports], indent=2))
    else:
        for report in reports:
            for line in quality_lines(report):
                click.echo(console.plain(line))
        failed = sum(bool(report.failed) for report in reports)
        click.echo(f"quality: {len(reports)} runs looked at, {failed} with a check that did not pass")
    for problem in problems:
        console.err.print(problem, markup=False)
    return PART_DONE if problems or any(report.failed for report in reports) else 0


def quality_lines(report: QualityReport) -> list[str]:
    """Write a report for people: the run, then what did not pass or cannot be told."""
    lines = [
        f"{report.day}, {in_words(report.model)}, {report.interval_s} s: {report.frames} frames, "
        f"{report.detections} detections, {report.duplicates_dropped} repeats dropped, "
        f"{report.lines_dead} lines dead: {'failed' if report.failed else 'passed'}"
    ]
    for check in report.checks:
        if check.passed is not True:
            verdict = "not passed" if check.passed is False else "cannot be told"
            lines.append(f"    {check.name}: {verdict} ({check.count})")
            lines += [f"        {detail}" for detail in check.details]
    return lines
