"""The stages, one command each: opens the ports, calls the stage, and returns its exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frametally.checkup.findings import disk_row
from frametally.console import output as console
from frametally.console import streams
from frametally.console.options import (
    data_dir_option,
    interval_option,
    option,
    port_option,
    read_settings,
    with_options,
)
from frametally.console.rounds import metrics_of, opened_once, repeat_rounds, wait_for
from frametally.console.stop_signals import ending_on, stop_on, stopped
from frametally.errors import Misconfigured, Retryable
from frametally.openers.port_openers import open_index_ports, open_stage_ports, open_store_port
from frametally.ports.frame_log import NoSuchTopic
from frametally.ports.ledger import Ledger
from frametally.ports.opened import IndexPorts, Ports, StagePorts
from frametally.process.exit_codes import NOTHING_DONE, worst
from frametally.process.limits import in_thread
from frametally.process.period import parse_period_s
from frametally.process.reports import exit_code, plural
from frametally.settings.data_folder import demo_beside, embedded_folder, must_be_writable, store_folder
from frametally.settings.fields import without_passwords
from frametally.settings.loading import Settings, component_folder
from frametally.telemetry.family import family
from frametally_cli.stages.footage_options import asked_film, footage_options

if TYPE_CHECKING:
    from frametally_consumer.detectors.protocol import Detector
    from frametally_consumer.worker.report import ConsumeReport


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(readable=False, path_type=Path))
@with_options(footage_options)
@click.option(
    "--dry-run", is_flag=True, help="Show what would be produced and how long it would take; write nothing."
)
@click.option("--watch", is_flag=True, help="Watch the folders for new files until Ctrl-C.")
@click.option("--packs", is_flag=True, help="Store one object per source and minute, not one per frame.")
@data_dir_option
def produce(
    paths: tuple[Path, ...],
    source: str | None,
    start_time: str | None,
    dry_run: bool,
    watch: bool,
    packs: bool,
    **overrides: Any,
) -> int:
    """Store and announce the frames of pictures and videos (default: producer/new_pics/)."""
    from frametally_cli.stages.produce import produce_call, produce_files, tell_plan, watch_folders
    from frametally_models.chosen_model import check_chosen_model, media_to_test

    film = asked_film(overrides)
    settings = read_settings("producer", overrides)
    with stop_on(signal.SIGTERM, signal.SIGINT, at_once=True) as should_stop:
        call = produce_call(settings, paths or (_default_pictures(),), source, start_time, should_stop)
        call = replace(call, packs=packs, **film)
        if dry_run:
            return tell_plan(call)
        with metrics_of(settings), opened_once(lambda: open_stage_ports(settings)) as opened:
            if watch:
                streams.log_lines()
            if embedded_folder(settings):  # the frames are detected on this machine
                check_chosen_model(settings, media_to_test(call))
            ports = wait_for(opened, should_stop)
            return (watch_folders if watch else produce_files)(call, ports.store, ports.log)


@click.command()
@click.option("--until-caught-up", is_flag=True, help="Stop when the log is drained.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Number of worker processes; frametally restarts a process that dies.",
)
@option("--topic", "Log topic to drain, for example one from `frametally redetect`.")
@click.option(
    "--live", is_flag=True, help="Drain the topic of cameras and streams, and publish each result at once."
)
@click.option("--engine", type=click.Choice(["consumer", "spark"]), help="With --live: the detection engine.")
@data_dir_option
def consume(until_caught_up: bool, workers: int, live: bool, engine: str | None, **overrides: Any) -> int:
    """Detect objects in announced frames and write segments, until Ctrl-C."""
    if live and overrides["topic"] is not None:
        raise Misconfigured(
            "use either --live or --topic: live frames have their own topic, FRAMETALLY_LIVE_TOPIC"
        )
    if engine is not None and not live:
        raise Misconfigured("--engine needs --live")
    settings = read_settings("consumer", overrides | {"stream_engine": engine})
    if live:
        settings = settings.model_copy(update={"topic": settings.live_topic})
    on_spark = live and settings.stream_engine == "spark"
    if on_spark and workers > 1:
        raise Misconfigured("leave out --workers: FRAMETALLY_SPARK_MASTER sets the number of Spark's tasks")
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(lambda: open_stage_ports(settings)) as opened,
    ):
        if not until_caught_up:  # a reader of this line may stop the command
            streams.log_lines()
            click.echo(f"reading frames {_where_frames_are(settings)}")
        ports = wait_for(opened, should_stop)
        if until_caught_up and overrides["topic"] is not None:
            _must_have_topic(ports)
        if workers > 1 or on_spark:
            return _consume_elsewhere(ports, workers, until_caught_up, should_stop)
        return consume_here(ports, until_caught_up=until_caught_up, should_stop=should_stop)


@click.command()
@interval_option
@option("--runner", "Engine of the counting job: inline, local, hadoop or spark.")
@option("--from", "Only UTC days that end after this ISO 8601 time.", metavar="TIME")
@option("--to", "Only UTC days that begin before this ISO 8601 time.", metavar="TIME")
@click.option("--all", "recount", is_flag=True, help="Also count the days that are up to date.")
@click.option("--dry-run", is_flag=True, help="Show what would be counted; count nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the dry run as JSON.")
@option("--every", "Repeat at this interval (15s, 15m, 1h), and publish new counts.", metavar="PERIOD")
@click.option("--labels", "count_labels", help="Labels to count, separated by commas; if empty, all.")
@data_dir_option
def aggregate(recount: bool, dry_run: bool, as_json: bool, every: str | None, **overrides: Any) -> int:
    """Count detections per label and interval with the MapReduce job."""
    from frametally_cli.stages.aggregate import asked_days, count_every, tell_dry_run
    from frametally_hadoop.count_round import count_once
    from frametally_search.index_round import publish_counts

    days = asked_days(overrides.pop("from"), overrides.pop("to"), recount=recount)
    if (as_json and not dry_run) or (every is not None and (dry_run or recount)):
        raise Misconfigured("--json needs --dry-run; --every cannot be combined with --dry-run or --all")
    settings = read_settings("hadoop", overrides)
    if every is None:
        with ending_on(signal.SIGTERM), open_store_port(settings) as ports:
            return tell_dry_run(ports, days, as_json=as_json) if dry_run else count_once(ports, days)
    streams.log_lines()
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(lambda: open_store_port(settings)) as store,
        opened_once(lambda: open_index_ports(settings)) as opened,
    ):
        return count_every(
            store, every, days, afterwards=lambda: publish_counts(opened()), should_stop=should_stop
        )


@click.command()
@option("--every", "Repeat at this interval (15s, 15m, 1h), until SIGTERM.", metavar="PERIOD")
@click.option(
    "--repair", is_flag=True, help="First delete entries that are damaged or differ from the store."
)
@data_dir_option
def index(every: str | None, repair: bool, **overrides: Any) -> int:
    """Publish the newest part files in the count index."""
    from frametally_search.index_round import publish_counts

    if repair and every is not None:
        raise Misconfigured("use either --repair or --every, not both")
    period_s = None if every is None else parse_period_s("--every", every)
    settings = read_settings("search", overrides)
    if period_s is None:
        with open_index_ports(settings) as ports:
            if repair:
                _take_out_what_differs(ports)
            return publish_counts(ports)
    return repeat_rounds(settings, lambda: open_index_ports(settings), publish_counts, period_s=period_s)


@click.command()
@port_option
@click.option("--alone", is_flag=True, help="Do not start workers.")
@data_dir_option
def serve(alone: bool, **overrides: Any) -> int:
    """Serve the dashboard until Ctrl-C, and run the commands that its pages start."""
    from frametally.openers.look_openers import open_to_look

    settings = read_settings("web", overrides)
    if (folder := embedded_folder(settings)) and not any(folder.glob("*.sqlite")):
        must_be_writable(folder)  # there is nothing to show, and nothing can be added
    store = store_folder(settings)
    if store is not None and store != settings.data_dir / "store" and not store.exists():
        must_be_writable(store, "FRAMETALLY_STORE_URL")
    streams.log_lines()
    with ending_on(signal.SIGTERM), opened_once(lambda: open_to_look(settings)) as opened:
        ports, ledger = wait_for(opened)
        if folder := embedded_folder(ports.settings):
            click.echo(f"Counts of {folder}")
            if not ports.index.series() and (demo := demo_beside(folder)):
                click.echo(
                    f"There are no counts yet; the demo is in {demo}: run frametally serve --data-dir {demo}"
                )
        return serve_dashboard(ports, ledger, alone=alone)


def _default_pictures() -> Path:
    folder = component_folder("producer")
    if folder is None:
        raise Misconfigured("no footage given; give files or folders: `frametally produce PATH...`")
    return folder / "new_pics"


def _must_have_topic(ports: StagePorts) -> None:
    topic = ports.settings.topic
    try:
        ports.log.log_id(topic)
    except NoSuchTopic:
        raise Misconfigured(
            f"--topic {topic}: the log has no such topic, so there is nothing to detect; correct the name"
        ) from None
    except Retryable:
        pass  # the consumer waits for the log


def _where_frames_are(settings: Settings) -> str:
    return f"on topic {settings.topic!r} of {without_passwords(settings.log_url)}"


def consume_here(
    ports: StagePorts,
    *,
    until_caught_up: bool,
    should_stop: Callable[[], bool],
    detector: Detector | None = None,
) -> int:
    """Detect in this process, with `detector` if it is already tested; return the exit code."""
    from frametally_consumer.worker.live_results import open_results
    from frametally_consumer.worker.loop import consume
    from frametally_models.chosen_model import test_again, tested_detector

    if should_stop():
        return stopped() if until_caught_up else 0
    detector = detector or tested_detector(ports.settings)
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
                test_again=test_again(ports.settings, detector.model_id),
            )
        code = _print_consumed(report, ports.settings, until_caught_up and should_stop())
        if report.unfinished:
            # Python would wait at exit for a thread that hangs in the detector, the store or the log.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return code


def _consume_elsewhere(
    ports: StagePorts, workers: int, until_caught_up: bool, should_stop: Callable[[], bool]
) -> int:
    """Detect in separate processes, or with one worker in Spark tasks."""
    from frametally_consumer.load import load_detector
    from frametally_models.chosen_model import test_again
    from frametally_models.prepare import prepare_model

    settings = ports.settings
    with console.stage_bar("model") as bar:
        model = prepare_model(settings, bar)
    with console.stage_bar("detections") as bar:
        how: dict[str, Any] = {
            "settings": settings,
            "model": model,
            "progress": bar,
            "until_caught_up": until_caught_up,
            "should_stop": should_stop,
        }
        if workers > 1:
            from frametally_consumer.supervisor import consume_with_workers

            report, failures = consume_with_workers(
                workers, **how, test_again=model and test_again(settings, model.model_id)
            )
            code = _print_consumed(report, settings, until_caught_up and should_stop())
            return worst(code, NOTHING_DONE if failures else 0)
        from frametally_consumer.spark.streaming import consume_on_spark

        model_id = model.model_id if model else load_detector(settings).model_id
        report = consume_on_spark(model_id=model_id, store=ports.store, log=ports.log, **how)
        return _print_consumed(report, settings, until_caught_up and should_stop())


def _print_consumed(report: ConsumeReport, settings: Settings, is_cut_short: bool) -> int:
    skipped = report.dead_letters + report.stopped
    frame_count = report.frames + report.segments_adopted
    console.print_skipped(skipped)
    if report.dead_letters_unlisted:
        more = f"{report.dead_letters_unlisted} more were set aside; see `frametally dead-letters list`"
        console.err().print(more)
    click.echo(
        f"detections: {plural(report.frames, 'frame')} in {plural(report.segments_written, 'segment')} "
        f"({report.segments_adopted} adopted), model {report.model}"
        + ("" if frame_count or skipped else f"; no new frames {_where_frames_are(settings)}")
    )
    if is_cut_short:
        return stopped()
    # The loss was reported when it happened.
    return exit_code(done_count=frame_count, skipped=skipped + report.lost)


def _take_out_what_differs(ports: IndexPorts) -> None:
    from frametally_search.indexer import repair_index

    with console.stage_bar("compare") as bar:
        removed = repair_index(store=ports.store, index=ports.index, progress=bar)
    for line in removed:
        click.echo(f"removed: {line}")


def serve_dashboard(
    ports: Ports, ledger: Ledger, *, alone: bool = False, interval_s: int | None = None
) -> int:
    """Serve until Ctrl-C and, unless `alone`, process videos in the meantime; return the exit code."""
    from frametally.work.family_members import MemberOptions, keep_up
    from frametally_cli.stages.members_on_demand import following
    from frametally_web.app import opened_app
    from frametally_web.serving import serve

    settings, options = ports.settings, MemberOptions(alone=alone, interval_s=interval_s)
    if not (disk := disk_row(settings)).good:
        click.echo(console.plain(disk.line), err=True)
    # Its `/metrics` includes the figures of the members it starts, and of those that `frametally up` started.
    with family(), ExitStack() as stack:
        app = stack.enter_context(opened_app(ports, ledger, options))
        stack.enter_context(in_thread(lambda stop: keep_up(ports, stop.is_set), name="upkeep"))
        with nullcontext() if alone else following(settings, options):
            serve(app, settings.web_host, settings.web_port)
    return 0
