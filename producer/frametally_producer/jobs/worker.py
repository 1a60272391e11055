"""`frametally work`: what waits to be done to videos is done, by as many processes as are asked for.

Each job is claimed by a lease that its worker keeps; a worker that dies takes its job's process with it, and
once the lease is over another does it again, from where it was. Beside that, what a kill left of uploads is
settled, every round.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from frametally.errors import FrametallyError, Retryable
from frametally.ports.object_store import ObjectStore
from frametally.ports.video_catalogue import Job, JobKind, Preview, VideoCatalogue
from frametally.process.retrying import GivenUp, OnceAMinute, Patience
from frametally.settings.loading import Settings
from frametally.videos.acceptance import Acceptance, UploadSettler, read_video
from frametally.videos.inspection import inspect
from frametally.videos.receiving import UploadPorts
from frametally_producer.jobs.attempt import Attempt
from frametally_producer.jobs.messages import JobWord

T = TypeVar("T")

KINDS: tuple[JobKind, ...] = ("removal", "frames", "previews")
_LOOK_EVERY_S, _ROUND_EVERY_S = 0.25, 1.0
_PAUSES_S = (5.0, 30.0, 120.0, 600.0)
"""Before a job that failed is tried again; the last holds for all that follow."""
_AWAY_S = 5.0
_GONE_WITHIN_S = 3.0
"""After it was cancelled, a job's process is killed within that: nothing it writes comes behind a removal."""
_MOST_LOOKED_AT = 1000


class WorkReport(NamedTuple):
    """What a call did: jobs that came to their end, and one line for each that failed for good."""

    done: int
    failed: list[str]


class _Bench:
    """What the threads of one call share."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        catalogue: VideoCatalogue,
        say: Callable[[str], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self.settings = settings
        self.store = store
        self.catalogue = catalogue
        self.say = say
        self.should_stop = should_stop
        self.patience = Patience(say, should_stop)
        self.done = 0
        self.failed: list[str] = []
        self.at_work = 0
        self.ending = threading.Event()
        self._counting = threading.Lock()

    def ask(self, action: Callable[[], T]) -> T:
        """Ask the catalogue, for as long as it is away. Raises `GivenUp` where a stop was asked for."""
        return self.patience.until_done("the video catalogue", action)

    def begin(self) -> None:
        with self._counting:
            self.at_work += 1

    def end(self, *, done: bool, failure: str | None) -> None:
        with self._counting:
            self.at_work -= 1
            self.done += done
            if failure is not None:
                self.failed.append(failure)


def work(
    *,
    settings: Settings,
    store: ObjectStore,
    catalogue: VideoCatalogue,
    workers: int,
    until_done: bool,
    say: Callable[[str], None],
    should_stop: Callable[[], bool],
    each_round: Callable[[], object] = lambda: None,
) -> WorkReport:
    """Do what waits to be done to videos, until `should_stop`, or `until_done` until nothing waits any more.

    A store or a catalogue that is away is waited for.

    Args:
        settings: Of this process; each job has the same.
        store: Where the videos are.
        catalogue: Whose jobs are done; threads share it.
        workers: How many jobs are at work at once.
        until_done: End when all jobs have come to their end.
        say: Is told a line for each job, and what is waited for.
        should_stop: Once true, what is in hand is finished, the rest left.
        each_round: Is called every round, some seconds apart at most.
    """
    bench = _Bench(settings, store, catalogue, say, should_stop)
    settler = UploadSettler(Acceptance(UploadPorts(settings, store, catalogue, inspect)), say)
    threads = [
        threading.Thread(target=_work, args=(bench, f"{socket.gethostname()}-{os.getpid()}-{number}"))
        for number in range(workers)
    ]
    for thread in threads:
        thread.start()
    once_a_minute = OnceAMinute(say)
    try:
        if until_done:
            bench.ask(lambda: settler.settle(patiently=False))
        while not bench.patience.stopping:
            try:
                settler.settle()
                each_round()
            except Retryable as error:
                once_a_minute("round", f"waiting, and trying again: {error}")
            except FrametallyError as error:
                once_a_minute("round", str(error))
            if until_done and not bench.at_work and bench.ask(lambda: _is_done(catalogue)):
                break
            bench.patience.pause(_ROUND_EVERY_S)
    except GivenUp:
        pass
    finally:
        bench.ending.set()
        for thread in threads:
            thread.join()
    return WorkReport(bench.done, bench.failed)


def _is_done(catalogue: VideoCatalogue) -> bool:
    return not any(
        job.state in ("queued", "running")
        for row in catalogue.unsettled(_MOST_LOOKED_AT)
        for job in catalogue.jobs(row.record.id)
    )


def _work(bench: _Bench, name: str) -> None:
    """Claim one job after the other."""
    while not (bench.ending.is_set() or bench.patience.stopping):
        # Counted before it is claimed: between both, nobody else sees that there is something to do.
        bench.begin()
        done, failure = False, None
        try:
            job = bench.ask(lambda: bench.catalogue.claim(name, KINDS, lease_s=bench.settings.job_lease_s))
            if job is not None:
                done, failure = _do(bench, job)
        except GivenUp:
            return
        finally:
            bench.end(done=done, failure=failure)
        if job is None:
            bench.ending.wait(_LOOK_EVERY_S)


def _do(bench: _Bench, job: Job) -> tuple[bool, str | None]:
    """Do a job that was claimed; return whether it is done, and a line where it has failed for good."""
    row = bench.ask(lambda: bench.catalogue.video(job.video_id))
    name = row.record.name if row else job.video_id
    if job.kind == "removal" and _was_at_work(bench, job):
        time.sleep(_GONE_WITHIN_S)
    attempt = Attempt(
        job,
        settings=bench.settings,
        catalogue=bench.catalogue,
        say=lambda line: bench.say(f"{name}: {job.kind}: {line}"),
    )
    word = attempt.run(bench.should_stop)
    if word is None:
        return False, None
    return _note(bench, job, word, name)


def _was_at_work(bench: _Bench, job: Job) -> bool:
    others = bench.ask(lambda: bench.catalogue.jobs(job.video_id))
    return any(other.state == "cancelled" and other.started_at_ms is not None for other in others)


def _note(bench: _Bench, job: Job, word: JobWord, name: str) -> tuple[bool, str | None]:
    """Note how an attempt ended."""
    catalogue, failure = bench.catalogue, None
    if word.end == "done":
        bench.ask(lambda: _take_in(bench, job, word))
        ended = job.kind == "removal" or bench.ask(lambda: catalogue.end(job, "done"))
        if ended:
            bench.say(f"{name}: {job.kind}: done")
        return ended, None
    if word.end == "stopped":
        bench.ask(lambda: catalogue.end(job, "queued", counts=False))
        return False, None
    reason = word.reason or "no reason was told"
    if word.end == "later":
        bench.ask(lambda: catalogue.end(job, "queued", reason=reason, again_after_s=_AWAY_S, counts=False))
    elif word.end == "again" and job.attempts < bench.settings.job_attempts:
        pause_s = _PAUSES_S[min(job.attempts, len(_PAUSES_S)) - 1]
        bench.ask(lambda: catalogue.end(job, "queued", reason=reason, again_after_s=pause_s))
        bench.say(f"{name}: {job.kind}: {reason}; it is tried again in {pause_s:.0f} s")
    elif bench.ask(lambda: catalogue.end(job, "failed", reason=reason)):
        failure = f"{name}: {job.kind} failed: {reason}"
        bench.say(failure)
    return False, failure


def _take_in(bench: _Bench, job: Job, word: JobWord) -> None:
    """Bring the catalogue up to what a job has made in the store."""
    catalogue, store = bench.catalogue, bench.store
    if job.kind == "removal":
        catalogue.remove_video(job.video_id)
    elif job.kind == "previews":
        made = [Preview(one.kind, one.key, one.content_type, one.size_bytes) for one in word.previews]
        catalogue.set_previews(job.video_id, made)
    else:
        record = read_video(store, job.video_id)
        info = store.head(record.key) if record else None
        if record is not None and info is not None:
            catalogue.put_video(record, info.version)
