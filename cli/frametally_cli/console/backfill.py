"""How the files of an archive stand, on standard error: bars on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from frametally.process.backfill import Standing
from frametally.process.reports import Skipped
from frametally_cli.console.output import plain

_LINE_EVERY_S = 30.0
_DRAW_EVERY_S = 0.1
_NO_FILES = Standing()


def duration(seconds: float) -> str:
    """Write a length of time for people, rounded to what matters: `2 days 3 h`, `1 h 5 min`, `12 s`."""
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} {'day' if days == 1 else 'days'} {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"


def size(byte_count: float) -> str:
    """Write a number of bytes for people: `1.5 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if byte_count < 1000:
            return f"{byte_count:.0f} {unit}" if unit in ("bytes", "kB") else f"{byte_count:.1f} {unit}"
        byte_count /= 1000
    return f"{byte_count:.1f} TB"


class BackfillPace:
    """From how files stand: how fast it goes, and how long it will take."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Wait for the first file: the time begins to run with it."""
        self._clock = clock
        self._began_s: float | None = None
        self.standing = _NO_FILES

    def note(self, standing: Standing) -> None:
        """Things stand so now."""
        if self._began_s is None:
            self._began_s = self._clock()
        self.standing = standing

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first file."""
        return 0.0 if self._began_s is None else self._clock() - self._began_s

    @property
    def frames_per_s(self) -> float:
        """Frames announced a second, by this call."""
        return self.standing.frames_announced / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def files_done(self) -> int:
        """Files that are finished, known or skipped."""
        return self.standing.files_finished + self.standing.files_known + self.standing.files_skipped

    @property
    def left_s(self) -> float | None:
        """Seconds until the end at the pace so far, by the files' sizes; None while there is none."""
        now = self.standing
        left = now.bytes_total - now.bytes_passed - now.bytes_worked
        if not now.bytes_worked or not self.elapsed_s:
            return None
        return max(0.0, left * self.elapsed_s / now.bytes_worked)

    def line(self) -> str:
        """How things stand, as a line."""
        now = self.standing
        left = "" if self.left_s is None else f", about {duration(self.left_s)} left"
        at = f"; {now.doing}: {now.at_hand}" if now.doing else ""
        return (
            f"{self.files_done} of {now.files_total} files done ({now.files_known} known already, "
            f"{now.files_skipped} skipped), {now.frames_announced} frames, "
            f"{self.frames_per_s:.0f} frames/s{left}{at}"
        )


class BackfillDisplay:
    """Shows how files stand; implements `reports.Progress` for the file at hand."""

    def __init__(
        self, console: Console, bars: Progress | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Bars are drawn by `bars`; None: lines are printed on `console`."""
        self._console = console
        self._bars = bars
        self._clock = clock
        self._pace = BackfillPace(clock)
        self._told_at_s = clock()
        self._all = self._file = None
        if bars is not None:
            self._all = bars.add_task("files", total=None, note="")
            self._file = bars.add_task("", total=None, note="")

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Move the bar of the file, or the folder of pictures, at hand."""
        if self._bars is not None and self._file is not None:
            self._bars.start()
            self._bars.update(self._file, completed=done, total=total)

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(Text(plain(line)))

    def stand(self, standing: Standing) -> None:
        """Files stand so now."""
        self._pace.note(standing)
        if self._bars is None:
            if self._clock() - self._told_at_s >= _LINE_EVERY_S:
                self._told_at_s = self._clock()
                self.say(self._pace.line())
        elif self._clock() - self._told_at_s >= _DRAW_EVERY_S:
            self._told_at_s = self._clock()
            self._draw(self._bars)

    def finish(self) -> None:
        """Draw the last state."""
        if self._bars is not None and self._bars.live.is_started:
            self._draw(self._bars)
            self._bars.stop()

    def _draw(self, bars: Progress) -> None:
        now, done = self._pace.standing, self._pace.files_done
        left = "" if self._pace.left_s is None else f"  {duration(self._pace.left_s)} left"
        note = (
            f"{done}/{now.files_total} ({now.files_known} known, {now.files_skipped} skipped)"
            f"  {self._pace.frames_per_s:.0f} frames/s{left}"
        )
        bars.start()
        if self._all is not None and self._file is not None:
            bars.update(
                self._all,
                completed=now.bytes_passed + now.bytes_worked,
                total=max(now.bytes_total, 1),
                note=note,
            )
            bars.update(
                self._file, note=plain(f"{PurePath(now.at_hand).name}: {now.doing}") if now.doing else ""
            )


@contextmanager
def backfill_display(console: Console) -> Iterator[BackfillDisplay]:
    """Show on `console` how files stand, for as long as they are produced."""
    bars = None
    if console.is_terminal:
        bars = Progress(
            TextColumn("{task.description:<6}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
    display = BackfillDisplay(console, bars)
    try:
        yield display
    finally:
        display.finish()


def print_skipped_files(console: Console, skipped: Sequence[Skipped]) -> None:
    """Print what was set aside, each with its reason: a table on a terminal, else a line each."""
    if not skipped:
        return
    if console.is_terminal:
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("skipped", overflow="fold")
        table.add_column("why, and what to do", overflow="fold")
        for item in skipped:
            table.add_row(Text(plain(item.name)), Text(plain(item.reason)))
        console.print(table)
    else:
        for item in skipped:
            console.print(Text(plain(f"skipped {item.name}: {item.reason}")))
    console.print(Text(f"{len(skipped)} skipped in all", style="yellow"))
