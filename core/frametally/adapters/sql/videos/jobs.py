"""The book of what is done to videos: who holds which job, by leases that the database's clock ends."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from frametally.adapters.sql.videos import tables
from frametally.adapters.sql.videos.clock import next_number, note_change, now_ms
from frametally.adapters.sql.videos.rows import job_of, select_jobs
from frametally.ports.video_catalogue import Job, JobKind

_NOT_ENDED = ("queued", "running")
_columns = tables.jobs.c


def queue(connection: Connection, video_id: str, kind: JobKind) -> Job:
    """Return the job of that kind that is not ended, a new one without one; see `VideoCatalogue.queue`."""
    there = connection.execute(
        select_jobs().where(
            _columns.video_id == video_id, _columns.kind == kind, _columns.state.in_(_NOT_ENDED)
        )
    ).first()
    if there is not None:
        return job_of(there)
    time_ms = now_ms(connection)
    job = Job(id=str(uuid.uuid4()), video_id=video_id, kind=kind, state="queued", created_at_ms=time_ms)
    connection.execute(
        insert(tables.jobs).values(**job._asdict(), number=next_number(connection), due_at_ms=time_ms)
    )
    note_change(connection)
    return job


def has_due(connection: Connection, kinds: Sequence[JobKind]) -> bool:
    """Return whether there is a job to claim."""
    return connection.execute(_due(connection, kinds)).first() is not None


def claim(connection: Connection, worker: str, kinds: Sequence[JobKind], lease_s: float) -> Job | None:
    """Give `worker` the job that waits longest, in the only writer's transaction."""
    due = connection.execute(_due(connection, kinds)).first()
    if due is None:
        return None
    time_ms = now_ms(connection)
    _change(
        connection,
        _columns.id == due.id,
        state="running",
        attempts=_columns.attempts + 1,
        generation=_columns.generation + 1,
        worker=worker,
        due_at_ms=_after(time_ms, lease_s),
        progress=None,
        reason=None,
        started_at_ms=time_ms,
    )
    note_change(connection)
    return job_of(connection.execute(select_jobs().where(_columns.id == due.id)).one())


def renew(connection: Connection, job: Job, lease_s: float, progress: float | None) -> bool:
    """Keep a claimed job; see `VideoCatalogue.renew`."""
    found = connection.execute(select(_columns.progress).where(_is_held(job))).first()
    if found is None:
        return False
    _change(connection, _is_held(job), due_at_ms=_after(now_ms(connection), lease_s), progress=progress)
    if found.progress != progress:
        note_change(connection)
    return True


def end(
    connection: Connection,
    job: Job,
    state: Literal["done", "failed", "queued"],
    reason: str | None,
    again_after_s: float,
    *,
    counts: bool,
) -> bool:
    """End a claimed job, or queue it again; see `VideoCatalogue.end`."""
    time_ms = now_ms(connection)
    ended = _change(
        connection,
        _is_held(job),
        state=state,
        reason=reason,
        worker="",
        attempts=_columns.attempts - (0 if counts else 1),
        due_at_ms=_after(time_ms, again_after_s),
        progress=None,
        ended_at_ms=None if state == "queued" else time_ms,
    )
    if ended:
        note_change(connection)
    return bool(ended)


def retry(connection: Connection, video_id: str) -> list[Job]:
    """Queue once more the jobs of a video that failed last of their kind; see `VideoCatalogue.retry`."""
    newest = {job.kind: job for job in all_of(connection, video_id)}
    failed = [job.id for job in newest.values() if job.state == "failed"]
    if not failed:
        return []
    _change(
        connection,
        _columns.id.in_(failed),
        state="queued",
        attempts=0,
        reason=None,
        due_at_ms=now_ms(connection),
        started_at_ms=None,
        ended_at_ms=None,
    )
    note_change(connection)
    return [job_of(row) for row in connection.execute(select_jobs().where(_columns.id.in_(failed)))]


def cancel(connection: Connection, video_id: str) -> None:
    """Cancel every job of a video that is not ended."""
    cancelled = _change(
        connection,
        and_(_columns.video_id == video_id, _columns.state.in_(_NOT_ENDED)),
        state="cancelled",
        worker="",
        progress=None,
        ended_at_ms=now_ms(connection),
    )
    if cancelled:
        note_change(connection)


def all_of(connection: Connection, video_id: str) -> list[Job]:
    """Return all jobs of a video, in the order in which they were queued first."""
    rows = connection.execute(select_jobs().where(_columns.video_id == video_id))
    return [job_of(row) for row in rows]


def _due(connection: Connection, kinds: Sequence[JobKind]) -> Any:
    return (
        select(_columns.id)
        .where(
            _columns.state.in_(_NOT_ENDED),
            _columns.due_at_ms <= now_ms(connection),
            _columns.kind.in_(kinds),
        )
        .order_by(_columns.due_at_ms, _columns.number)
        .limit(1)
    )


def _is_held(job: Job) -> ColumnElement[bool]:
    return and_(_columns.id == job.id, _columns.state == "running", _columns.generation == job.generation)


def _change(connection: Connection, where: ColumnElement[bool], **values: Any) -> int:
    return connection.execute(update(tables.jobs).where(where).values(**values)).rowcount


def _after(time_ms: int, seconds: float) -> int:
    return time_ms + round(seconds * 1000)
