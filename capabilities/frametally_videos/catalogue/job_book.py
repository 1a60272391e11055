"""The book of jobs on videos, which workers lease by the database's clock."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, case, func, insert, or_, select, update

from frametally.adapters.sql.catalogue import next_number, note_change
from frametally.adapters.sql.clock import is_due, now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally.work.leases import Leases, look_then_write
from frametally_videos import tables
from frametally_videos.catalogue.catalogue_rows import (
    SILENT_S,
    WORKER_LOST,
    Failures,
    Job,
    JobKind,
    JobPage,
    JobQuestion,
    JobState,
)
from frametally_videos.catalogue.video_queries import is_of_client

_NOT_ENDED = ("queued", "running")
_columns = tables.jobs.c
_LEASES = Leases(tables.jobs, _columns.state == "running")
# A video's counts do not wait for another video's side jobs.
_FRAMES_FIRST = (case((_columns.kind == "frames", 0), else_=1),)
_JOBS = select(*(_columns[name] for name in Job._fields)).order_by(_columns.number)


class JobBook:
    """Jobs in a database that processes and threads may share. All methods may raise `Retryable`."""

    _database: SqlDatabase
    _tell: Callable[[], object] | None = None

    def on_queued(self, tell: Callable[[], object]) -> None:
        """Call `tell`, which must return at once, whenever a job is queued through this object."""
        self._tell = tell

    def queue(self, video_id: str, kind: JobKind, options: str = "") -> Job:
        """Return the job of a video, kind and options that has not ended, or queue a new one."""
        with self._database.writing() as connection:
            job = _like(connection, video_id, kind, options)
            if job is None:
                time_ms = now_ms(connection)
                job = Job(str(uuid.uuid4()), video_id, kind, "queued", options=options, created_at_ms=time_ms)
                number = next_number(connection)
                values = {**job._asdict(), "number": number, "due_at_ms": time_ms}
                connection.execute(insert(tables.jobs).values(**values))
                note_change(connection)
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
        """Claim the job that has waited longest or whose lease has expired; return None if there is none.

        Of several simultaneous callers, exactly one gets a job.

        The claim lasts for `lease_s` without a renewal. With `take_over`, claim the job `job_id` before its
        lease expires if its holder, whose lease is as long, has been silent for `SILENT_S`.
        """
        silent_lease_s = lease_s if job_id and take_over else None

        def take(connection: Connection, due_job: Job) -> Job | None:
            is_lost = due_job.state == "running"
            _LEASES.claim(
                connection,
                _columns.id == due_job.id,
                lease_s,
                state="running",
                attempts=_columns.attempts + int(not is_lost),  # replaces the lost worker's attempt
                losses=_columns.losses + int(is_lost),
                worker=worker,
                progress=None,
                reason=WORKER_LOST if is_lost else None,
                started_at_ms=now_ms(connection),
            )
            note_change(connection)
            return _find(connection, due_job.id)

        def look(connection: Connection) -> Job | None:
            return _find_due(connection, kinds, job_id, silent_lease_s)

        return look_then_write(self._database, look, take)

    def renew(self, job: Job, *, lease_s: float, progress: float | None = None) -> bool:
        """Renew a claim. Return False if the job was taken over or cancelled: then stop working on it."""
        with self._database.writing() as connection:
            query = select(_columns.progress).where(_LEASES.is_held(job))
            held_row = connection.execute(query).first()
            if held_row is not None and held_row.progress != progress:
                note_change(connection)
            return _LEASES.renew(connection, job, lease_s, progress=progress)

    def end(
        self,
        job: Job,
        state: Literal["done", "failed", "queued"],
        *,
        reason: str | None = None,
        again_after_s: float = 0.0,
        counts: bool = True,
    ) -> bool:
        """End a claimed job or queue it again after a while; return False if another worker has it now.

        Without `counts`, this attempt does not count, since a server that it needs was not available.
        """
        with self._database.writing() as connection:
            is_ours = _LEASES.end(
                connection,
                job,
                again_after_s=again_after_s,
                state=state,
                reason=reason,
                worker="",
                attempts=_columns.attempts - (0 if counts else 1),
                progress=None,
                ended_at_ms=None if state == "queued" else now_ms(connection),
            )
            if is_ours:
                note_change(connection)
            return is_ours

    def give_up(self, job_id: str, reason: str) -> bool:
        """Fail a job that has not ended, even a running one; return False if there is no such job."""
        with self._database.writing() as connection:
            return _change(
                connection,
                and_(_columns.id == job_id, _columns.state.in_(_NOT_ENDED)),
                state="failed",
                reason=reason,
                worker="",
                generation=_columns.generation + 1,
                progress=None,
                ended_at_ms=now_ms(connection),
            )

    def take_due(self, *, limit: int, again_after_s: float) -> list[Job]:
        """Return the due jobs not returned here since they became due, or for `again_after_s`.

        Only one of several callers gets each job, so that a queue gets it once.
        """

        def note_announced(connection: Connection, jobs: list[Job]) -> list[Job]:
            # 1 ms later: a job can be due and announced in the same millisecond.
            is_among = _columns.id.in_([job.id for job in jobs])
            announced = update(tables.jobs).where(is_among).values(told_at_ms=now_ms(connection) + 1)
            connection.execute(announced)
            return jobs

        def look(connection: Connection) -> list[Job]:
            return _find_untold(connection, limit, again_after_s)

        return look_then_write(self._database, look, note_announced) or []

    def retry(self, video_id: str) -> list[Job]:
        """Queue a video's latest failed jobs again with attempts reset, unless an equal job is unfinished."""
        with self._database.writing() as connection:
            jobs = _all(connection, _columns.video_id == video_id)
            newest = {(job.kind, job.options): job for job in jobs}
            under_way = {(job.kind, job.options) for job in jobs if job.state in _NOT_ENDED}
            failed = [
                job.id for like, job in newest.items() if job.state == "failed" and like not in under_way
            ]
            _queue_again(connection, failed)
            new_jobs = _all(connection, _columns.id.in_(failed))
        self._was_queued()
        return new_jobs

    def retry_job(self, job_id: str) -> Job | None:
        """Queue a failed or cancelled job again, with its attempts reset.

        Returns:
            The job, unchanged if it is neither failed nor cancelled or if an equal job has not ended; None if
            it does not exist.
        """
        with self._database.writing() as connection:
            job = _find(connection, job_id)
            if (
                job is not None
                and job.state in ("failed", "cancelled")
                and _like(connection, job.video_id, job.kind, job.options) is None
            ):
                _queue_again(connection, [job_id])
                job = _find(connection, job_id)
        self._was_queued()
        return job

    def cancel_job(self, job_id: str) -> Job | None:
        """Cancel a job unless it has ended. Return the job now, or None if it does not exist."""
        with self._database.writing() as connection:
            _cancel(connection, _columns.id == job_id)
            return _find(connection, job_id)

    def cancel_jobs(self, video_id: str) -> None:
        """Cancel every job of a video that has not ended."""
        with self._database.writing() as connection:
            _cancel(connection, _columns.video_id == video_id)

    def job(self, job_id: str) -> Job | None:
        """Return a job, or None if it does not exist."""
        with self._database.reading() as connection:
            return _find(connection, job_id)

    def jobs(self, video_id: str) -> list[Job]:
        """Return all jobs of a video, in the order in which they were first queued."""
        with self._database.reading() as connection:
            return _all(connection, _columns.video_id == video_id)

    def find_jobs(self, question: JobQuestion) -> JobPage:
        """Return a page of jobs, newest first."""
        query = select(_columns.number, *(_columns[name] for name in Job._fields))
        if question.video_id:
            query = query.where(_columns.video_id == question.video_id)
        if question.client_id:
            videos = select(tables.videos.c.id).where(is_of_client(question.client_id))
            query = query.where(_columns.video_id.in_(videos))
        if question.kinds:
            query = query.where(_columns.kind.in_(question.kinds))
        if question.states:
            query = query.where(_columns.state.in_(question.states))
        if question.before:
            query = query.where(_columns.number < question.before)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_columns.number.desc()).limit(question.limit + 1)).all()
        page = rows[: question.limit]
        following = page[-1].number if len(rows) > question.limit else 0
        return JobPage([Job._make(row[1:]) for row in page], following)

    def waiting_jobs(self, kinds: Collection[JobKind] = (), *, limit: int) -> list[tuple[Job, int]]:
        """Return jobs, by default of all kinds, that no worker may claim yet, the first due first.

        With each comes the time in milliseconds, by the database's clock, at which one may; while its worker
        renews the lease of a running job, that is ever later.
        """
        query = select(_columns.due_at_ms, *(_columns[name] for name in Job._fields))
        query = query.where(_columns.state.in_(_NOT_ENDED))
        if kinds:
            query = query.where(_columns.kind.in_(kinds))
        with self._database.reading() as connection:
            query = query.where(_columns.due_at_ms > now_ms(connection))
            rows = connection.execute(query.order_by(_columns.due_at_ms, _columns.number).limit(limit)).all()
        return [(Job._make(row[1:]), row.due_at_ms) for row in rows]

    def job_states(self) -> dict[JobState, int]:
        """Return the number of jobs by state, without states that have no jobs."""
        return dict(sum((Counter(states) for states in self.job_counts().values()), Counter[JobState]()))

    def job_counts(self) -> dict[JobKind, dict[JobState, int]]:
        """Return the number of jobs by kind and state, without states that have no jobs."""
        kind, state = _columns.kind, _columns.state
        query = select(kind, state, func.count().label("number")).group_by(kind, state)
        counts: dict[JobKind, dict[JobState, int]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                counts.setdefault(row.kind, {})[row.state] = row.number
        return counts

    def failures(self) -> dict[JobKind, Failures]:
        """Return the failed jobs by kind, except those that a newer job with the same inputs follows."""
        newer = tables.jobs.alias()
        alike = [newer.c[name] == _columns[name] for name in ("video_id", "kind", "options")]
        is_followed = select(newer.c.id).where(*alike, newer.c.number > _columns.number).exists()
        query = (
            select(_columns.kind, func.count(), func.min(_columns.ended_at_ms))
            .where(_columns.state == "failed", ~is_followed)
            .group_by(_columns.kind)
            .order_by(_columns.kind)
        )
        with self._database.reading() as connection:
            return {kind: Failures(*failed) for kind, *failed in connection.execute(query)}

    def _was_queued(self) -> None:
        if self._tell is not None:
            self._tell()


def _find_due(
    connection: Connection, kinds: Sequence[JobKind], job_id: str | None, silent_lease_s: float | None
) -> Job | None:
    """Return the next job to claim; with `silent_lease_s`, also one whose holder is silent for `SILENT_S`."""
    time_ms = now_ms(connection)
    is_claimable = is_due(_columns.due_at_ms, time_ms)
    if silent_lease_s is not None:
        is_silent = _columns.due_at_ms <= time_ms + round((silent_lease_s - SILENT_S) * 1000)
        is_claimable = or_(is_claimable, and_(_columns.state == "running", is_silent))
    query = _JOBS.where(_columns.state.in_(_NOT_ENDED), _columns.kind.in_(kinds), is_claimable)
    if job_id is not None:
        query = query.where(_columns.id == job_id)
    row = connection.execute(
        query.order_by(None).order_by(*_FRAMES_FIRST, _columns.due_at_ms, _columns.number).limit(1)
    ).first()
    return None if row is None else Job._make(row)


def _find_untold(connection: Connection, limit: int, again_after_s: float) -> list[Job]:
    """Return the due jobs that must be announced now."""
    time_ms = now_ms(connection)
    query = _JOBS.where(
        _columns.state.in_(_NOT_ENDED),
        is_due(_columns.due_at_ms, time_ms),
        or_(
            and_(_columns.told_at_ms < _columns.due_at_ms, _columns.due_at_ms <= time_ms),
            is_due(_columns.told_at_ms + round(again_after_s * 1000), time_ms),
        ),
    )
    return [Job._make(row) for row in connection.execute(query.limit(limit))]


def _queue_again(connection: Connection, job_ids: Sequence[str]) -> None:
    _change(
        connection,
        _columns.id.in_(job_ids),
        state="queued",
        attempts=0,
        losses=0,
        reason=None,
        due_at_ms=now_ms(connection),
        started_at_ms=None,
        ended_at_ms=None,
    )


def _cancel(connection: Connection, condition: ColumnElement[bool]) -> None:
    _change(
        connection,
        and_(condition, _columns.state.in_(_NOT_ENDED)),
        state="cancelled",
        worker="",
        progress=None,
        ended_at_ms=now_ms(connection),
    )


def _find(connection: Connection, job_id: str) -> Job | None:
    return next(iter(_all(connection, _columns.id == job_id)), None)


def _all(connection: Connection, condition: ColumnElement[bool]) -> list[Job]:
    return [Job._make(row) for row in connection.execute(_JOBS.where(condition))]


def _like(connection: Connection, video_id: str, kind: JobKind, options: str) -> Job | None:
    """Return the job of a video, kind and options that has not ended, if any."""
    alike = and_(_columns.video_id == video_id, _columns.kind == kind, _columns.options == options)
    return next(iter(_all(connection, and_(alike, _columns.state.in_(_NOT_ENDED)))), None)


def _change(connection: Connection, condition: ColumnElement[bool], **values: Any) -> bool:
    """Change jobs and note a change for pages; return whether any job matched."""
    is_changed = bool(connection.execute(update(tables.jobs).where(condition).values(**values)).rowcount)
    if is_changed:
        note_change(connection)
    return is_changed
