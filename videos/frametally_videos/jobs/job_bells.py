"""Workers are told what is due: at once by whoever queued it, and again, whatever was lost, by workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from frametally.errors import FrametallyError, Retryable
from frametally.process.retrying import Backoff, OnceAMinute
from frametally.settings.loading import Settings
from frametally_videos.jobs.takeover import take_over
from frametally_videos.opening import open_task_queue
from frametally_videos.ports.job_book import MOST_LOSSES, Job
from frametally_videos.ports.task_queue import QUEUES, TaskQueue, kinds_of
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.settings import VideoSettings

_AGAIN_AFTER_S = 60.0
"""What is told and not claimed for so long is told again: the queue may have lost it."""
_AT_ONCE = 100


def worn_out(job: Job) -> str:
    """Return the reason why a job is tried no more, as it loses its workers."""
    return (
        f"The worker was killed {job.losses} times while it worked on it. Find out why (the machine may have "
        "too little memory), and then try again."
    )


def tell_due(catalogue: VideoCatalogue, queue: TaskQueue) -> None:
    """Tell the queue of every job that waits, each once a minute.

    Raises:
        Retryable: The catalogue or the queue is away for now.
        Misconfigured: The queue does not let us in.
    """
    queue.prepare()  # first: the book notes whom it has told of, and here nobody could be told
    while jobs := catalogue.due(limit=_AT_ONCE, again_after_s=_AGAIN_AFTER_S):
        queue.tell(jobs)


def give_up_dead(catalogue: VideoCatalogue, queue: TaskQueue, settings: Settings) -> None:
    """Fail the jobs that the queue tells nobody of any more, if they have lost as many workers as they may.

    Others' turn comes when their lease is over: a queue also counts what was not the job's fault.

    Raises:
        Retryable: The catalogue or the queue is away for now.
        Misconfigured: The queue does not let us in.
    """

    def give_up(job_id: str) -> None:
        there = catalogue.job(job_id)
        if there is None or there.losses < MOST_LOSSES:
            return
        job = take_over(
            catalogue,
            job_id,
            worker="dead letters",
            kinds=kinds_of(tuple(QUEUES)),
            lease_s=settings.part(VideoSettings).job_lease_s,
        )
        if job is not None:
            catalogue.end(job, "failed", reason=worn_out(job), counts=False)

    queue.drain(give_up)


@contextmanager
def telling(
    settings: Settings, catalogue: VideoCatalogue, say: Callable[[str], None], *, every_s: float | None = None
) -> Iterator[None]:
    """While it lasts, tell the queue of whatever is queued by this process, at once; and of all, `every_s`.

    A thread of its own does it: nobody who queues a job waits for a queue, or fails because of it. Whoever
    tells of all also gives up what is dead.

    Args:
        settings: Name the queue; where it is the catalogue itself, nothing has to be told.
        catalogue: Whose jobs these are.
        say: Is told once a minute why it cannot be done.
        every_s: None: only what this process queues.

    Raises:
        Misconfigured: The queue's URL is none.
    """
    with closing(
        open_task_queue(
            settings.part(VideoSettings).queue_url, catalogue, settings.part(VideoSettings).queue_access
        )
    ) as queue:
        if not queue.is_told:
            yield
            return
        bell, stop = threading.Event(), threading.Event()

        def tell_once() -> None:
            tell_due(catalogue, queue)
            if every_s is not None:
                give_up_dead(catalogue, queue, settings)

        def tell_all() -> None:
            once_a_minute, backoff = OnceAMinute(say), Backoff()
            while True:
                bell.wait(every_s)
                bell.clear()
                try:
                    tell_once()
                    backoff.reset()
                except FrametallyError as error:
                    waiting = "waiting, and trying again: " if isinstance(error, Retryable) else ""
                    once_a_minute("queue", f"{waiting}{error}")
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
