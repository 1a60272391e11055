"""Prints progress bars, tables and one-line errors."""

from __future__ import annotations

import os
import sys
import zoneinfo
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from frametally.errors import Misconfigured
from frametally.files.names import as_text
from frametally.files.replacing import replace_file
from frametally.ports.count_index import CountIndex, CountQuery, Histogram
from frametally.process.reports import Skipped, plural
from frametally.rules.times import DAY_S, HOUR_S, local_time, offset_at
from frametally_cli.console import streams

if TYPE_CHECKING:
    from rich.progress import Progress

_MOST_ROWS, _MOST_LABELS = 40, 8
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, HOUR_S, 7200, 10_800, 21_600, 43_200, DAY_S)

# In a pipe or a file a row of a table stays on its line, however long: there is no edge to fold it at.
_is_for_people = (sys.stdout is not None and sys.stdout.isatty()) or "COLUMNS" in os.environ
out = Console(highlight=False, soft_wrap=True, width=None if _is_for_people else 1000)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def plain(text: str) -> str:
    """`text` on one line, with terminal control characters escaped: file names may contain them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in as_text(text))


def say_error(line: str) -> None:
    """Print an error as one line on standard error."""
    err.print(Text.assemble(("error: ", "bold red"), plain(line)))


def say_round(line: str, *, is_news: bool) -> None:
    """Print the result of a round as a line `stage: ...`; see `streams.is_worth_a_line`."""
    if streams.is_worth_a_line(line.partition(":")[0], is_news=is_news):
        click.echo(line)


class StageBar:
    """A stage's progress as a bar; implements `reports.Progress`."""

    def __init__(self, title: str) -> None:
        """Name the stage; its bar appears with its first step, so that a stage without work shows none."""
        self._title = title
        self._progress: Progress | None = None

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Move the bar."""
        if not err.is_terminal:
            return
        if self._progress is None:
            self._progress = _progress()
            self._progress.add_task(self._title, total=None, note="")
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done, total=total, note=plain(note))

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        err.print(Text(plain(line)))

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._progress is not None:
            self._progress.stop()


def _progress() -> Progress:
    # Imported here: most commands draw no bar, and all print lines.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=err,
    )


def stage_bar(title: str) -> AbstractContextManager[StageBar]:
    """Show a bar for one stage on standard error, so that you can pipe the output; in a file, show none."""
    return closing(StageBar(title))


def print_skipped(skipped: Sequence[Skipped]) -> None:
    """Print the skipped inputs, each with its reason, and their number."""
    if not skipped:
        return
    for item in skipped:
        err.print(Text.assemble(("skipped ", "yellow"), plain(f"{item.name}: {item.reason}")))
    err.print(Text(f"{len(skipped)} skipped in all", style="yellow"))


def folded_table(*columns: str) -> Table:
    """Return a table in which long texts take several lines."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def format_of(output: Path | None, chosen: str | None, formats: Collection[str], usual: str) -> str:
    """Return the chosen format, else the one that the name's ending names. Raises `Misconfigured`."""
    ending = "" if chosen or output is None else output.suffix
    if ending and ending[1:].lower() not in formats:
        names = ", ".join(f".{name}" for name in formats)
        raise Misconfigured(f"a file name cannot end with {ending}: use {names}, or choose one with --format")
    return chosen or ending[1:].lower() or usual


def write_out(output: Path | None, chunks: Iterable[bytes]) -> None:
    """Write what a command has made to a file, in one step, or to standard output."""
    if output is None:
        sys.stdout.buffer.writelines(chunks)
        sys.stdout.buffer.flush()
        return
    length = replace_file(output, chunks)
    err.print(plain(f"{output}: {length} bytes"), markup=False)


def print_counts(
    index: CountIndex, model: str, base_interval_s: int, timezones: Mapping[str, str], usual_timezone: str
) -> None:
    """Print the counts of `model`: a row per interval, a column per label (the commonest first).

    Times are in the zone of the sources (`timezones`, by slug, or the usual one), in UTC where these differ.
    """
    labels = [label for label, _ in index.labels(model)]
    sources = index.sources(model)
    if not sources:
        out.print("No counts yet.")
        return
    span_s = (
        max(source.next_interval_ms for source in sources)
        - min(source.first_interval_ms for source in sources)
    ) // 1000
    interval_s = next(
        (
            step
            for step in _STEPS_S
            if step % base_interval_s == 0 and step >= base_interval_s and span_s <= step * _MOST_ROWS
        ),
        DAY_S,
    )
    zones = {timezones.get(source.source, usual_timezone) for source in sources}
    zone = zoneinfo.ZoneInfo("UTC" if len(zones) > 1 else min(zones))
    why_utc = "; the time zones of the sources differ" if len(zones) > 1 else ""
    offset_ms = offset_at(zone, min(source.first_interval_ms for source in sources))
    if offset_ms % (base_interval_s * 1000):
        offset_ms = 0
    histogram = index.histogram(CountQuery(model, base_interval_s, interval_s, offset_ms=offset_ms))
    together = f"{len(sources)} sources together, " if len(sources) > 1 else ""
    title = f"Detections per {interval_s} s of event time ({zone}{why_utc}), {together}model {model}"
    out.print(_counts_table(histogram, labels, title, zone))
    if len(labels) > _MOST_LABELS:
        out.print(
            f"{plural(len(labels) - _MOST_LABELS, 'more label is', 'more labels are')} in the dashboard."
        )


def _counts_table(histogram: Histogram, labels: list[str], title: str, zone: zoneinfo.ZoneInfo) -> Table:
    shown = labels[:_MOST_LABELS]
    rows = histogram.coverage[-_MOST_ROWS:]
    every = len(histogram.coverage)
    cut = f"; last {len(rows)} of {every} intervals" if len(rows) < every else ""
    table = Table(title=f"{title}{cut}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("interval", no_wrap=True)
    table.add_column("frames", justify="right", no_wrap=True)
    for label in shown:
        table.add_column(Text(label), justify="right", no_wrap=True)
    cells = {(bucket.start_ms, bucket.label): bucket.detections for bucket in histogram.buckets}
    for row in rows:
        table.add_row(
            local_time(row.start_ms, zone).isoformat(" ").replace("+00:00", "Z"),
            f"{row.frames}",
            *(f"{cells.get((row.start_ms, label), 0)}" for label in shown),
        )
    totals = [
        sum(bucket.detections for bucket in histogram.buckets if bucket.label == label) for label in shown
    ]
    table.add_section()
    total = f"total of all {every}" if cut else "total"
    table.add_row(total, f"{sum(row.frames for row in histogram.coverage)}", *map(str, totals))
    return table
