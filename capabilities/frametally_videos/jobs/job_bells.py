"""Announces due jobs to workers when they are queued, and again if an announcement is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from frametally.errors import FrametallyError, Retryable
from frametally.process.retrying import Backoff, OnceAMinute, back_again, record_outages
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import MOST_LOSSES, Job
from frametally_videos.catalogue_by_url import queue_of
from frametally_videos.queues.task_queue import QUEUES, BookQueue, kinds_of, take_over

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

_AGAIN_AFTER_S = 60.0
"""Unclaimed time after which a job is announced again: the queue may have lost it."""
_AT_ONCE = 100


def worn_out(job: Job) -> str:
    """Return the reason for giving up a job that keeps losing its workers."""
    return (
        f"The worker was killed {job.losses} times while it worked on it. Find out why (the machine may "
        "have too little memory), then try again."
    )


def tell_due(catalogue: VideoCatalogue, queue: BookQueue) -> None:
    """Announce every waiting job on the queue, each once a minute.

    Raises:
        Retryable: The catalogue or the queue is not available.
        Misconfigured: The queue denies access.
    """
    queue.prepare()  # first: `take_due` notes the jobs as announced
    while jobs := catalogue.take_due(limit=_AT_ONCE, again_after_s=_AGAIN_AFTER_S):
        queue.tell(jobs)


def give_up_dead(catalogue: VideoCatalogue, queue: BookQueue, settings: Settings) -> None:
    """Fail the jobs that the queue no longer announces, if they have lost as many workers as allowed.

    Other jobs continue when their lease ends, since a queue also counts losses that are not the job's fault.

    Raises:
        Retryable: The catalogue or the queue is not available.
        Misconfigured: The queue denies access.
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
    """Within the block, announce this process's jobs at once and, every `every_s` if set, all queued jobs.

    A separate thread does so, so that a caller that queues a job neither waits for the queue nor fails with
    it. With `every_s`, it also fails dead jobs. If the catalogue itself is the queue, there is nothing to
    announce. `say` gets the reason for failures once a minute.

    Raises:
        Misconfigured: The queue's URL is not valid.
    """
    with closing(queue_of(settings, catalogue)) as queue:
        if not queue.is_told:
            yield
            return
        bell, stop = threading.Event(), threading.Event()

        def tell_once(*, is_away: bool) -> None:
            tell_due(catalogue, queue)
            if every_s is not None:
                give_up_dead(catalogue, queue, settings)
            if is_away:
                queue.prepare()  # perhaps nothing was due, so the queue was not asked

        def tell_all() -> None:
            once_a_minute, backoff, away_part = OnceAMinute(say), Backoff(), ""
            while True:
                bell.wait(every_s)
                bell.clear()
                try:
                    record_outages("announcing jobs", partial(tell_once, is_away=bool(away_part)))
                    backoff.reset()
                    once_a_minute.over(back_again(away_part))
                    away_part = ""
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
