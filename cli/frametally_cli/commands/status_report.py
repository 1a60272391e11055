"""`frametally status`: prints the books of a deployment, once or repeatedly."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import click
import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.books.bars import NothingCounted
from frametally.books.quality_reports import QualityReport, read_reports
from frametally.books.runs import current_days
from frametally.books.status import Status, read_status
from frametally.books.verdict import SETTLED, WORDS, SourceLine
from frametally.checkup.findings import Finding
from frametally.console import output as console
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.console.output import out, plain
from frametally.errors import Misconfigured
from frametally.openers.look_openers import WhatAnswers
from frametally.ports.ledger import Ledger
from frametally.ports.opened import Ports
from frametally.process.collection import no_collection
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import duration_text, plural
from frametally.rules.places import base_model, in_words
from frametally.rules.times import CHECK_CLOCK, DAY_S, is_day_in_range, utc


@click.command()
@option("--from", "Only days that end after this ISO 8601 time.", metavar="TIME")
@option("--to", "Only days that begin before this ISO 8601 time.", metavar="TIME")
@option("--model", "Only this model's runs.")
@option("--interval", "Only runs of this base interval, in seconds.", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def quality(model: str | None, interval: int | None, as_json: bool, **overrides: Any) -> int:
    """Print the quality report of each day's current run; exit code 6: one failed or is damaged."""
    bounds = overrides.pop("from"), overrides.pop("to")
    settings = read_settings(None, overrides)
    from_ms, to_ms = parse_bounds_ms(*bounds, settings.tzinfo())
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        counted_days = current_days(store)
        if not counted_days:
            raise NothingCounted("nothing has been counted yet: run `frametally aggregate`")
        models = sorted({base_model(day.model) for day in counted_days})
        if model is not None and model not in models:
            raise Misconfigured(f"--model {model}: no day has this model; choose from {', '.join(models)}")
        of_model = [day for day in counted_days if model in (None, base_model(day.model))]
        seconds = ", ".join(map(str, sorted({day.interval_s for day in of_model})))
        if interval not in (None, *(day.interval_s for day in of_model)):
            raise Misconfigured(f"--interval {interval}: no day is counted in it; choose from {seconds} s")
        days = [
            counted_days[day]
            for day in of_model
            if interval in (None, day.interval_s)
            and is_day_in_range(keys.day_start_ms(day.day), from_ms, to_ms)
        ]
        if not days:
            extent = f"{min(day.day for day in of_model)} and {max(day.day for day in of_model)}"
            raise Misconfigured(f"no counted day lies in this range; choose a range between {extent}")
        reports, damaged = read_reports(store, [counted.run for counted in days if counted.run])
    problems = [finding.line for finding in damaged]
    problems += [counted.problem for counted in days if counted.problem]
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(report) for report in reports], indent=2))
    else:
        for report in reports:
            for line in quality_lines(report):
                click.echo(console.plain(line))
        failed = sum(bool(report.failed) for report in reports)
        click.echo(f"quality: {plural(len(reports), 'run')} checked, {failed} with a failed check")
    for problem in problems:
        console.err().print(problem, markup=False)
    return PART_DONE if problems or any(report.failed for report in reports) else 0


def quality_lines(report: QualityReport) -> list[str]:
    """Format a report for people: the run, then checks that did not pass or are unknown."""
    lines = [
        f"{report.day}, {in_words(report.model)}, {report.interval_s} s: {plural(report.frames, 'frame')}, "
        f"{plural(report.detections, 'detection')}, {plural(report.duplicates_dropped, 'duplicate')} "
        f"dropped, {plural(report.lines_dead, 'dead line')}: {'failed' if report.failed else 'passed'}"
    ]
    lines += [f"    {finding.value}" for finding in report.findings if finding.name == report.day]
    for check in report.checks:
        if check.passed is not True or check.details:
            verdict = {False: f"failed checks ({check.count})", None: f"unknown ({check.count})"}
            lines.append(f"    {check.name}: {verdict.get(check.passed, 'passed')}")
            lines += [f"        {detail}" for detail in check.details]
    return lines


_MOST_ROWS = 20
_FIGURES = {
    "expected": "expected",
    "announced": "announced",
    "analysed": "detected",
    "dead letters": "dead_lettered",
    "forgotten": "forgotten",
    "overlapped": "overlapped",
    "counted": "counted",
    "indexed": "indexed",
}


def print_status(status: Status) -> None:
    """Print the books as a table, then a line each for the pace, lost frames, and stages behind or broken."""
    table = Table(
        title=f"Distinct frames per source, model {status.model or '(none yet)'}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        # Narrow enough for 80 columns, where the headers and the time take two lines.
        pad_edge=False,
        collapse_padding=True,
    )
    shown = dict(_FIGURES)
    for rare in ("forgotten", "overlapped"):
        if not any(getattr(books, rare) for books in status.sources):
            del shown[rare]
    if "index" in status.away:
        del shown["indexed"]
    table.add_column("source", no_wrap=True)
    for title in shown:
        table.add_column(title, justify="right", min_width=max(map(len, title.split())))
    table.add_column("newest frame", min_width=len("2026-01-01"))
    sources = status.sources
    if len(sources) > _MOST_ROWS:  # put those that need attention first
        sources = sorted(sources, key=_is_even)
    for books in sources[:_MOST_ROWS]:
        newest = books.newest_captured_at_ms
        figures = (str(getattr(books, field)) for field in shown.values())
        name = plain(books.source_name) + (" *" if books.file_time else "")
        table.add_row(Text(name), *figures, "" if newest is None else utc(newest))
    out().print(table)
    if others := Counter(_is_even(books) for books in sources[_MOST_ROWS:]):
        uneven = f"{others[False]} are behind or damaged, " if others[False] else ""
        out().print(
            f"… and {others.total()} more: {uneven}{others[True]} have all frames; use `--json` to see "
            "each source"
        )
    if any(books.file_time for books in status.sources):
        out().print("* time estimated from the files' modification date or upload time")
    overlapped = [books for books in status.sources if books.overlapped]
    more = "of overlapping footage, not counted; see `frametally quality`"
    _print_lines(
        "",
        "",
        [
            Finding("books", books.source_name, f"{plural(books.overlapped, 'frame')} {more}")
            for books in overlapped
        ],
    )
    _print_lines("", "", status.notices)
    if "log" not in status.away:
        print_pace(status)
    if status.unidentified_dead_letters:
        unread = plural(status.unidentified_dead_letters, "message on the log is", "messages on the log are")
        out().print(f"{unread} unreadable")
    _print_lines("behind: ", "yellow", status.behind)
    _print_lines("broken: ", "bold red", status.broken)
    if status.exit_code == SETTLED:
        out().print(
            "settled: expected = announced = analysed + dead letters + forgotten + overlapped, "
            "analysed = counted = indexed"
        )
    _print_lines("needs you: ", "bold", [need for need in status.needs if need.grade != "broken"])


def _print_lines(word: str, style: str, findings: Sequence[Finding]) -> None:
    for finding in findings[:_MOST_ROWS]:
        out().print(console.marked(word, style, finding.line))
    if len(findings) > _MOST_ROWS:
        out().print(f"… and {len(findings) - _MOST_ROWS} more such lines; use `--json` to see them all")


def _is_even(books: SourceLine) -> bool:
    """Return whether a source's books balance and need no attention."""
    handled = books.detected + books.forgotten + books.overlapped
    return not books.producing and (
        books.expected == books.announced == handled and books.detected == books.counted == books.indexed
    )


def print_pace(status: Status) -> None:
    """Print how far the log has been read, how fast, and when the rest will be done."""
    line = f"log: {status.log_committed} of {plural(status.log_messages, 'message')} handled"
    pace = status.pace
    if pace.newest_segment_at_ms is not None:
        line += f"; newest segment {_age(pace.newest_segment_at_ms)}"
    if pace.frames_per_s is not None and status.log_committed < status.log_messages:
        line += f"; {pace.frames_per_s:.1f} frames/s in the minute before it"
        if pace.eta_s is not None:
            line += f", about {duration_text(pace.eta_s)} left at that pace"
    out().print(line)


def status_json(status: Status) -> str:
    """Write the books as JSON, with the verdict and the exit code."""
    verdict = "away" if status.away else WORDS[status.exit_code]
    body = status._asdict() | {
        "away": {**status.away},
        "sources": [books._asdict() for books in status.sources],
        "stages": [stage._asdict() for stage in status.stages],
        "pace": status.pace._asdict() | {"newest_segment_age_s": _age_s(status.pace.newest_segment_at_ms)},
        "lost": [lost._asdict() for lost in status.lost],
        "needs": [need.as_json() for need in status.needs],
        "behind": [finding.line for finding in status.behind],
        "broken": [finding.line for finding in status.broken],
        "findings": [finding.as_json() for finding in status.findings],
        "quality": [msgspec.to_builtins(report) | {"passed": not report.failed} for report in status.quality],
    }
    return json.dumps({"verdict": verdict, "exit_code": status.exit_code, **body}, indent=2)


def _age_s(at_ms: int | None) -> float | None:
    """Return the seconds since then by this machine's clock, never below 0; None for no time."""
    return None if at_ms is None else round(max(0.0, time.time() - at_ms / 1000), 1)


def _age(at_ms: int) -> str:
    age_s = time.time() - at_ms / 1000
    if age_s < -_SKEW_S:
        return f"dated {utc(at_ms)}, in the future: {CHECK_CLOCK}"
    doubt = "; if that is wrong, check this clock with `date`" if age_s > _LONG_S else ""
    return f"{duration_text(max(0.0, age_s))} old{doubt}"


_WATCH_EVERY_S = 2.0
_SKEW_S = 60.0
_LONG_S = 365.0 * DAY_S


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@option("--model", "Model ID; default: the newest published model.")
@click.option("--watch", is_flag=True, help="Print the status again every 2 s until Ctrl-C.")
@data_dir_option
def status(as_json: bool, model: str | None, watch: bool, **overrides: Any) -> int:
    """Print the books; exit with 0 (settled), 4 (behind) or 3 (broken).

    If a part cannot be reached, its numbers are left out and the exit code is 2.
    """
    if as_json and watch:
        raise Misconfigured("use either --json or --watch, not both")
    settings = read_settings(None, overrides)
    with closing(WhatAnswers(settings)) as answering:
        while True:
            with no_collection():  # half of a status check goes into imports, which leave no garbage
                ports, ledger, away = answering.look()
            books = _read(ports, ledger, model, away, has_time=not watch)
            if not watch:
                break
            console.out().clear()
            print_status(books)
            _say_away(books)
            time.sleep(_WATCH_EVERY_S)
    _say_away(books)
    if as_json:
        click.echo(status_json(books))
    else:
        print_status(books)
        if books.model_input:
            click.echo(console.plain(f"model: {books.model_input}"))
    return books.exit_code


def _say_away(books: Status) -> None:
    for line in books.away.values():
        click.echo(console.plain(f"away: {line}"), err=True)


def _read(ports: Ports, ledger: Ledger, model: str | None, away: dict[str, str], *, has_time: bool) -> Status:
    with console.stage_bar("ledger") as bar:
        books = read_status(ports, ledger, model=model, progress=bar, away=away, has_time=has_time)
    models = ledger.models()
    if model is not None and models and model not in models:
        raise Misconfigured(f"--model {model}: no segment has this model; choose from {', '.join(models)}")
    return books
