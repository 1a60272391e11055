"""The book of what is done to videos: who holds which job, by leases that the database's clock ends."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from frametally.adapters.sql.clock import next_number, note_change, now_ms
from frametally_videos import tables
from frametally_videos.ports.job_book import (
    SILENT_S,
    WORKER_LOST,
    Failures,
    Job,
    JobKind,
    JobPage,
    JobQuestion,
)
from frametally_videos.sql.video_job_rows import is_of_client, job_of, select_jobs

_NOT_ENDED = ("queued", "running")
_columns = tables.jobs.c


def queue(connection: Connection, video_id: str, kind: JobKind, options: str) -> Job:
    """Return the job of that kind and options that is not ended, a new one without; see `JobBook.queue`."""
    there = _like(connection, video_id, kind, options)
    if there is not None:
        return there
    time_ms = now_ms(connection)
    job = Job(
        id=str(uuid.uuid4()),
        video_id=video_id,
        kind=kind,
        state="queued",
        options=options,
        created_at_ms=time_ms,
    )
    number = next_number(connection, tables.about)
    connection.execute(insert(tables.jobs).values(**job._asdict(), number=number, due_at_ms=time_ms))
    note_change(connection, tables.about)
    return job


def find_due(
    connection: Connection,
    kinds: Sequence[JobKind],
    *,
    job_id: str | None,
    silent_lease_s: float | None,
) -> str | None:
    """Return the id of the job to claim next; None: there is none.

    With `silent_lease_s` also one whose holder, of such a lease, has said nothing for `SILENT_S`.
    """
    query = select(_columns.id).where(_columns.state.in_(_NOT_ENDED), _columns.kind.in_(kinds))
    if job_id is not None:
        query = query.where(_columns.id == job_id)
    time_ms = now_ms(connection)
    is_due = _columns.due_at_ms <= time_ms
    if silent_lease_s is not None:
        is_silent = _columns.due_at_ms <= _after(time_ms, silent_lease_s - SILENT_S)
        is_due = or_(is_due, and_(_columns.state == "running", is_silent))
    query = query.where(is_due)
    found: str | None = connection.execute(
        query.order_by(_columns.due_at_ms, _columns.number).limit(1)
    ).scalar()
    return found


def claim(connection: Connection, job_id: str, worker: str, lease_s: float) -> Job:
    """Give `worker` a job that is to be claimed, in the only writer's transaction."""
    time_ms = now_ms(connection)
    state = connection.execute(select(_columns.state).where(_columns.id == job_id)).scalar_one()
    is_lost = state == "running"
    _change(
        connection,
        _columns.id == job_id,
        state="running",
        attempts=_columns.attempts + int(not is_lost),  # it takes the lost worker's place
        losses=_columns.losses + int(is_lost),
        generation=_columns.generation + 1,
        worker=worker,
        due_at_ms=_after(time_ms, lease_s),
        progress=None,
        reason=WORKER_LOST if is_lost else None,
        started_at_ms=time_ms,
    )
    note_change(connection, tables.about)
    return job_of(connection.execute(select_jobs().where(_columns.id == job_id)).one())


def renew(connection: Connection, job: Job, lease_s: float, progress: float | None) -> bool:
    """Keep a claimed job; see `JobBook.renew`."""
    found = connection.execute(select(_columns.progress).where(_is_held(job))).first()
    if found is None:
        return False
    _change(connection, _is_held(job), due_at_ms=_after(now_ms(connection), lease_s), progress=progress)
    if found.progress != progress:
        note_change(connection, tables.about)
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
    """End a claimed job, or queue it again; see `JobBook.end`."""
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
        note_change(connection, tables.about)
    return bool(ended)


def give_up(connection: Connection, job_id: str, reason: str) -> bool:
    """Fail a job that is not ended, whoever holds it; see `JobBook.give_up`."""
    failed = _change(
        connection,
        and_(_columns.id == job_id, _columns.state.in_(_NOT_ENDED)),
        state="failed",
        reason=reason,
        worker="",
        generation=_columns.generation + 1,
        progress=None,
        ended_at_ms=now_ms(connection),
    )
    if failed:
        note_change(connection, tables.about)
    return bool(failed)


def find_untold(connection: Connection, limit: int, again_after_s: float) -> list[Job]:
    """Return the jobs that wait to be claimed, and whose turn it is to be told of."""
    time_ms = now_ms(connection)
    rows = connection.execute(
        select_jobs()
        .where(
            _columns.state.in_(_NOT_ENDED),
            _columns.due_at_ms <= time_ms,
            or_(
                _columns.told_at_ms < _columns.due_at_ms,
                _columns.told_at_ms <= time_ms - round(again_after_s * 1000),
            ),
        )
        .limit(limit)
    ).all()
    return [job_of(row) for row in rows]


def due(connection: Connection, limit: int, again_after_s: float) -> list[Job]:
    """Return, once each, the jobs that wait to be claimed; see `JobBook.due`."""
    jobs = find_untold(connection, limit, again_after_s)
    if jobs:
        # A job is due and told of in one millisecond: it counts as told after.
        told_at_ms = now_ms(connection) + 1
        _change(connection, _columns.id.in_([job.id for job in jobs]), told_at_ms=told_at_ms)
    return jobs


def retry(connection: Connection, video_id: str) -> list[Job]:
    """Queue once more the jobs of a video that failed last of their kind; see `JobBook.retry`."""
    jobs = all_of(connection, video_id)
    newest = {(job.kind, job.options): job for job in jobs}
    under_way = {(job.kind, job.options) for job in jobs if job.state in _NOT_ENDED}
    failed = [job.id for like, job in newest.items() if job.state == "failed" and like not in under_way]
    if failed:
        _queue_again(connection, failed)
    return [job_of(row) for row in connection.execute(select_jobs().where(_columns.id.in_(failed)))]


def retry_job(connection: Connection, job_id: str) -> Job | None:
    """Queue a failed or cancelled job once more; see `JobBook.retry_job`."""
    job = find(connection, job_id)
    if (
        job is None
        or job.state not in ("failed", "cancelled")
        or _like(connection, job.video_id, job.kind, job.options)
    ):
        return job
    _queue_again(connection, [job_id])
    return find(connection, job_id)


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
    note_change(connection, tables.about)


def cancel_job(connection: Connection, job_id: str) -> Job | None:
    """Cancel a job, unless it is ended; see `JobBook.cancel_job`."""
    _cancel(connection, _columns.id == job_id)
    return find(connection, job_id)


def cancel_all(connection: Connection, video_id: str) -> None:
    """Cancel every job of a video that is not ended."""
    _cancel(connection, _columns.video_id == video_id)


def _cancel(connection: Connection, where: ColumnElement[bool]) -> None:
    cancelled = _change(
        connection,
        and_(where, _columns.state.in_(_NOT_ENDED)),
        state="cancelled",
        worker="",
        progress=None,
        ended_at_ms=now_ms(connection),
    )
    if cancelled:
        note_change(connection, tables.about)


def find(connection: Connection, job_id: str) -> Job | None:
    """Return a job; None if there is none."""
    row = connection.execute(select_jobs().where(_columns.id == job_id)).first()
    return None if row is None else job_of(row)


def find_page(connection: Connection, question: JobQuestion) -> JobPage:
    """Return a page of jobs, the newest first; see `JobBook.find_jobs`."""
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
    rows = connection.execute(query.order_by(_columns.number.desc()).limit(question.limit + 1)).all()
    there = rows[: question.limit]
    following = there[-1].number if len(rows) > question.limit else 0
    return JobPage([Job._make(row[1:]) for row in there], following)


def all_of(connection: Connection, video_id: str) -> list[Job]:
    """Return all jobs of a video, in the order in which they were queued first."""
    rows = connection.execute(select_jobs().where(_columns.video_id == video_id))
    return [job_of(row) for row in rows]


def failures(connection: Connection) -> dict[JobKind, Failures]:
    """Return by kind the failed jobs that no newer one of their video, kind and options follows."""
    newer = tables.jobs.alias()
    is_followed = (
        select(newer.c.id)
        .where(
            newer.c.video_id == _columns.video_id,
            newer.c.kind == _columns.kind,
            newer.c.options == _columns.options,
            newer.c.number > _columns.number,
        )
        .exists()
    )
    query = (
        select(_columns.kind, func.count().label("number"), func.min(_columns.ended_at_ms).label("since_ms"))
        .where(_columns.state == "failed", ~is_followed)
        .group_by(_columns.kind)
        .order_by(_columns.kind)
    )
    return {row.kind: Failures(row.number, row.since_ms) for row in connection.execute(query)}


def _like(connection: Connection, video_id: str, kind: JobKind, options: str) -> Job | None:
    """Return the job of a video, kind and options that is not ended."""
    row = connection.execute(
        select_jobs().where(
            _columns.video_id == video_id,
            _columns.kind == kind,
            _columns.options == options,
            _columns.state.in_(_NOT_ENDED),
        )
    ).first()
    return None if row is None else job_of(row)


def _is_held(job: Job) -> ColumnElement[bool]:
    return and_(_columns.id == job.id, _columns.state == "running", _columns.generation == job.generation)


def _change(connection: Connection, where: ColumnElement[bool], **values: Any) -> int:
    return connection.execute(update(tables.jobs).where(where).values(**values)).rowcount


def _after(time_ms: int, seconds: float) -> int:
    return time_ms + round(seconds * 1000)
