"""`frametally work`: does the waiting jobs of videos, in as many processes as you choose.

Each job is claimed by a lease that its worker keeps; a worker that dies takes its job's process with it, and
once the lease is over, or the queue has noticed, another does it again, from where it was. Beside that, what
a kill left of uploads is settled, every round.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import GivenUp, OnceAMinute, Patience
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import MOST_LOSSES, WORKER_LOST, Job, JobQuestion
from frametally_videos.derivatives.scratch import remove_left_behind
from frametally_videos.jobs.announced_medium import GONE_WITHIN_S
from frametally_videos.jobs.attempt import Attempt
from frametally_videos.jobs.job_bells import telling, worn_out
from frametally_videos.jobs.job_results import take_in
from frametally_videos.jobs.job_steps import JobWord
from frametally_videos.library.video_looks import inspect
from frametally_videos.queues.task_queue import BookQueue, JobConsumer, QueueName, kinds_of
from frametally_videos.settings import VideoSettings
from frametally_videos.uploads.acceptance import Acceptance, UploadSettler
from frametally_videos.uploads.receiving import UploadPorts

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

T = TypeVar("T")

_LOOK_EVERY_S, _ROUND_EVERY_S = 0.25, 1.0
_PAUSES_S = (5.0, 30.0, 120.0, 600.0)
"""Before a job that failed is tried again; the last holds for all that follow."""
_AWAY_S = 5.0


class WorkReport(NamedTuple):
    """Result of a call: jobs that ended, and one line for each that failed permanently."""

    done: int
    failed: list[str]


@dataclass
class _Bench:
    """What the threads of one call share."""

    settings: Settings
    store: ObjectStore
    catalogue: VideoCatalogue
    queue: BookQueue
    queues: Sequence[QueueName]
    say: Callable[[str], None]
    should_stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self.of_videos = self.settings.part(VideoSettings)
        self.patience = Patience(self.say, self.should_stop)
        self.done = 0
        self.failed: list[str] = []
        self.ending = threading.Event()
        self._counting = threading.Lock()

    def ask(self, action: Callable[[], T]) -> T:
        """Ask the catalogue or the queue until it answers. Raises `GivenUp` after a stop."""
        return self.patience.until_done("jobs", action)

    def count(self, *, done: bool, failure: str | None) -> None:
        with self._counting:
            self.done += done
            if failure is not None:
                self.failed.append(failure)


def work(
    *,
    settings: Settings,
    store: ObjectStore,
    catalogue: VideoCatalogue,
    queue: BookQueue,
    queues: Sequence[QueueName],
    workers: int,
    until_done: bool,
    say: Callable[[str], None],
    should_stop: Callable[[], bool],
    each_round: Callable[[], object] = lambda: None,
) -> WorkReport:
    """Do waiting jobs of videos, until `should_stop`, or with `until_done` until none waits.

    It waits for a store, a catalogue or a queue that is not available.

    Args:
        settings: Of this process; each job has the same.
        store: Where the videos are.
        catalogue: Whose jobs are done; threads share it.
        queue: Announces the jobs.
        queues: Only jobs of these are done.
        workers: How many jobs run at once.
        until_done: End when all these jobs have ended.
        say: Gets a line for each job, and for each wait.
        should_stop: Once true, running jobs are finished, the rest is left.
        each_round: Is called every round, some seconds apart at most.

    Raises:
        Misconfigured: The queue does not let us in.
    """
    remove_left_behind(settings)
    bench = _Bench(settings, store, catalogue, queue, queues, say, should_stop)
    try:
        bench.ask(queue.prepare)
    except GivenUp:
        return WorkReport(0, [])
    threads = [
        threading.Thread(target=_work, args=(bench, f"{socket.gethostname()}-{os.getpid()}-{number}"))
        for number in range(workers)
    ]
    with telling(settings, catalogue, say, every_s=_ROUND_EVERY_S):
        for thread in threads:
            thread.start()
        try:
            _go_round(bench, until_done, each_round)
        except GivenUp:
            pass
        finally:
            bench.ending.set()
            for thread in threads:
                thread.join()
    return WorkReport(bench.done, bench.failed)


def _go_round(bench: _Bench, until_done: bool, each_round: Callable[[], object]) -> None:
    """Settle uploads and do `each_round`, until it is time to end."""
    ports = UploadPorts(bench.settings, bench.store, bench.catalogue, inspect)
    settler = UploadSettler(Acceptance(ports), bench.say)
    once_a_minute = OnceAMinute(bench.say)
    if until_done:
        bench.ask(lambda: settler.settle(patiently=False))
    while not bench.patience.stopping:
        # Before the round: what it notes of the last job, and queues because of it, belongs to it.
        is_done = until_done and bench.ask(lambda: _is_done(bench))
        try:
            settler.settle()
            each_round()
        except Retryable as error:
            once_a_minute("round", f"waiting, and trying again: {error}")
        except FrametallyError as error:
            once_a_minute("round", str(error))
        if is_done and bench.ask(lambda: _is_done(bench)):
            break
        bench.patience.pause(_ROUND_EVERY_S)


def _is_done(bench: _Bench) -> bool:
    question = JobQuestion(kinds=kinds_of(bench.queues), states=("queued", "running"), limit=1)
    return not bench.catalogue.find_jobs(question).jobs


def _work(bench: _Bench, name: str) -> None:
    """Take one job after the other."""
    lease_s = bench.of_videos.job_lease_s
    with closing(bench.queue.consumer(bench.queues)) as consumer:
        while not (bench.ending.is_set() or bench.patience.stopping):
            try:
                job = bench.ask(lambda: consumer.take(name, lease_s=lease_s, wait_s=_LOOK_EVERY_S))
                if job is not None:
                    is_done, failure = _do(bench, consumer, job)
                    consumer.settle()
                    bench.count(done=is_done, failure=failure)
            except Misconfigured as error:
                bench.patience.say_once_a_minute("jobs", str(error))
                bench.patience.pause(_AWAY_S)
            except GivenUp:
                return


def _do(bench: _Bench, consumer: JobConsumer, job: Job) -> tuple[bool, str | None]:
    """Do a claimed job; return whether it is done, and a line if it has failed permanently."""
    row = bench.ask(lambda: bench.catalogue.video(job.video_id))
    name = row.record.name if row else job.video_id
    if job.losses > MOST_LOSSES:
        return False, _fail(bench, job, name, worn_out(job), counts=False)
    if job.reason == WORKER_LOST:
        pause_s = _PAUSES_S[min(job.losses, len(_PAUSES_S)) - 1]
        _put_back(bench, job, WORKER_LOST, pause_s)
        bench.say(f"{name}: {job.kind}: its worker was lost; it is tried again in {pause_s:.0f} s")
        return False, None
    if job.kind == "removal" and _was_at_work(bench, job):
        time.sleep(GONE_WITHIN_S)
    attempt = Attempt(
        job,
        settings=bench.settings,
        store=bench.store,
        renew=lambda progress: bench.catalogue.renew(
            job, lease_s=bench.of_videos.job_lease_s, progress=progress
        ),
        keep=consumer.keep,
        say=lambda line: bench.say(f"{name}: {job.kind}: {line}"),
    )
    word = attempt.run(bench.should_stop)
    if word is None:
        return False, None
    return _note(bench, job, word, name)


def _was_at_work(bench: _Bench, job: Job) -> bool:
    video_jobs = bench.ask(lambda: bench.catalogue.jobs(job.video_id))
    return any(
        job_of_video.state == "cancelled" and job_of_video.started_at_ms is not None
        for job_of_video in video_jobs
    )


def _note(bench: _Bench, job: Job, word: JobWord, name: str) -> tuple[bool, str | None]:
    """Note how an attempt ended."""
    catalogue = bench.catalogue
    if word.end == "done":
        bench.ask(
            lambda: take_in(bench.settings, bench.store, catalogue, job.video_id, job.kind, word.artifacts)
        )
        has_ended = job.kind == "removal" or bench.ask(lambda: catalogue.end(job, "done"))
        if has_ended:
            bench.say(f"{name}: {job.kind}: done")
        return has_ended, None
    if word.end == "stopped":
        _put_back(bench, job, None, 0.0)
        return False, None
    reason = word.reason or "the job gave no reason"
    if word.end == "later":
        _put_back(bench, job, reason, _AWAY_S)
    elif word.end == "again" and job.attempts < bench.of_videos.job_attempts:
        pause_s = _PAUSES_S[min(job.attempts, len(_PAUSES_S)) - 1]
        bench.ask(lambda: catalogue.end(job, "queued", reason=reason, again_after_s=pause_s))
        bench.say(f"{name}: {job.kind}: {reason}; it is tried again in {pause_s:.0f} s")
    else:
        return False, _fail(bench, job, name, reason)
    return False, None


def _put_back(bench: _Bench, job: Job, reason: str | None, pause_s: float) -> None:
    """Queue a job again, without counting this attempt."""
    bench.ask(lambda: bench.catalogue.end(job, "queued", reason=reason, again_after_s=pause_s, counts=False))


def _fail(bench: _Bench, job: Job, name: str, reason: str, *, counts: bool = True) -> str | None:
    """Note that a job has failed permanently; return the line about it, None if another worker has it."""
    if not bench.ask(lambda: bench.catalogue.end(job, "failed", reason=reason, counts=counts)):
        return None
    failure = f"{name}: {job.kind} failed: {reason}"
    bench.say(failure)
    return failure
