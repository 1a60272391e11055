"""The stages, a command each: open the ports, call the stage, turn its report into an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import filesize

from frametally.books.superseded import remove_superseded
from frametally.errors import Misconfigured
from frametally.plugins import hooks
from frametally.ports.ledger import Ledger
from frametally.process.exit_codes import NOTHING_DONE, worst
from frametally.process.period import parse_period_s
from frametally.process.reports import exit_code
from frametally.settings.data_folder import demo_beside, embedded_folder, must_be_writable, store_folder
from frametally.settings.loading import Settings, component_folder
from frametally.telemetry.family import family
from frametally.telemetry.lineage import lineage_run
from frametally_cli.console import output as console
from frametally_cli.console import streams
from frametally_cli.options.ports import (
    Ports,
    StagePorts,
    data_dir_option,
    ending_on,
    metrics_of,
    open_ports,
    open_stage_ports,
    open_store_port,
    opened_once,
    option,
    read_settings,
    repeat_rounds,
    stop_on,
    wait_for,
    with_options,
)
from frametally_cli.stages.family_members import MemberOptions, following

if TYPE_CHECKING:
    from frametally_consumer.worker.report import ConsumeReport

footage_options: list[Callable[[Any], Any]] = [
    option("--source", "Name of the source; default: the folder's name, a single file's stem."),
    option("--start-time", "ISO 8601 time of a video's first frame, e.g. 2026-05-01T08:00:00+02:00."),
    option("--sample-fps", "Frames a second taken from a video, or 'all'."),
    option("--timezone", "IANA time zone of times that come without one."),
    option("--time-pattern", "strptime pattern of the time in file names, e.g. cam_%Y%m%d_%H%M%S."),
    option("--max-side-px", "Longest side of a stored frame in pixels; larger ones are shrunk.", type=int),
    option("--jpeg-quality", "JPEG quality of stored frames, 1 to 100.", type=int),
    click.option("--no-file-time", is_flag=True, help="Refuse media whose only time is the file's date."),
]


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@with_options(footage_options)
@click.option("--dry-run", is_flag=True, help="Say what there is and how long it will take; write nothing.")
@click.option("--watch", is_flag=True, help="Go on with what comes to lie in the folders, until Ctrl-C.")
@data_dir_option
def produce(
    paths: tuple[Path, ...],
    source: str | None,
    start_time: str | None,
    dry_run: bool,
    watch: bool,
    **overrides: Any,
) -> int:
    """Store and announce the frames of pictures and videos (default: producer/new_pics/)."""
    from frametally_cli.stages.produce import produce_call, produce_files, tell_plan, watch_folders

    settings = read_settings("producer", overrides)
    with stop_on(signal.SIGTERM, signal.SIGINT, at_once=True) as should_stop:
        call = produce_call(settings, paths or (_default_pictures(),), source, start_time, should_stop)
        if dry_run:
            return tell_plan(call)
        with metrics_of(settings), opened_once(lambda: open_stage_ports(settings)) as opened:
            if watch:
                streams.log_lines()
                ports = wait_for(opened, should_stop)
                return watch_folders(call, ports.store, ports.log)
            return produce_files(call, opened().store, opened().log)


@click.command()
@click.option("--until-caught-up", is_flag=True, help="End when the log is drained.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that share the work; one that dies is started again.",
)
@option("--topic", "Log topic to drain, such as one that `frametally redetect` made.")
@click.option("--live", is_flag=True, help="Drain that of cameras and streams, and tell each result at once.")
@click.option("--engine", type=click.Choice(["consumer", "spark"]), help="With --live: what detects it.")
@data_dir_option
def consume(until_caught_up: bool, workers: int, live: bool, engine: str | None, **overrides: Any) -> int:
    """Detect objects in what is announced, and write segments, until the first Ctrl-C."""
    if live and overrides["topic"] is not None:
        raise Misconfigured("--live has a topic of its own, FRAMETALLY_LIVE_TOPIC: leave out --topic")
    if engine is not None and not live:
        raise Misconfigured("--engine is for what is live: add --live")
    settings = read_settings("consumer", overrides | {"stream_engine": engine})
    if live:
        settings = settings.model_copy(update={"topic": settings.live_topic})
    on_spark = live and settings.stream_engine == "spark"
    if on_spark and workers > 1:
        raise Misconfigured("--workers: Spark has as many tasks as FRAMETALLY_SPARK_MASTER gives it")
    if not until_caught_up:
        streams.log_lines()
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(lambda: open_stage_ports(settings)) as opened,
    ):
        ports = opened() if until_caught_up else wait_for(opened, should_stop)
        if workers > 1:
            return _consume_in_processes(settings, workers, until_caught_up, should_stop)
        if on_spark:
            return _consume_on_spark(ports, until_caught_up, should_stop)
        return consume_here(ports, until_caught_up=until_caught_up, should_stop=should_stop)


@click.command()
@option("--interval", "Seconds of the stored base interval; divides a day.", type=int)
@option("--runner", "Engine of the counting job: inline, local, hadoop or spark.")
@option("--from", "ISO 8601 time: only UTC days that end after it.", metavar="TIME")
@option("--to", "ISO 8601 time: only UTC days that begin before it.", metavar="TIME")
@click.option("--all", "recount", is_flag=True, help="Count also the days that are up to date.")
@click.option("--dry-run", is_flag=True, help="Say what would be counted, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the dry run as JSON.")
@option(
    "--every",
    "Do it again every so often (15s, 15m, 1h), index, and load gold if there is.",
    metavar="PERIOD",
)
@option("--labels", "Labels to count, separated by commas; empty: all.")
@data_dir_option
def aggregate(
    interval: int | None,
    recount: bool,
    dry_run: bool,
    as_json: bool,
    every: str | None,
    labels: str | None,
    **overrides: Any,
) -> int:
    """Count what segments hold, per label and interval, by the MapReduce job."""
    from frametally_cli.stages.aggregate import asked_days, count_every, count_once, tell_dry_run

    days = asked_days(overrides.pop("from"), overrides.pop("to"), recount=recount)
    if (as_json and not dry_run) or (every is not None and (dry_run or recount)):
        raise Misconfigured("--json goes with --dry-run only, --every with neither --dry-run nor --all")
    overrides |= {"interval_s": interval, "count_labels": labels}
    settings = read_settings("hadoop", overrides)
    if every is None:
        with ending_on(signal.SIGTERM), open_store_port(settings) as ports:
            return tell_dry_run(ports, days, as_json=as_json) if dry_run else count_once(ports, days)
    streams.log_lines()
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(lambda: open_store_port(settings)) as store,
        opened_once(lambda: open_ports(settings)) as opened,
    ):
        return count_every(store, every, days, afterwards=lambda: show(opened()), should_stop=should_stop)


@click.command()
@option("--every", "Do it again every so often (15s, 15m, 1h), until SIGTERM.", metavar="PERIOD")
@click.option("--repair", is_flag=True, help="First take out what is damaged or not as the store has it.")
@data_dir_option
def index(every: str | None, repair: bool, **overrides: Any) -> int:
    """Publish the newest part files in the count index."""
    if repair and every is not None:
        raise Misconfigured("--repair goes without --every: it is done once")
    period_s = None if every is None else parse_period_s("--every", every)
    settings = read_settings("search", overrides)
    if period_s is None:
        with open_ports(settings) as ports:
            if repair:
                _take_out_what_differs(ports)
            return show(ports)
    return repeat_rounds(settings, lambda: open_ports(settings), show, period_s=period_s)


@click.command()
@option("--port", "Port that the dashboard listens on.", type=int)
@click.option("--alone", is_flag=True, help="Start nothing that works on videos; others do.")
@data_dir_option
def serve(port: int | None, alone: bool, **overrides: Any) -> int:
    """Serve the dashboard until Ctrl-C, and bring the videos that are uploaded there into its chart."""
    from frametally_cli.stages.looking import open_to_look

    settings = read_settings("web", {**overrides, "web_port": port})
    if (folder := embedded_folder(settings)) and not any(folder.glob("*.sqlite")):
        must_be_writable(folder)  # there is nothing to be seen, and nothing can come
    store = store_folder(settings)
    if store is not None and store != settings.data_dir / "store" and not store.exists():
        must_be_writable(store, "FRAMETALLY_STORE_URL")
    streams.log_lines()
    with (
        ending_on(signal.SIGTERM),
        opened_once(lambda: open_to_look(settings)) as opened,
    ):
        ports, ledger = wait_for(opened)
        if folder := embedded_folder(ports.settings):
            click.echo(f"Counts of {folder}")
            if not ports.index.series() and (demo := demo_beside(folder)):
                click.echo(f"Nothing is counted there, but in {demo}: frametally serve --data-dir {demo}")
        return serve_dashboard(ports, ledger, alone=alone)


def _default_pictures() -> Path:
    folder = component_folder("producer")
    if folder is None:
        raise Misconfigured("no footage was named; give files or folders: `frametally produce PATH...`")
    return folder / "new_pics"


def consume_here(ports: StagePorts, *, until_caught_up: bool, should_stop: Callable[[], bool]) -> int:
    """Detect in this process; return the exit code."""
    from frametally_consumer.worker.loop import consume
    from frametally_consumer.worker.results import open_results
    from frametally_models.prepare import prepare_detector

    with console.stage_bar("model") as bar:
        detector = prepare_detector(ports.settings, bar)
    with open_results(ports.settings) as results:
        with console.stage_bar("detections") as bar:
            report = consume(
                settings=ports.settings,
                store=ports.store,
                log=ports.log,
                detector=detector,
                progress=bar,
                until_caught_up=until_caught_up,
                should_stop=should_stop,
                results=results,
            )
        code = _print_consumed(report)
        if report.unfinished:
            # A thread that hangs in the detector or in a call of store or log would be waited for at the end.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return code


def _consume_in_processes(
    settings: Settings, workers: int, until_caught_up: bool, should_stop: Callable[[], bool]
) -> int:
    from frametally_consumer.supervisor import consume_with_workers
    from frametally_models.prepare import prepare_model

    with console.stage_bar("model") as bar:
        model = prepare_model(settings, bar)
    with console.stage_bar("detections") as bar:
        report, failures = consume_with_workers(
            workers,
            settings=settings,
            model=model,
            progress=bar,
            until_caught_up=until_caught_up,
            should_stop=should_stop,
        )
    return worst(_print_consumed(report), NOTHING_DONE if failures else 0)


def _consume_on_spark(ports: StagePorts, until_caught_up: bool, should_stop: Callable[[], bool]) -> int:
    from frametally_consumer.load import load_detector
    from frametally_consumer.spark.streaming import consume_on_spark
    from frametally_models.prepare import prepare_model

    with console.stage_bar("model") as bar:
        model = prepare_model(ports.settings, bar)
    with console.stage_bar("detections") as bar:
        report = consume_on_spark(
            settings=ports.settings,
            model_id=model.model_id if model else load_detector(ports.settings).model_id,
            model=model,
            store=ports.store,
            log=ports.log,
            progress=bar,
            until_caught_up=until_caught_up,
            should_stop=should_stop,
        )
    return _print_consumed(report)


def _print_consumed(report: ConsumeReport) -> int:
    skipped = report.dead_letters + report.stopped
    console.print_skipped(skipped)
    if report.dead_letters_unlisted:
        more = f"{report.dead_letters_unlisted} more were set aside; see `frametally dead-letters list`"
        console.err.print(more)
    click.echo(
        f"detections: {report.frames} frames in {report.segments_written} segments "
        f"({report.segments_adopted} adopted), model {report.model}"
    )
    return exit_code(done=report.frames + report.segments_adopted, skipped=skipped)


def show(ports: Ports) -> int:
    """Bring what was counted to where people look: the index, and what plug-ins make of that."""
    return worst(index_new_runs(ports), *(after(ports) for after in hooks("indexed")))


def index_new_runs(ports: Ports) -> int:
    """Publish what is not in the index yet; return the exit code."""
    from frametally_search.indexer import index_runs

    settings = ports.settings
    token = settings.lineage_token.get_secret_value()
    with console.stage_bar("index") as bar, lineage_run("index", settings.lineage_url, token) as lineage:
        report = index_runs(store=ports.store, index=ports.index, progress=bar, lineage=lineage)
    console.print_skipped(report.skipped)
    console.say_round(
        f"index: {len(report.published)} runs published, {report.unchanged} unchanged",
        is_news=bool(report.published or report.skipped),
    )
    try:
        removed = remove_superseded(ports.store, ports.index.current_runs())
    except Misconfigured as error:  # a key of before: what is indexed is indexed all the same
        click.echo(f"superseded runs stay in the store: {error}", err=True)
    else:
        if removed.runs:
            click.echo(
                f"store: {removed.runs} superseded runs removed, {filesize.decimal(removed.size_bytes)}"
            )
    return exit_code(done=len(report.published) + report.unchanged, skipped=report.skipped)


def _take_out_what_differs(ports: Ports) -> None:
    from frametally_search.indexer import repair_index

    with console.stage_bar("compare") as bar:
        removed = repair_index(store=ports.store, index=ports.index, progress=bar)
    for line in removed:
        click.echo(f"taken out: {line}")


def serve_dashboard(
    ports: Ports, ledger: Ledger, *, alone: bool = False, interval_s: int | None = None
) -> int:
    """Serve until Ctrl-C, and unless `alone` have videos worked on meanwhile; return the exit code."""
    from frametally_web.app import create_app
    from frametally_web.serving import serve

    settings, options = ports.settings, MemberOptions(alone=alone, interval_s=interval_s)
    # What it starts brings its figures to its `/metrics`; and all that `frametally up` has started beside it.
    with family(), ExitStack() as plugins:
        given: dict[str, Any] = {}
        for serving in hooks("serving"):
            given |= plugins.enter_context(serving(ports, options))
        app = create_app(
            settings=settings,
            store=ports.store,
            index=ports.index,
            ledger=ledger,
            log=ports.log,
            **given,
        )
        with nullcontext() if alone else following(settings, options):
            serve(app, settings.web_host, settings.web_port)
    return 0
