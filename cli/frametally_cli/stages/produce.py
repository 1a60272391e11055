"""What `frametally produce` does: call the producer, show how the files stand, tell what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from frametally.errors import Misconfigured
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import exit_code
from frametally.settings.stages import Settings, component_folder
from frametally_cli.console import output as console
from frametally_cli.console.backfill import backfill_display, print_skipped_files
from frametally_cli.console.plan_table import print_plan
from frametally_producer.plan import plan
from frametally_producer.produce import ProduceReport, produce
from frametally_producer.watch import watch


class ProduceRequest(NamedTuple):
    """What was asked for on the command line."""

    settings: Settings
    paths: Sequence[Path]
    source: str | None
    start_time: str | None
    should_stop: Callable[[], bool] = lambda: False

    @property
    def extracted_dir(self) -> Path | None:
        """Where stored pictures are kept as files too: if they are not as by default, to look at."""
        folder = component_folder("producer")
        usual = Settings.model_fields["jpeg_quality"].default
        preprocessed = self.settings.max_side_px > 0 or self.settings.jpeg_quality != usual
        return folder / "extracted_frames" if folder and preprocessed else None


def produce_files(asked: ProduceRequest, store: ObjectStore, log: FrameLog) -> int:
    """Produce files and folders; the exit code. Raises as `produce`."""
    with backfill_display(console.err) as display:
        report = produce(
            asked.paths,
            settings=asked.settings,
            store=store,
            log=log,
            progress=display,
            source=asked.source,
            start_time=asked.start_time,
            extracted_dir=asked.extracted_dir,
            should_stop=asked.should_stop,
            on_standing=display.stand,
        )
    if report.stopped:
        console.err.print("stopped before the end; the same command goes on from there")
    return _tell(report, stopped=report.stopped)


def watch_folders(asked: ProduceRequest, store: ObjectStore, log: FrameLog) -> int:
    """Watch folders until a stop is asked for; the exit code. Raises as `watch`."""
    if asked.start_time:
        raise Misconfigured("--start-time is for one video, and --watch for folders; leave one of them out")
    with backfill_display(console.err) as display:
        report = watch(
            asked.paths,
            settings=asked.settings,
            store=store,
            log=log,
            progress=display,
            should_stop=asked.should_stop,
            source=asked.source,
            extracted_dir=asked.extracted_dir,
            on_standing=display.stand,
        )
    return _tell(report, stopped=True)


def tell_plan(asked: ProduceRequest) -> int:
    """Tell what producing would do, and how long it would take; the exit code. Raises as `plan`."""
    with console.stage_bar("looking") as bar:
        found = plan(
            asked.paths,
            settings=asked.settings,
            progress=bar,
            source=asked.source,
            start_time=asked.start_time,
            extracted_dir=asked.extracted_dir,
            should_stop=asked.should_stop,
        )
    print_skipped_files(console.err, found.skipped)
    print_plan(console.out, found)
    return exit_code(done=sum(source.files for source in found.sources), skipped=found.skipped)


def _tell(report: ProduceReport, *, stopped: bool) -> int:
    print_skipped_files(console.err, report.skipped)
    click.echo(f"frames: {report.frames_announced} announced, {report.frames_known} known already")
    if stopped:  # a stop that was asked for is no failure, and what was skipped has been told
        return 0
    return exit_code(done=report.frames_announced + report.frames_known, skipped=report.skipped)
