"""How the command line prints the books."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from frametally.books.quality_reports import QualityReport
from frametally.books.status import Status
from frametally.books.verdict import WORDS, SourceLine
from frametally.rules.times import DAY_S, HOUR_S, utc
from frametally_cli.console.output import out, plain
from frametally_cli.console.status_part import StatusPart

_MOST_ROWS = 20
_FIGURES = {
    "expected": "expected",
    "announced": "announced",
    "detected": "detected",
    "dead letters": "dead_lettered",
    "forgotten": "forgotten",
    "overlapped": "overlapped",
    "counted": "counted",
    "indexed": "indexed",
}


def print_status(status: Status) -> None:
    """Print the books as a table, then the pace, what was lost, and what is behind or broken, a line each."""
    table = Table(
        title=f"Distinct frames per source, model {status.model or '(none yet)'}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        # Narrow enough for a terminal of 80 columns: there the headers and the time take two lines.
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
    if len(sources) > _MOST_ROWS:  # what needs somebody first
        sources = sorted(sources, key=_is_even)
    for books in sources[:_MOST_ROWS]:
        newest = books.newest_captured_at_ms
        figures = (str(getattr(books, field)) for field in shown.values())
        name = plain(books.source_name) + (" *" if books.file_time else "")
        table.add_row(Text(name), *figures, "" if newest is None else utc(newest))
    out.print(table)
    if others := Counter(_is_even(books) for books in sources[_MOST_ROWS:]):
        uneven = f"{others[False]} are behind or broken, " if others[False] else ""
        out.print(f"… and {others.total()} more: {uneven}{others[True]} have all frames; `--json` has each")
    if any(books.file_time for books in status.sources):
        out.print("* its time is a guess: its files' modification date, or when they were uploaded")
    overlapped = [books for books in status.sources if books.overlapped]
    for books in overlapped[:_MOST_ROWS]:
        line = f"{books.source_name}: {books.overlapped} frames of overlapping footage, not counted"
        out.print(Text(plain(f"{line}; see `frametally quality`")))
    _print_others(len(overlapped))
    if "log" not in status.away:
        print_pace(status)
    for cause, letters in status.dead_letters.items():
        at_ms = status.dead_letters_since_ms.get(cause)
        since = "" if at_ms is None else f", since {utc(at_ms)}"
        out.print(f"dead letters, {cause}: {letters}{since}; see `frametally dead-letters list`")
    if status.unidentified_dead_letters:
        out.print(f"{status.unidentified_dead_letters} messages on the log could not be read at all")
    for lost in status.lost:
        out.print(
            Text.assemble(
                ("lost: ", "bold red"),
                f"{lost.messages} messages of {lost.topic}-{lost.partition}, offsets {lost.first_offset} to "
                f"{lost.next_offset - 1}, were gone from the log before they were read",
            )
        )
    for word, style, lines in (("behind", "yellow", status.behind), ("broken", "bold red", status.broken)):
        for line in lines[:_MOST_ROWS]:
            out.print(Text.assemble((f"{word}: ", style), plain(line)))
        _print_others(len(lines))
    if not status.behind and not status.broken and not status.away:
        out.print(
            "settled: expected = announced = detected + dead letters + forgotten + overlapped, "
            "detected = counted = indexed"
        )


def _print_others(lines: int) -> None:
    if lines > _MOST_ROWS:
        out.print(f"… and {lines - _MOST_ROWS} more such lines; `--json` has each")


def _is_even(books: SourceLine) -> bool:
    """Return whether each frame of a source is where it should be: nobody has to see to it."""
    handled = books.detected + books.forgotten + books.overlapped
    return not books.producing and (
        books.expected == books.announced == handled and books.detected == books.counted == books.indexed
    )


def print_pace(status: Status) -> None:
    """Print how far the log is read, how fast, and when that will be done."""
    line = f"log: {status.log_committed} of {status.log_messages} messages handled"
    pace = status.pace
    if pace.newest_segment_at_ms is not None:
        line += f"; newest segment {_duration(_age_s(pace.newest_segment_at_ms) or 0)} old"
    if pace.frames_per_s is not None and status.log_committed < status.log_messages:
        line += f"; {pace.frames_per_s:.1f} frames/s in the minute before it"
        if pace.eta_s is not None:
            line += f", at that pace {_duration(pace.eta_s)} to go"
    out.print(line)


def status_json(status: Status, reports: Iterable[QualityReport], parts: Iterable[StatusPart]) -> str:
    """Write the books as JSON, with the verdict, the exit code, quality reports and what plug-ins add."""
    verdict = "away" if status.away else WORDS[status.exit_code]
    body = status._asdict() | {
        "sources": [books._asdict() for books in status.sources],
        "stages": [stage._asdict() for stage in status.stages],
        "pace": status.pace._asdict() | {"newest_segment_age_s": _age_s(status.pace.newest_segment_at_ms)},
        "lost": [lost._asdict() for lost in status.lost],
        "quality": [msgspec.to_builtins(report) | {"passed": not report.failed} for report in reports],
    }
    for part in parts:
        body |= part.figures
    return json.dumps({"verdict": verdict, "exit_code": status.exit_code, **body}, indent=2)


def _age_s(at_ms: int | None) -> float | None:
    """Seconds since then by this machine's clock, never below 0; None if there is no then."""
    return None if at_ms is None else round(max(0.0, time.time() - at_ms / 1000), 1)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / HOUR_S:.0f} h" if seconds < 100 * HOUR_S else f"{seconds / DAY_S:.0f} d"
