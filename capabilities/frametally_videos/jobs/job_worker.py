"""Does the waiting jobs of videos for `frametally work`, in as many processes as you choose.

A worker claims each job by a lease and renews it. If the worker dies, its job's process dies with it; once
the lease ends or the queue notices, another worker continues the job. Each round also finishes uploads that a
kill interrupted.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.files.temporary import remove_abandoned
from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import GivenUp, OnceAMinute, Patience, back_again, record_outages
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import MOST_LOSSES, WORKER_LOST, Job, JobQuestion
from frametally_videos.jobs.announced_medium import GONE_WITHIN_S
from frametally_videos.jobs.attempt import Attempt
from frametally_videos.jobs.job_bells import telling, worn_out
from frametally_videos.jobs.job_results import take_in
from frametally_videos.jobs.job_steps import JobWord
from frametally_videos.jobs.waiting import waiting_lines
from frametally_videos.library.retention import remove_screened_original
from frametally_videos.library.video_looks import inspect
from frametally_videos.queues.task_queue import SHORT_QUEUES, BookQueue, JobConsumer, QueueName, kinds_of
from frametally_videos.uploads.acceptance import Acceptance, UploadSettler
from frametally_videos.uploads.receiving import UploadPorts

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

T = TypeVar("T")

_LOOK_EVERY_S, _ROUND_EVERY_S = 0.25, 1.0
_PAUSES_S = (5.0, 30.0, 120.0, 600.0)
"""Pauses before a failed job is tried again; the last one is repeated."""
_AWAY_S = 5.0
_SERVER_AWAY_S = 15.0
"""Pause before another attempt at a job whose server was not available; other jobs run in the meantime."""
ATTEMPTS = 5
"""Attempts before a job fails permanently."""


class WorkReport(NamedTuple):
    """The result of a call: the number of jobs done, and one line for each that failed permanently."""

    done: int
    failed: list[str]


def _worker_prefix() -> str:
    """Return the beginning of the names of this process's workers."""
    return f"{socket.gethostname()}-{os.getpid()}-"


@dataclass
class JobWorker:
    """Does waiting jobs of videos; waits while the store, the catalogue or the queue is not available.

    Attributes:
        settings: The settings of this process, which each job shares.
        queues: The queues whose jobs are done.
        say: Gets a line for each job, and for each wait.
        should_stop: Once true, running jobs finish their current step, and no new ones start.
        each_round: Called every round, at most some seconds apart.
    """

    settings: Settings
    store: ObjectStore
    catalogue: VideoCatalogue
    queue: BookQueue
    queues: Sequence[QueueName]
    say: Callable[[str], None]
    should_stop: Callable[[], bool]
    each_round: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self._patience = Patience(self.say, self.should_stop)
        self._done = 0
        self._failed: list[str] = []
        self._ending, self._job_ended = threading.Event(), threading.Event()
        self._counting = threading.Lock()

    def work(self, workers: int, *, until_done: bool) -> WorkReport:
        """Do up to `workers` jobs at once until `should_stop` or, with `until_done`, until no job waits.

        One more worker does only short jobs, if the queues have short and long ones.

        Raises:
            Misconfigured: The queue denies access.
        """
        remove_abandoned(self.settings.data_dir)
        try:
            self._ask(self.queue.prepare, "queue")
        except GivenUp:
            return WorkReport(0, [])
        short = [queue for queue in self.queues if queue in SHORT_QUEUES]
        shares = [self.queues] * workers + ([short] if 0 < len(short) < len(self.queues) else [])
        threads = [
            threading.Thread(target=self._work, args=(f"{_worker_prefix()}{number}", queues))
            for number, queues in enumerate(shares)
        ]
        with telling(self.settings, self.catalogue, self.say, every_s=_ROUND_EVERY_S):
            for thread in threads:
                thread.start()
            try:
                self._go_round(until_done)
            except GivenUp:
                pass
            finally:
                self._ending.set()
                for thread in threads:
                    thread.join()
        return WorkReport(self._done, self._failed)

    def _ask(self, action: Callable[[], T], part: str = "jobs") -> T:
        """Repeat an action until the catalogue or the queue is available. Raises `GivenUp` after a stop."""
        return self._patience.until_done(part, action)

    def _go_round(self, until_done: bool) -> None:
        """Settle uploads and call `each_round` until it is time to end."""
        ports = UploadPorts(self.settings, self.store, self.catalogue, inspect)
        settler = UploadSettler(Acceptance(ports), self.say)
        once_a_minute, say_waits = OnceAMinute(self.say), OnceAMinute(self.say)
        away_parts: set[str] = set()

        def work_once() -> None:
            settler.settle()
            self.each_round()

        if until_done:
            self._ask(lambda: settler.settle(patiently=False))
        while not self._patience.stopping:
            # Before the round, which notes the last job's results, and may queue further jobs.
            self._job_ended.clear()
            is_done = until_done and self._ask(self._is_done)
            try:
                record_outages("round of the worker", work_once)
                for part in away_parts:  # each was asked again in this round
                    once_a_minute.over(back_again(part), part)
                away_parts.clear()
            except Retryable as error:
                away_parts.add(error.part)
                once_a_minute(error.part, f"waiting, then trying again: {error}")
            except FrametallyError as error:
                once_a_minute("round", str(error))
            if is_done and self._ask(self._is_done):
                break
            if until_done:
                self._say_waits(say_waits)
            self._patience.pause(_ROUND_EVERY_S, self._job_ended.is_set if until_done else None)

    def _say_waits(self, say: OnceAMinute) -> None:
        """Say which jobs have to wait, and which ones another process has."""
        kinds, own_prefix = kinds_of(self.queues), _worker_prefix()
        for job_id, line in self._ask(lambda: waiting_lines(self.catalogue, kinds, own_prefix=own_prefix)):
            say(job_id, line)

    def _is_done(self) -> bool:
        question = JobQuestion(kinds=kinds_of(self.queues), states=("queued", "running"), limit=1)
        return not self.catalogue.find_jobs(question).jobs

    def _work(self, name: str, queues: Sequence[QueueName]) -> None:
        """Do one job of these queues after another."""
        lease_s = self.settings.job_lease_s
        with closing(self.queue.consumer(queues)) as consumer:
            while not (self._ending.is_set() or self._patience.stopping):
                try:
                    take = partial(consumer.take, name, lease_s=lease_s, wait_s=_LOOK_EVERY_S)
                    job = self._ask(take, "queue")
                    if job is not None:
                        self._do(consumer, job)
                        consumer.settle()
                        self._job_ended.set()
                except Misconfigured as error:
                    self._patience.say_once_a_minute("jobs", str(error))
                    self._patience.pause(_AWAY_S)
                except GivenUp:
                    return

    def _do(self, consumer: JobConsumer, job: Job) -> None:
        """Do a claimed job, and note the result."""
        row = self._ask(lambda: self.catalogue.video(job.video_id))
        name = row.record.name if row else job.video_id
        if job.losses > MOST_LOSSES:
            self._fail(job, name, worn_out(job), counts=False)
            return
        if job.reason == WORKER_LOST:
            pause_s = _PAUSES_S[min(job.losses, len(_PAUSES_S)) - 1]
            self._put_back(job, WORKER_LOST, pause_s)
            self.say(f"{name}: {job.kind}: its worker was lost; trying again in {pause_s:.0f} s")
            return
        if job.kind == "removal" and self._was_at_work(job):
            time.sleep(GONE_WITHIN_S)
        attempt = Attempt(
            job,
            settings=self.settings,
            store=self.store,
            renew=lambda progress: self.catalogue.renew(
                job, lease_s=self.settings.job_lease_s, progress=progress
            ),
            keep=consumer.keep,
            say=lambda line: self.say(f"{name}: {job.kind}: {line}"),
        )
        word = attempt.run(self.should_stop)
        if word is not None:
            self._note(job, word, name)

    def _was_at_work(self, job: Job) -> bool:
        video_jobs = self._ask(lambda: self.catalogue.jobs(job.video_id))
        return any(other.state == "cancelled" and other.started_at_ms is not None for other in video_jobs)

    def _note(self, job: Job, word: JobWord, name: str) -> None:
        catalogue, reason = self.catalogue, word.reason or "the job gave no reason"
        if word.end == "done":
            self._ask(
                lambda: take_in(self.settings, self.store, catalogue, job.video_id, job.kind, word.artifacts)
            )
            if job.kind == "removal" or self._ask(lambda: catalogue.end(job, "done")):
                self.say(f"{name}: {job.kind}: done")
                with self._counting:
                    self._done += 1
                if job.kind != "removal":
                    self._let_go_of_original(job, name)
        elif word.end == "stopped":
            self._put_back(job, None, 0.0)
        elif word.end == "later":
            self._put_back(job, reason, _SERVER_AWAY_S)
            self._patience.say_once_a_minute(
                f"{name}: {job.kind}", f"{name}: {job.kind}: waiting, then trying again: {reason}"
            )
        elif word.end == "again" and job.attempts < ATTEMPTS:
            pause_s = _PAUSES_S[min(job.attempts, len(_PAUSES_S)) - 1]
            self._ask(lambda: catalogue.end(job, "queued", reason=reason, again_after_s=pause_s))
            self.say(f"{name}: {job.kind}: {reason}; trying again in {pause_s:.0f} s")
        else:
            self._fail(job, name, reason)

    def _let_go_of_original(self, job: Job, name: str) -> None:
        try:
            is_removed = self._ask(
                lambda: remove_screened_original(self.settings, self.store, self.catalogue, job.video_id)
            )
        except FrametallyError as error:
            self.say(f"{name}: its original stays: {error}")
        else:
            if is_removed:
                self.say(f"{name}: its original was deleted, as the policy of its source says")

    def _put_back(self, job: Job, reason: str | None, pause_s: float) -> None:
        """Queue a job again without counting this attempt."""
        self._ask(
            lambda: self.catalogue.end(job, "queued", reason=reason, again_after_s=pause_s, counts=False)
        )

    def _fail(self, job: Job, name: str, reason: str, *, counts: bool = True) -> None:
        """Note that a job has failed permanently, unless another worker has it."""
        if self._ask(lambda: self.catalogue.end(job, "failed", reason=reason, counts=counts)):
            failure = f"{name}: {job.kind} failed: {reason}"
            self._failed.append(failure)
            self.say(failure)
