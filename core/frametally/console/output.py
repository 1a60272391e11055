"""Prints progress bars and one-line errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frametally.console import streams
from frametally.errors import FrametallyError, Misconfigured
from frametally.files.names import as_text
from frametally.files.replacing import replace_file
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import Skipped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text

# In a pipe or file, a table row stays on one line of any length, as there is no edge to wrap it at.
_is_for_people = (sys.stdout is not None and sys.stdout.isatty()) or "COLUMNS" in os.environ


@cache
def out() -> Console:
    """Return the rich console for standard output."""
    return _console(is_err=False)


@cache
def err() -> Console:
    """Return the rich console for standard error."""
    return _console(is_err=True)


def _console(*, is_err: bool) -> Console:
    # Imported here because it takes longer than many commands that print plain lines.
    from rich.console import Console

    width = None if is_err or _is_for_people else 1000
    return Console(stderr=is_err, emoji=False, highlight=False, soft_wrap=True, width=width)


def marked(word: str, style: str, line: str) -> Text:
    """Return a line that begins with a word in a style such as "bold red"."""
    from rich.text import Text

    return Text.assemble((word, style), plain(line))


def plain(text: str) -> str:
    """Return `text` on one line with terminal control characters escaped, which file names may contain."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in as_text(text))


def say_error(line: str) -> None:
    """Print an error as one line on standard error."""
    err().print(marked("error: ", "bold red", line))


def say_round(line: str, *, is_news: bool) -> None:
    """Print the result of a round as a line `stage: ...`; see `streams.is_worth_a_line`."""
    if streams.is_worth_a_line(line.partition(":")[0], is_news=is_news):
        click.echo(line)


_warned: dict[str, str] = {}


def try_optional(step_name: str, step: Callable[[], int]) -> int:
    """Run a step in addition to a command's own work, which continues if the step fails.

    Returns:
        0, or 6 if the step failed or skipped something. The reason is printed once, not in every round.
    """
    try:
        code = step()
        _warned.pop(step_name, None)
        return PART_DONE if code else 0
    except FrametallyError as error:
        line = f"{step_name} failed; everything else is done: {error}"
        if _warned.get(step_name) != line:
            err().print(marked("warning: ", "yellow", line))
        _warned[step_name] = line
        return PART_DONE


class StageBar:
    """A stage's progress as a bar; implements `reports.Progress`."""

    def __init__(self, title: str) -> None:
        """Set the title; the bar appears with the first step, so a stage without work shows none."""
        self._title = title
        self._progress: Progress | None = None

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Move the bar."""
        if not sys.stderr.isatty():
            return
        if self._progress is None:
            self._progress = _progress()
            self._progress.add_task(self._title, total=None, note="")
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done, total=total, note=plain(note))

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        err().print(plain(line), markup=False)

    def close(self) -> None:
        """Leave the bar in its last state."""
        if self._progress is not None:
            self._progress.stop()


def _progress() -> Progress:
    # Imported here: most commands draw no bar, but all print lines.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=err(),
    )


def stage_bar(title: str) -> AbstractContextManager[StageBar]:
    """Show a stage's bar on standard error, so that you can pipe the output; in a file, show none."""
    return closing(StageBar(title))


def print_skipped(skipped: Sequence[Skipped]) -> None:
    """Print the skipped inputs, each with its reason, and their number."""
    if not skipped:
        return
    for item in skipped:
        err().print(marked("skipped ", "yellow", f"{item.name}: {item.reason}"))
    err().print(f"{len(skipped)} skipped in all", style="yellow")


def format_of(output: Path | None, chosen: str | None, formats: Collection[str], usual: str) -> str:
    """Return the chosen format, or the one of the file name's ending. Raises `Misconfigured`."""
    ending = "" if chosen or output is None else output.suffix
    if ending and ending[1:].lower() not in formats:
        names = ", ".join(f".{name}" for name in formats)
        raise Misconfigured(f"a file name cannot end with {ending}: use {names}, or choose one with --format")
    return chosen or ending[1:].lower() or usual


def write_out(output: Path | None, chunks: Iterable[bytes]) -> None:
    """Write a command's output to a file atomically, or to standard output."""
    if output is None:
        sys.stdout.buffer.writelines(chunks)
        sys.stdout.buffer.flush()
        return
    length = replace_file(output, chunks, durable=True)
    err().print(plain(f"{output}: {length} bytes"), markup=False)


def note(line: str) -> None:
    """Print one line about inputs that were accepted anyway."""
    err().print(plain(f"note: {line}"), markup=False, soft_wrap=True)
