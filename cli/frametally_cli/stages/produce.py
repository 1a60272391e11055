"""The work of `frametally produce`: calls the producer, and shows progress and results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from frametally.console import output as console
from frametally.console.output import plain
from frametally.console.rounds import opened_once
from frametally.console.tables import folded_table
from frametally.errors import Misconfigured
from frametally.media.manifests import find_manifest
from frametally.openers.port_openers import open_store_port
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Skipped, Standing, exit_code, plural, size_text
from frametally.settings.loading import Settings, component_folder
from frametally_producer.plan import ProducePlan, plan
from frametally_producer.produce import ProduceReport, produce, watch
from frametally_producer.reading.event_time import iso
from frametally_producer.writing.production import ProduceCall
from frametally_producer.writing.receipt import ReceiptFile

_LINE_EVERY_S = 30.0
_DRAW_EVERY_S = 0.1
_NO_FILES = Standing()


def duration(seconds: float) -> str:
    """Format a length of time for people, rounded to what matters: `2 days 3 h`, `1 h 5 min`, `12 s`."""
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{plural(days, 'day')} {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"


class BackfillPace:
    """Computes the speed and the remaining time from the progress of files."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, endless: bool = False) -> None:
        """Start the clock at the first file; an `endless` job has no remaining time."""
        self._clock = clock
        self._endless = endless
        self._began_s: float | None = None
        self.standing = _NO_FILES

    def note(self, standing: Standing) -> None:
        """Report the current progress."""
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
        """Seconds until the end at the pace so far, by the files' sizes; `None` if unknown."""
        now = self.standing
        left = now.bytes_total - now.bytes_passed - now.bytes_worked
        if self._endless or not now.bytes_worked or not self.elapsed_s:
            return None
        return max(0.0, left * self.elapsed_s / now.bytes_worked)

    def line(self) -> str:
        """Format the progress as a line."""
        now = self.standing
        activity = f"; {now.doing}: {now.at_hand}" if now.doing else ""
        return (
            f"{self.files_done} of {plural(now.files_total, 'file')} done ({now.files_known} already known, "
            f"{now.files_skipped} skipped), {plural(now.frames_announced, 'frame')}"
            f"{self.rate(', ', 'about ')}{activity}"
        )

    def rate(self, comma: str, about: str = "") -> str:
        """Return the speed and the remaining time, as the end of a line; empty for an endless job."""
        if self._endless:  # a watched folder is idle most of the time
            return ""
        left = "" if self.left_s is None else f"{comma}{about}{duration(self.left_s)} left"
        return f"{comma}{self.frames_per_s:.0f} frames/s{left}"


class BackfillDisplay:
    """Shows the progress of files; implements `reports.Progress` for the current file."""

    def __init__(
        self,
        console: Console,
        bars: Progress | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        endless: bool = False,
    ) -> None:
        """Draw with `bars`; if it is None, print lines on `console`."""
        self._console = console
        self._bars = bars
        self._clock = clock
        self._pace = BackfillPace(clock, endless=endless)
        self._told_at_s = clock()
        self._tasks = [bars.add_task(title, total=None, note="") for title in ("files", "")] if bars else []

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Move the bar of the current file or folder of pictures."""
        if self._bars is not None:
            self._bars.start()
            self._bars.update(self._tasks[1], completed=done, total=total)

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(Text(plain(line)))

    def stand(self, standing: Standing) -> None:
        """Report the current progress of files."""
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
        note = f"{done}/{now.files_total} ({now.files_known} known, {now.files_skipped} skipped)"
        note += self._pace.rate("  ")
        bars.start()
        completed, of_file = now.bytes_passed + now.bytes_worked, f"{PurePath(now.at_hand).name}: {now.doing}"
        bars.update(self._tasks[0], completed=completed, total=max(now.bytes_total, 1), note=note)
        bars.update(self._tasks[1], note=plain(of_file) if now.doing else "")


@contextmanager
def backfill_display(console: Console, *, endless: bool = False) -> Iterator[BackfillDisplay]:
    """Show files' progress on `console` while they are produced; a watched folder is `endless`."""
    bars = None
    if console.is_terminal:
        bars = Progress(
            TextColumn("{task.description:<6}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
    display = BackfillDisplay(console, bars, endless=endless)
    try:
        yield display
    finally:
        display.finish()


def print_skipped_files(console: Console, skipped: Sequence[Skipped]) -> None:
    """Print the skipped inputs with their reasons: as a table on a terminal, otherwise as lines."""
    if not skipped:
        return
    if console.is_terminal:
        table = folded_table("skipped", "why, and what to do")
        for item in skipped:
            table.add_row(Text(plain(item.name)), Text(plain(item.reason)))
        console.print(table)
    else:
        for item in skipped:
            console.print(Text(plain(f"skipped {item.name}: {item.reason}")))
    console.print(Text(f"{len(skipped)} skipped in all", style="yellow"))


_MOST_GAPS = 20


def print_plan(console: Console, plan: ProducePlan) -> None:
    """Print what would be produced, any gaps in it, and how long it would take."""
    console.print("Plan (nothing was written):")
    for source in plan.sources:
        unknown = (
            f", plus {plural(source.frames_unknown, 'file')} without a frame count"
            if source.frames_unknown
            else ""
        )
        console.print(
            Text(
                f"{plain(source.source_name)}: {plural(source.files, 'file')} ({source.files_known} already "
                f"known), {size_text(source.bytes)}, about {plural(source.frames, 'new frame')}{unknown}, "
                f"{iso(source.first_ms)} to {iso(source.last_ms)}, {plural(len(source.gaps), 'gap')}"
            )
        )
    for source in plan.sources:
        for gap in source.gaps[:_MOST_GAPS]:
            length = duration((gap.to_ms - gap.from_ms) / 1000)
            console.print(
                Text(f"gap in {plain(source.source_name)}: {length}, {iso(gap.from_ms)} to {iso(gap.to_ms)}")
            )
        if source.gaps:
            more = len(source.gaps) - _MOST_GAPS
            console.print(
                Text(
                    (f"and {more} more; " if more > 0 else "")
                    + f"a gap is more than {duration(source.gap_ms / 1000)} without footage"
                )
            )
    if plan.seconds is None or plan.stored_bytes is None:
        console.print(f"the time needed is unknown: {plan.measured}")
    else:
        console.print(
            f"producing it takes about {duration(plan.seconds)} and {size_text(plan.stored_bytes)} of disk "
            f"space ({plan.measured})"
        )


def produce_call(
    settings: Settings,
    paths: Sequence[Path],
    source: str | None,
    start_time: str | None,
    should_stop: Callable[[], bool],
) -> ProduceCall:
    """Make the producer's call, which also keeps pictures as files if their settings are not the default."""
    folder = component_folder("producer")
    usual = Settings.model_fields["jpeg_quality"].default
    preprocessed = settings.max_side_px > 0 or settings.jpeg_quality != usual
    return ProduceCall(
        paths=paths,
        settings=settings,
        source=source,
        start_time=start_time,
        extracted_dir=folder / "extracted_frames" if folder and preprocessed else None,
        should_stop=should_stop,
    )


def produce_files(call: ProduceCall, store: ObjectStore, log: FrameLog) -> int:
    """Produce files and folders; return the exit code. Raises as `produce` and `ReceiptFile` do."""
    receipt = ReceiptFile(call.receipt) if call.receipt else None
    with backfill_display(console.err()) as display:
        report = produce(call, store=store, log=log, progress=display, on_standing=display.stand)
    if report.stopped:
        console.err().print("stopped before the end; run the same command to continue")
    return _tell(report, receipt, stopped=report.stopped)


def watch_folders(call: ProduceCall, store: ObjectStore, log: FrameLog) -> int:
    """Watch folders until a stop is requested; return the exit code. Raises as `watch` and `ReceiptFile`."""
    receipt = ReceiptFile(call.receipt) if call.receipt else None
    with backfill_display(console.err(), endless=True) as display:
        report = watch(call, store=store, log=log, progress=display, on_standing=display.stand)
    return _tell(report, receipt, stopped=True)


def tell_plan(call: ProduceCall) -> int:
    """Print what producing would do and how long it would take; return the exit code. Raises as `plan`."""
    if call.receipt is not None:
        raise Misconfigured("--dry-run writes nothing, so it writes no --receipt", "leave one of them out")
    with opened_once(lambda: open_store_port(call.settings)) as opened, console.stage_bar("looking") as bar:
        planned = plan(call, find=lambda sha256: find_manifest(opened().store, sha256), progress=bar)
    print_skipped_files(console.err(), planned.skipped)
    print_plan(console.out(), planned)
    for note in planned.notes:
        console.err().print(Text(plain(note)))
    return exit_code(done_count=sum(source.files for source in planned.sources), skipped=planned.skipped)


def _tell(report: ProduceReport, receipt: ReceiptFile | None, *, stopped: bool) -> int:
    print_skipped_files(console.err(), report.skipped)
    for line in receipt.write(report.receipt) if receipt else ():
        console.err().print(Text(plain(line)))
    click.echo(f"frames: {report.frames_announced} announced, {report.frames_known} already known")
    if stopped:  # a requested stop is no failure, and skipped inputs have been reported
        return 0
    return exit_code(done_count=report.frames_announced + report.frames_known, skipped=report.skipped)
