"""The book of what is done to videos: who is at which job, by leases that the database's own clock ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

JobKind = Literal["frames", "previews", "metadata", "checks", "playable", "enhance", "gold", "removal"]
"""Makes frames as the record says (source, time); makes poster and sprite; finds out all that its bytes tell;
checks its pictures; makes what browsers play; makes what is better to look at, as its options say; brings it
to the gold tables; removes all of the video."""

JobState = Literal["queued", "running", "done", "failed", "cancelled"]

WORKER_LOST = "Its worker was lost with it."
"""Reason of a job that was claimed from a worker which has said nothing for as long as its lease."""

MOST_LOSSES = 20
"""Workers that a job may lose before it fails: some are lost for what is no video's fault, but a video that
kills each of its workers must not do so for ever."""

SILENT_S = 0.8
"""Workers renew a lease every second, and five times as often once they have lost the queue: who has lost it,
and has said nothing for so long, is gone, or stands still."""


class Job(NamedTuple):
    """One thing to be done to a video; of one video, kind and options, at most one is not ended.

    Attributes:
        options: Of `enhance` an `Enhancement` as JSON, as msgspec writes it; else empty.
        attempts: How often it was begun, without those that ended with a lost worker.
        losses: How many workers were lost while they had it, since it was queued.
        generation: Rises with every claim; a worker whose generation is over writes nothing any more.
        worker: Who holds it; empty: nobody.
        progress: 0 to 1; None where it cannot be told.
        reason: Why it failed, or waits to be tried again.
    """

    id: str
    video_id: str
    kind: JobKind
    state: JobState
    options: str = ""
    attempts: int = 0
    generation: int = 0
    worker: str = ""
    progress: float | None = None
    reason: str | None = None
    created_at_ms: int = 0
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    losses: int = 0


class JobQuestion(NamedTuple):
    """Which jobs are asked for, the newest first.

    Attributes:
        video_id: Of one video; empty: of all.
        client_id: Of the videos of one client; empty: of everybody's.
        kinds: Empty: all.
        states: Empty: all.
        limit: Most in a page.
        before: `next` of the page before; 0: the first.
    """

    video_id: str = ""
    client_id: str = ""
    kinds: tuple[JobKind, ...] = ()
    states: tuple[JobState, ...] = ()
    limit: int = 50
    before: int = 0


class JobPage(NamedTuple):
    """One page; `next` is 0 at the end."""

    jobs: list[Job]
    next: int


class Failures(NamedTuple):
    """The jobs of one kind that have failed and were not begun anew since: how many, and since when.

    `since_ms` is when the first of them failed, by the database's clock.
    """

    jobs: int
    since_ms: int


class JobBook(Protocol):
    """What every video catalogue does with jobs. All methods may raise `Retryable`."""

    def on_queued(self, tell: Callable[[], object]) -> None:
        """Call `tell` whenever a job was queued through this object; it must return at once."""

    def queue(self, video_id: str, kind: JobKind, options: str = "") -> Job:
        """Return the job of that kind and options that is not ended; without one, a new one."""

    def claim(
        self,
        worker: str,
        kinds: Sequence[JobKind],
        *,
        lease_s: float,
        job_id: str | None = None,
        take_over: bool = False,
    ) -> Job | None:
        """Give `worker` the job that has waited longest, or whose lease is over; None: there is none.

        Of several that ask at once, exactly one gets a job.

        Args:
            worker: Who asks.
            kinds: Only of these.
            lease_s: How long it is kept without a word.
            job_id: Only this one.
            take_over: Whether that one is given before its lease is over, where its holder, whose lease is
                as long, has said nothing for `SILENT_S`.
        """

    def renew(self, job: Job, *, lease_s: float, progress: float | None = None) -> bool:
        """Keep a claimed job; False: it is another's by now, or was cancelled, and must be left."""

    def end(
        self,
        job: Job,
        state: Literal["done", "failed", "queued"],
        *,
        reason: str | None = None,
        again_after_s: float = 0.0,
        counts: bool = True,
    ) -> bool:
        """End a claimed job, or queue it again after a while; False: it is another's by now.

        Without `counts` this attempt is not counted: what it waited for was away.
        """

    def give_up(self, job_id: str, reason: str) -> bool:
        """Fail a job that is not ended, whoever holds it; False: there is none such."""

    def due(self, *, limit: int, again_after_s: float) -> list[Job]:
        """Return jobs that wait to be claimed and were not returned here since they do, or not for so long.

        Of several that ask at once, one is told of each job: so a queue gets it once.
        """

    def retry(self, video_id: str) -> list[Job]:
        """Queue the failed jobs of a video once more, with their attempts forgotten; return them."""

    def retry_job(self, job_id: str) -> Job | None:
        """Queue a failed or cancelled job once more, with its attempts forgotten.

        Returns:
            How it stands then: as it was, if it is neither failed nor cancelled, or another like it is not
            ended; None if there is none.
        """

    def cancel_job(self, job_id: str) -> Job | None:
        """Cancel a job, unless it is ended; return how it stands then, None if there is none."""

    def cancel_jobs(self, video_id: str) -> None:
        """Cancel every job of a video that is not ended."""

    def job(self, job_id: str) -> Job | None:
        """Return a job; None if there is none."""

    def jobs(self, video_id: str) -> list[Job]:
        """Return all jobs of a video, the newest of each kind last."""

    def find_jobs(self, question: JobQuestion) -> JobPage:
        """Return a page of jobs."""

    def job_states(self) -> dict[JobState, int]:
        """Return how many jobs there are in each state that has some."""

    def job_counts(self) -> dict[JobKind, dict[JobState, int]]:
        """Return how many jobs there are of each kind, by each state that has some."""

    def failures(self) -> dict[JobKind, Failures]:
        """Return which kinds of jobs have failed, and since when."""
