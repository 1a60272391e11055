"""The job book's part of the catalogue in a SQL database; see `jobs` for its statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from sqlalchemy import func, select

from frametally.adapters.sql.engine import SqlDatabase
from frametally_videos import tables
from frametally_videos.ports.job_book import Failures, Job, JobKind, JobPage, JobQuestion, JobState
from frametally_videos.sql import job_statements as jobs


class SqlJobBook:
    """Jobs in a database; see `JobBook`."""

    _database: SqlDatabase
    _tell: Callable[[], object] | None = None

    def on_queued(self, tell: Callable[[], object]) -> None:
        """Call `tell` whenever a job was queued through this object."""
        self._tell = tell

    def queue(self, video_id: str, kind: JobKind, options: str = "") -> Job:
        """Return the job of that kind and options that is not ended; without one, a new one."""
        with self._database.writing() as connection:
            job = jobs.queue(connection, video_id, kind, options)
        self._was_queued()
        return job

    def claim(
        self,
        worker: str,
        kinds: Sequence[JobKind],
        *,
        lease_s: float,
        job_id: str | None = None,
        take_over: bool = False,
    ) -> Job | None:
        """Give `worker` the job that has waited longest, or whose lease is over; see `JobBook.claim`."""
        silent_lease_s = lease_s if job_id and take_over else None
        # Workers ask often, and seldom is there something: whoever only looks is in no writer's way.
        with self._database.reading() as connection:
            if jobs.find_due(connection, kinds, job_id=job_id, silent_lease_s=silent_lease_s) is None:
                return None
        with self._database.writing() as connection:
            due = jobs.find_due(connection, kinds, job_id=job_id, silent_lease_s=silent_lease_s)
            return None if due is None else jobs.claim(connection, due, worker, lease_s)

    def renew(self, job: Job, *, lease_s: float, progress: float | None = None) -> bool:
        """Keep a claimed job; False: it is another's by now, or was cancelled, and must be left."""
        with self._database.writing() as connection:
            return jobs.renew(connection, job, lease_s, progress)

    def end(
        self,
        job: Job,
        state: Literal["done", "failed", "queued"],
        *,
        reason: str | None = None,
        again_after_s: float = 0.0,
        counts: bool = True,
    ) -> bool:
        """End a claimed job, or queue it again after a while; see `JobBook.end`."""
        with self._database.writing() as connection:
            return jobs.end(connection, job, state, reason, again_after_s, counts=counts)

    def give_up(self, job_id: str, reason: str) -> bool:
        """Fail a job that is not ended, whoever holds it; False: there is none such."""
        with self._database.writing() as connection:
            return jobs.give_up(connection, job_id, reason)

    def due(self, *, limit: int, again_after_s: float) -> list[Job]:
        """Return, once each, the jobs that wait to be claimed; see `JobBook.due`."""
        with self._database.reading() as connection:
            if not jobs.find_untold(connection, limit, again_after_s):
                return []
        with self._database.writing() as connection:
            return jobs.due(connection, limit, again_after_s)

    def retry(self, video_id: str) -> list[Job]:
        """Queue the failed jobs of a video once more, with their attempts forgotten; return them."""
        with self._database.writing() as connection:
            again = jobs.retry(connection, video_id)
        self._was_queued()
        return again

    def retry_job(self, job_id: str) -> Job | None:
        """Queue a failed or cancelled job once more; see `JobBook.retry_job`."""
        with self._database.writing() as connection:
            job = jobs.retry_job(connection, job_id)
        self._was_queued()
        return job

    def cancel_job(self, job_id: str) -> Job | None:
        """Cancel a job, unless it is ended; return how it stands then, None if there is none."""
        with self._database.writing() as connection:
            return jobs.cancel_job(connection, job_id)

    def cancel_jobs(self, video_id: str) -> None:
        """Cancel every job of a video that is not ended."""
        with self._database.writing() as connection:
            jobs.cancel_all(connection, video_id)

    def job(self, job_id: str) -> Job | None:
        """Return a job; None if there is none."""
        with self._database.reading() as connection:
            return jobs.find(connection, job_id)

    def jobs(self, video_id: str) -> list[Job]:
        """Return all jobs of a video, the newest of each kind last."""
        with self._database.reading() as connection:
            return jobs.all_of(connection, video_id)

    def find_jobs(self, question: JobQuestion) -> JobPage:
        """Return a page of jobs."""
        with self._database.reading() as connection:
            return jobs.find_page(connection, question)

    def job_states(self) -> dict[JobState, int]:
        """Return how many jobs there are in each state that has some."""
        return dict(sum((Counter(of) for of in self.job_counts().values()), Counter[JobState]()))

    def job_counts(self) -> dict[JobKind, dict[JobState, int]]:
        """Return how many jobs there are of each kind, by each state that has some."""
        kind, state = tables.jobs.c.kind, tables.jobs.c.state
        query = select(kind, state, func.count().label("number")).group_by(kind, state)
        counts: dict[JobKind, dict[JobState, int]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                counts.setdefault(row.kind, {})[row.state] = row.number
        return counts

    def failures(self) -> dict[JobKind, Failures]:
        """Return which kinds of jobs have failed, and since when; see `JobBook.failures`."""
        with self._database.reading() as connection:
            return jobs.failures(connection)

    def _was_queued(self) -> None:
        if self._tell is not None:
            self._tell()
