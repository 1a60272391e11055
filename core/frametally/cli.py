"""`frametally ...`: each command opens the ports, calls a stage, and turns its report into an exit code.

The only module that imports components, and it does so when a command runs: a machine needs only the extras
of the stages that it runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from frametally import cli_books, console
from frametally.cli_ports import Ports, data_dir_option, open_ports, option, read_settings, with_options
from frametally.errors import FrametallyError, Misconfigured
from frametally.reports import exit_code
from frametally.settings import component_folder

# A moment of its own for the demo clip, so that its numbers are the same everywhere.
DEMO_START_TIME = "2026-01-01T08:00:00Z"
DEMO_DATA_DIR = Path("demo-data")
NOTHING_DONE = 2


footage_options: list[Callable[[Any], Any]] = [
    option("--source", "Name of the source; default: the folder's name, a single file's stem."),
    option("--start-time", "ISO 8601 time of a video's first frame, e.g. 2026-05-01T08:00:00+02:00."),
    option("--sample-fps", "Frames a second taken from a video, or 'all'."),
    option("--timezone", "IANA time zone of times that come without one."),
    option("--time-pattern", "strptime pattern of the time in file names, e.g. cam_%Y%m%d_%H%M%S."),
    click.option("--no-file-time", is_flag=True, help="Refuse media whose only time is the file's date."),
]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="frametally")
def cli() -> None:
    """Turn footage into counts with proof."""


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@with_options(footage_options)
@data_dir_option
def produce(paths: tuple[Path, ...], source: str | None, start_time: str | None, **overrides: Any) -> int:
    """Store and announce the frames of pictures and videos (default: producer/new_pics/)."""
    settings = read_settings("producer", overrides)
    with open_ports(settings) as ports:
        return _produce(ports, paths or (_default_pictures(),), source=source, start_time=start_time)


@cli.command()
@click.option("--until-caught-up", is_flag=True, help="End when the log is drained.")
@data_dir_option
def consume(until_caught_up: bool, **overrides: Any) -> int:
    """Detect objects in what is announced, and write segments."""
    with open_ports(read_settings("consumer", overrides)) as ports:
        return _consume(ports, until_caught_up=until_caught_up)


@cli.command()
@option("--interval", "Seconds of the stored base interval; divides a day.", type=int)
@option("--runner", "Engine of the counting job: inline, local, hadoop or spark.")
@data_dir_option
def aggregate(interval: int | None, **overrides: Any) -> int:
    """Count what segments hold, per label and interval, by the MapReduce job."""
    with open_ports(read_settings("hadoop", {**overrides, "interval_s": interval})) as ports:
        return _aggregate(ports)


@cli.command()
@data_dir_option
def index(**overrides: Any) -> int:
    """Publish the newest part files in the count index."""
    with open_ports(read_settings("search", overrides)) as ports:
        return _index(ports)


@cli.command()
@option("--port", "Port that the dashboard listens on.", type=int)
@data_dir_option
def serve(port: int | None, **overrides: Any) -> int:
    """Serve the dashboard until Ctrl-C."""
    with open_ports(read_settings("web", {**overrides, "web_port": port})) as ports:
        return _serve(ports)


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@with_options(footage_options)
@option("--interval", "Seconds of the stored base interval; divides a day.", type=int)
@click.option("--serve/--no-serve", "serving", default=True, help="Serve the dashboard afterwards.")
@option("--port", "Port that the dashboard listens on.", type=int)
@data_dir_option
def run(
    paths: tuple[Path, ...],
    source: str | None,
    start_time: str | None,
    interval: int | None,
    serving: bool,
    port: int | None,
    **overrides: Any,
) -> int:
    """Do it all: from pictures and videos to the chart."""
    settings = read_settings("producer", {**overrides, "interval_s": interval, "web_port": port})
    with open_ports(settings) as ports:
        return _run(ports, paths, source=source, start_time=start_time, serving=serving)


@cli.command()
@click.option("--serve/--no-serve", "serving", default=True, help="Serve the dashboard afterwards.")
@option("--port", "Port that the dashboard listens on.", type=int)
@click.option("--data-dir", type=click.Path(path_type=Path), default=DEMO_DATA_DIR, show_default=True)
def demo(serving: bool, port: int | None, data_dir: Path) -> int:
    """Run it all on a traffic clip that is fetched for you."""
    from frametally.demo_clip import ensure_demo_clip

    settings = read_settings("producer", {"data_dir": data_dir, "interval_s": 1, "web_port": port})
    with console.stage_bar("clip") as bar:
        clip = ensure_demo_clip(settings.data_dir, bar)
    with open_ports(settings) as ports:
        return _run(ports, (clip,), source="Traffic", start_time=DEMO_START_TIME, serving=serving)


@cli.command("download-models")
def download_models() -> int:
    """Fetch the YOLOv4-tiny model and check it."""
    from frametally_consumer.model_files import ensure_default_model

    settings = read_settings("consumer", {})
    with console.stage_bar("model") as bar:
        files = ensure_default_model(settings.models_dir, bar)
    for path in files:
        click.echo(path)
    return 0


def _default_pictures() -> Path:
    folder = component_folder("producer")
    if folder is None:
        raise Misconfigured("no footage was named; give files or folders: `frametally produce PATH...`")
    return folder / "new_pics"


def _produce(ports: Ports, paths: Sequence[Path], *, source: str | None, start_time: str | None) -> int:
    from frametally_producer.produce import produce

    folder = component_folder("producer")
    with console.stage_bar("frames") as bar:
        report = produce(
            paths,
            settings=ports.settings,
            store=ports.store,
            log=ports.log,
            progress=bar,
            source=source,
            start_time=start_time,
            extracted_dir=folder / "extracted_frames" if folder else None,
        )
    for line in report.notices:
        console.err.print(line, markup=False)
    console.print_skipped(report.skipped)
    click.echo(f"frames: {report.frames_announced} announced, {report.frames_known} known already")
    return exit_code(done=report.frames_announced + report.frames_known, skipped=report.skipped)


def _consume(ports: Ports, *, until_caught_up: bool) -> int:
    from frametally_consumer.load import load_detector
    from frametally_consumer.worker import consume

    with console.stage_bar("model") as bar:
        detector = load_detector(ports.settings, bar)
    with console.stage_bar("detections") as bar, _stop_on_sigterm() as should_stop:
        report = consume(
            settings=ports.settings,
            store=ports.store,
            log=ports.log,
            detector=detector,
            progress=bar,
            until_caught_up=until_caught_up,
            should_stop=should_stop,
        )
    skipped = report.dead_letters + report.stopped
    console.print_skipped(skipped)
    click.echo(
        f"detections: {report.frames} frames in {report.segments_written} segments "
        f"({report.segments_adopted} adopted), model {report.model}"
    )
    return exit_code(done=report.frames + report.segments_adopted, skipped=skipped)


def _aggregate(ports: Ports) -> int:
    from frametally_hadoop.driver import aggregate

    with console.stage_bar("counts") as bar:
        report = aggregate(settings=ports.settings, store=ports.store, progress=bar)
    console.print_skipped(report.skipped)
    click.echo(
        f"counts: {len(report.runs)} days counted, {report.days_up_to_date} up to date, "
        f"{report.frames} frames, {report.duplicates_dropped} repeats dropped"
    )
    return exit_code(done=len(report.runs) + report.days_up_to_date, skipped=report.skipped)


def _index(ports: Ports) -> int:
    from frametally_search.indexer import index_runs

    with console.stage_bar("index") as bar:
        report = index_runs(store=ports.store, index=ports.index, progress=bar)
    console.print_skipped(report.skipped)
    click.echo(f"index: {len(report.published)} runs published, {report.unchanged} unchanged")
    return exit_code(done=len(report.published) + report.unchanged, skipped=report.skipped)


def _run(
    ports: Ports, paths: Sequence[Path], *, source: str | None, start_time: str | None, serving: bool
) -> int:
    codes = [_produce(ports, paths, source=source, start_time=start_time)]
    if NOTHING_DONE in codes:
        return NOTHING_DONE
    codes.append(_consume(ports, until_caught_up=True))
    codes.append(_aggregate(ports))
    codes.append(_index(ports))
    series = ports.index.series()
    if not series:
        return NOTHING_DONE
    asked = next((s for s in series if s.base_interval_s == ports.settings.interval_s), series[0])
    console.print_counts(ports.index, asked.model, asked.base_interval_s)
    if serving:
        _serve(ports)
    return max(codes)


def _serve(ports: Ports) -> int:
    from frametally_web.app import create_app
    from frametally_web.serving import serve

    app = create_app(settings=ports.settings, store=ports.store, index=ports.index)
    serve(app, ports.settings.web_host, ports.settings.web_port)
    return 0


@contextmanager
def _stop_on_sigterm() -> Iterator[Callable[[], bool]]:
    stopped = False

    def stop(signal_number: int, stack_frame: object) -> None:
        nonlocal stopped
        stopped = True

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield lambda: stopped
    finally:
        signal.signal(signal.SIGTERM, before)


for command in cli_books.COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; every expected error is one line and exit code 2.

    Returns:
        The exit code: 0 all good, 1 something was skipped, 2 nothing could be done (`status` has its own).
    """
    try:
        result = cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return NOTHING_DONE
    except click.Abort:
        return 130
    except FrametallyError as error:
        console.say_error(str(error))
        return NOTHING_DONE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0
