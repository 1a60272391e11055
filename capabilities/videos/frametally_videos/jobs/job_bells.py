"""Announces due jobs to workers: at once when queued, and again if an announcement was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from frametally.errors import FrametallyError, Retryable
from frametally.process.retrying import Backoff, OnceAMinute, back_again
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import MOST_LOSSES, Job
from frametally_videos.opening import queue_of
from frametally_videos.queues.task_queue import QUEUES, BookQueue, kinds_of, take_over

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

_AGAIN_AFTER_S = 60.0
"""Unclaimed time after which a job is announced again: the queue may have lost it."""
_AT_ONCE = 100


def worn_out(job: Job) -> str:
    """Return the reason why a job is tried no more, as it loses its workers."""
    return (
        f"The worker was killed {job.losses} times while it worked on it. Find out why (the machine may "
        "have too little memory), then try again."
    )


def tell_due(catalogue: VideoCatalogue, queue: BookQueue) -> None:
    """Tell the queue of every job that waits, each once a minute.

    Raises:
        Retryable: The catalogue or the queue is not available.
        Misconfigured: The queue does not let us in.
    """
    queue.prepare()  # first: the book notes the announcement, and without a queue there is none
    while jobs := catalogue.take_due(limit=_AT_ONCE, again_after_s=_AGAIN_AFTER_S):
        queue.tell(jobs)


def give_up_dead(catalogue: VideoCatalogue, queue: BookQueue, settings: Settings) -> None:
    """Fail the jobs that the queue announces no more, if they have lost as many workers as they may.

    Others' turn comes when their lease is over: a queue also counts what was not the job's fault.

    Raises:
        Retryable: The catalogue or the queue is not available.
        Misconfigured: The queue does not let us in.
    """

    def give_up(job_id: str) -> None:
        dead_job = catalogue.job(job_id)
        if dead_job is None or dead_job.losses < MOST_LOSSES:
            return
        job = take_over(
            catalogue,
            job_id,
            worker="dead letters",
            kinds=kinds_of(tuple(QUEUES)),
            lease_s=settings.job_lease_s,
        )
        if job is not None:
            catalogue.end(job, "failed", reason=worn_out(job), counts=False)

    queue.drain(give_up)


@contextmanager
def telling(
    settings: Settings, catalogue: VideoCatalogue, say: Callable[[str], None], *, every_s: float | None = None
) -> Iterator[None]:
    """Announce jobs that this process queues at once, and all queued jobs every `every_s`, while it lasts.

    It runs in a thread of its own: a caller that queues a job never waits for a queue, nor fails because of
    it. A process that announces all jobs also fails the dead ones.

    If the catalogue itself is the queue, there is nothing to announce; `every_s` None: only jobs queued by
    this process. Once a minute `say` gets the reason why it fails.

    Raises:
            Misconfigured: The queue's URL is not valid.
    """
    with closing(queue_of(settings, catalogue)) as queue:
        if not queue.is_told:
            yield
            return
        bell, stop = threading.Event(), threading.Event()

        def tell_once() -> None:
            tell_due(catalogue, queue)
            if every_s is not None:
                give_up_dead(catalogue, queue, settings)

        def tell_all() -> None:
            once_a_minute, backoff, away_part = OnceAMinute(say), Backoff(), ""
            while True:
                bell.wait(every_s)
                bell.clear()
                try:
                    tell_once()
                    backoff.reset()
                    once_a_minute.over(back_again(away_part))
                except FrametallyError as error:
                    away_part = getattr(error, "part", "")
                    prefix = "waiting, then trying again: " if isinstance(error, Retryable) else ""
                    once_a_minute("queue", f"{prefix}{error}")
                    if not stop.wait(backoff.next_s()):
                        bell.set()
                if stop.is_set():
                    return

        thread = threading.Thread(target=tell_all, name="telling-of-jobs")
        catalogue.on_queued(bell.set)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            bell.set()
            thread.join()
