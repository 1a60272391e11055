"""`frametally work`: does what waits to be done to uploaded videos."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import click

from frametally.opening import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.exit_codes import PART_DONE
from frametally.process.retrying import OnceAMinute
from frametally.settings.loading import Settings
from frametally_cli.console import output as console
from frametally_cli.console import streams
from frametally_cli.options.ports import (
    data_dir_option,
    metrics_of,
    opened_once,
    read_settings,
    stop_on,
    wait_for,
)
from frametally_videos.books.video_states import StateSettler
from frametally_videos.jobs.job_steps import plugin_jobs
from frametally_videos.news.outbox_mail import mailing
from frametally_videos.opening import open_task_queue, open_video_catalogue
from frametally_videos.ports.task_queue import QUEUES, QueueName
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.settings import VideoSettings
from frametally_videos.uploads.arrivals import tell_arrivals


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Videos that are worked on at once, each in a process of its own.",
)
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice(list(QUEUES)),
    help="Do only what comes by this queue (may be repeated; default: all).",
)
@click.option("--until-done", is_flag=True, help="End when nothing waits any more.")
@data_dir_option
def work(workers: int, queues: tuple[QueueName, ...], until_done: bool, **overrides: Any) -> int:
    """Do what waits to be done to uploaded videos, until Ctrl-C."""
    from frametally_videos.jobs import job_worker

    settings = read_settings("producer", overrides)
    failpoints.arm()
    for job in plugin_jobs().values():
        job.check(settings)
    if not until_done:
        streams.log_lines()

    once_a_minute = OnceAMinute(lambda line: click.echo(console.plain(line), err=True))

    def say(line: str) -> None:
        once_a_minute(line, line)  # several threads wait for the same

    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(lambda: _books(settings)) as opened,
    ):
        # With --until-done it is run once: what is away ends it.
        store, catalogue, index, ledger = opened() if until_done else wait_for(opened, should_stop)
        with (
            closing(
                open_task_queue(
                    settings.part(VideoSettings).queue_url,
                    catalogue,
                    settings.part(VideoSettings).queue_access,
                )
            ) as queue,
            _telling(settings, catalogue) as tell,
            mailing(settings, catalogue, say, all_at_end=until_done),
        ):
            states = StateSettler(
                settings=settings, store=store, index=index, ledger=ledger, catalogue=catalogue
            )

            def each_round() -> None:
                tell()
                states.settle()

            report = job_worker.work(
                settings=settings,
                store=store,
                catalogue=catalogue,
                queue=queue,
                queues=queues or tuple(QUEUES),
                workers=workers,
                until_done=until_done,
                say=say,
                should_stop=should_stop,
                each_round=each_round,
            )
    click.echo(f"jobs: {report.done} done, {len(report.failed)} failed")
    return PART_DONE if report.failed else 0


@contextmanager
def _books(settings: Settings) -> Iterator[tuple[ObjectStore, VideoCatalogue, CountIndex, Ledger]]:
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        yield store, catalogue, index, ledger


@contextmanager
def _telling(settings: Settings, catalogue: VideoCatalogue) -> Iterator[Callable[[], object]]:
    """Yield what tells of new videos on the log, where Airflow has them described and checked."""
    if settings.part(VideoSettings).video_orchestrator != "airflow":
        yield lambda: None
        return
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        yield lambda: tell_arrivals(log, settings.part(VideoSettings).videos_topic, catalogue)
