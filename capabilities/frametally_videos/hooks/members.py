"""Hooks for the servers and processes that uploaded videos add to a dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

import click

from frametally.adapters_by_url import open_frame_log
from frametally.console.rounds import opened_once, wait_for
from frametally.errors import Retryable
from frametally.naming import NamesPart
from frametally.ports.frame_log import NoSuchTopic
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import Ports
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions, MembersPart, command, counting
from frametally_videos.catalogue.catalogue_rows import VideoQuestion, VideoState
from frametally_videos.catalogue_by_url import catalogue_of, catalogue_to_look, queue_of
from frametally_videos.jobs.job_bells import telling
from frametally_videos.queues.task_queue import QUEUES
from frametally_videos.settings import VideoSettings, videos_topic


def setup(settings: Settings, _: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the queue and the topic of new videos; yield a line about each.

    Raises:
        Misconfigured: A server denies access, a right is missing, or the queue has other settings.
        Retryable: A server is not available.
    """
    of_videos = settings.part(VideoSettings)
    if url := of_videos.queue_url:
        with (
            catalogue_of(settings) as catalogue,
            closing(queue_of(settings, catalogue)) as queue,
        ):
            queue.prepare()
        yield f"queue: {url} has its exchanges and its queues: {', '.join(QUEUES)}"
    if settings.log_url.startswith("kafka://") and of_videos.video_orchestrator == "airflow":
        yield _topic(settings, videos_topic(settings), check_only=check_only)


def _topic(settings: Settings, topic: str, *, check_only: bool) -> str:
    """Create the topic of new videos, with one partition, if it is missing."""
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        try:
            log.partitions(topic)
        except NoSuchTopic:
            if check_only:
                raise
            log.create_topic(topic, 1)
            return f"log: topic {topic!r} created, for new videos"
    return f"log: topic {topic!r} exists, for new videos"


def servers(settings: Settings) -> dict[str, str]:
    """Return the URL of the queue, empty if the catalogue is the queue."""
    return {"queue": settings.part(VideoSettings).queue_url}


def topics(settings: Settings) -> list[str]:
    """Return the topic that new videos are announced on."""
    return [videos_topic(settings)]


def known_names(settings: Settings, _: ObjectStore | None) -> NamesPart:
    """Return a test for sources of uploaded videos, which may be too many to list."""

    def is_source(source: str) -> bool:
        with catalogue_to_look(settings) as catalogue:
            return bool(catalogue.videos(VideoQuestion(sources=(source,), limit=1)).total)

    return NamesPart(is_source=is_source)


_SETTLED: tuple[VideoState, ...] = ("ready", "failed")


def members(settings: Settings, options: MemberOptions) -> list[MembersPart]:
    """Return the workers, detectors and counters; `serve` starts none if 0 workers are set."""
    workers = settings.part(VideoSettings).video_workers
    return [
        MembersPart(
            [
                command("work", settings, "--workers", options.workers or max(1, workers)),
                command("consume", settings),
                counting(settings, options),
            ],
            partial(_videos_waiting, settings) if workers else None,
        )
    ]


@contextmanager
def _videos_waiting(settings: Settings) -> Iterator[Callable[[], bool]]:
    last_version = ""
    with catalogue_to_look(settings) as catalogue:

        def look() -> bool:
            nonlocal last_version
            version = catalogue.version()
            is_waiting = version != last_version and bool(catalogue.states().keys() - set(_SETTLED))
            last_version = version
            return is_waiting

        yield look


def must_open(settings: Settings) -> None:
    """Check that the catalogue and the queue open, or are just not available now. Raises `Misconfigured`."""
    with (
        suppress(Retryable),
        catalogue_of(settings) as catalogue,
        closing(queue_of(settings, catalogue)),
    ):
        pass


@contextmanager
def serving(ports: Ports, _: MemberOptions) -> Iterator[dict[str, Any]]:
    """Open the catalogue for a dashboard, and announce its queued jobs on the queue."""
    with opened_once(lambda: catalogue_to_look(ports.settings)) as opening:
        catalogue = wait_for(opening)
        with telling(ports.settings, catalogue, lambda line: click.echo(line, err=True)):
            yield {"catalogue": catalogue}
