"""What `frametally produce` does: call the producer, show how the files stand, tell what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import exit_code
from frametally.settings.loading import Settings, component_folder
from frametally_cli.console import output as console
from frametally_cli.console.backfill import backfill_display, print_skipped_files
from frametally_cli.console.plan_table import print_plan
from frametally_producer.plan import plan
from frametally_producer.produce import ProduceReport, produce
from frametally_producer.watch import watch
from frametally_producer.writing.production import ProduceCall


def produce_call(
    settings: Settings,
    paths: Sequence[Path],
    source: str | None,
    start_time: str | None,
    should_stop: Callable[[], bool],
) -> ProduceCall:
    """Make the producer's call; pictures that are not stored as by default are kept as files, to look at."""
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
    """Produce files and folders; return the exit code. Raises as `produce`."""
    with backfill_display(console.err) as display:
        report = produce(call, store=store, log=log, progress=display, on_standing=display.stand)
    if report.stopped:
        console.err.print("stopped before the end; the same command goes on from there")
    return _tell(report, stopped=report.stopped)


def watch_folders(call: ProduceCall, store: ObjectStore, log: FrameLog) -> int:
    """Watch folders until a stop is asked for; return the exit code. Raises as `watch`."""
    with backfill_display(console.err) as display:
        report = watch(call, store=store, log=log, progress=display, on_standing=display.stand)
    return _tell(report, stopped=True)


def tell_plan(call: ProduceCall) -> int:
    """Tell what producing would do, and how long it would take; return the exit code. Raises as `plan`."""
    with console.stage_bar("looking") as bar:
        planned = plan(call, progress=bar)
    print_skipped_files(console.err, planned.skipped)
    print_plan(console.out, planned)
    return exit_code(done=sum(source.files for source in planned.sources), skipped=planned.skipped)


def _tell(report: ProduceReport, *, stopped: bool) -> int:
    print_skipped_files(console.err, report.skipped)
    click.echo(f"frames: {report.frames_announced} announced, {report.frames_known} known already")
    if stopped:  # a stop that was asked for is no failure, and what was skipped has been told
        return 0
    return exit_code(done=report.frames_announced + report.frames_known, skipped=report.skipped)
