"""`frametally work`: does the jobs of uploaded videos."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.console import output as console
from frametally.console import streams
from frametally.console.options import data_dir_option, read_settings
from frametally.console.rounds import metrics_of, opened_once, wait_for
from frametally.console.stop_signals import stop_on
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StorePorts
from frametally.process import failpoints
from frametally.process.exit_codes import PART_DONE
from frametally.process.limits import in_thread
from frametally.process.no_network import check_without_network
from frametally.process.retrying import OnceAMinute
from frametally.settings.data_folder import embedded_folder
from frametally.settings.loading import Settings
from frametally.work.family_members import keep_up
from frametally_videos.catalogue_by_url import catalogue_of, queue_of
from frametally_videos.jobs.job_steps import plugin_jobs
from frametally_videos.jobs.video_news import mailing
from frametally_videos.jobs.video_states import StateSettler
from frametally_videos.queues.task_queue import QUEUES, QueueName
from frametally_videos.settings import VideoSettings, videos_topic
from frametally_videos.uploads.arrivals import tell_arrivals

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Number of jobs to run at the same time, each in its own process; one more runs short jobs.",
)
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice(list(QUEUES)),
    help="Run only jobs from this queue; repeatable; default: all.",
)
@click.option("--until-done", is_flag=True, help="Stop when no job is waiting.")
@data_dir_option
def work(workers: int, queues: tuple[QueueName, ...], until_done: bool, **overrides: Any) -> int:
    """Run the waiting jobs of uploaded videos until Ctrl-C."""
    from frametally_models.chosen_model import check_chosen_model
    from frametally_videos.jobs.job_worker import JobWorker

    settings = read_settings("producer", overrides)
    failpoints.arm()
    if not settings.job_network:
        check_without_network()
    for job in plugin_jobs().values():
        job.check(settings)
    if embedded_folder(settings):  # the frames are detected on this machine
        check_chosen_model(settings)
    if not until_done:
        streams.log_lines()

    once_a_minute = OnceAMinute(lambda line: click.echo(console.plain(line), err=True))

    def say(line: str) -> None:
        once_a_minute(line, line)  # several threads can wait for the same server

    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(lambda: _books(settings)) as opening,
    ):
        # With --until-done, a server that is not available ends the command.
        store, catalogue, index, ledger = opening() if until_done else wait_for(opening, should_stop)
        upkeep = partial(keep_up, StorePorts(settings, store))
        if until_done:
            upkeep(should_stop)
        with (
            nullcontext() if until_done else in_thread(lambda stop: upkeep(stop.is_set), name="upkeep"),
            closing(queue_of(settings, catalogue)) as queue,
            _bell_ringer(settings, catalogue) as tell,
            mailing(settings, catalogue, say, all_at_end=until_done),
        ):
            states = StateSettler(
                settings=settings, store=store, index=index, ledger=ledger, catalogue=catalogue
            )

            def each_round() -> None:
                tell()
                states.settle()

            worker = JobWorker(
                settings, store, catalogue, queue, queues or tuple(QUEUES), say, should_stop, each_round
            )
            report = worker.work(workers, until_done=until_done)
    click.echo(f"jobs: {report.done} done, {len(report.failed)} failed")
    return PART_DONE if report.failed else 0


@contextmanager
def _books(settings: Settings) -> Iterator[tuple[ObjectStore, VideoCatalogue, CountIndex, Ledger]]:
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        catalogue_of(settings) as catalogue,
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        yield store, catalogue, index, ledger


@contextmanager
def _bell_ringer(settings: Settings, catalogue: VideoCatalogue) -> Iterator[Callable[[], object]]:
    """Yield a function that announces new videos on the log, if Airflow describes and checks them."""
    if settings.part(VideoSettings).video_orchestrator != "airflow":
        yield lambda: None
        return
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        yield lambda: tell_arrivals(log, videos_topic(settings), catalogue)
