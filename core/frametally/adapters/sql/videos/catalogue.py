"""The video catalogue in a SQL database: SQLite here, PostgreSQL by the same statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from frametally.adapters.sql.engine import SqlDatabase
from frametally.adapters.sql.migration import Layout
from frametally.adapters.sql.videos import jobs, tables
from frametally.adapters.sql.videos.clock import next_number, note_change, now_ms
from frametally.adapters.sql.videos.rows import (
    columns_of_record,
    conditions,
    cursor_after,
    filmed_at_ms,
    select_page,
    video_of,
)
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.ports.video_catalogue import (
    FINAL_STATES,
    Job,
    JobKind,
    Preview,
    UploadRow,
    VideoBooks,
    VideoPage,
    VideoQuestion,
    VideoRow,
    VideoState,
)
from frametally.records import decode
from frametally.settings.access import ServerAccess
from frametally.video_records import VideoRecord

_LAYOUT = Layout(
    what="video catalogue",
    setting="FRAMETALLY_CATALOGUE_URL",
    refill="frametally catalogue rebuild",
    tables=tables.ALL,
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations="videos",
)
_videos, _previews, _uploads = tables.videos.c, tables.previews.c, tables.uploads.c


class SqlVideoCatalogue:
    """A catalogue in the database that a URL names; see `VideoCatalogue`. Processes may share it."""

    def __init__(
        self, url: str, *, access: ServerAccess | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, making the tables if they are missing; see `SqlDatabase`."""
        self.url = url
        self._database = SqlDatabase(url, _LAYOUT, access=access, busy_timeout_s=busy_timeout_s)

    def version(self) -> str:
        """Return what changes whenever anything that a page shows has changed."""
        with self._database.reading() as connection:
            return str(connection.execute(select(tables.about.c.changed)).scalar_one())

    def put_video(self, record: VideoRecord, version: str) -> None:
        """Take in a video's record; of one that is there, what was found out about it stays."""
        values = columns_of_record(record, version)
        with self._database.writing() as connection:
            there = _row_of(connection, record.id)
            if there is None:
                found: dict[str, Any] = {
                    "id": record.id,
                    "state": record.state,
                    "books": _encoded(VideoBooks()),
                    "looked": next_number(connection),
                    "filmed_at_ms": filmed_at_ms(record, None),
                }
                connection.execute(insert(tables.videos).values(**values, **found))
            else:
                values["filmed_at_ms"] = filmed_at_ms(record, there.first_captured_at_ms)
                if record.state == "deleting":
                    values |= {"state": "deleting", "reason": None, "progress": None}
                if not _differs(there, values):
                    return
                _change(connection, record.id, values)
            note_change(connection)

    def set_video(
        self,
        video_id: str,
        *,
        state: VideoState,
        reason: str | None = None,
        progress: float | None = None,
        range_ms: tuple[int, int] | None = None,
        books: VideoBooks | None = None,
    ) -> None:
        """Note how far a video has come; see `VideoCatalogue.set_video`."""
        with self._database.writing() as connection:
            there = _row_of(connection, video_id)
            if there is None:
                return
            record = decode(there.record.encode(), VideoRecord)
            # Whoever looked before it was asked to go is late: it goes.
            if record.state == "deleting":
                state = "deleting"
            values: dict[str, Any] = {"state": state, "reason": reason, "progress": progress}
            if range_ms is not None:
                values["first_captured_at_ms"], values["last_captured_at_ms"] = range_ms
                values["filmed_at_ms"] = filmed_at_ms(record, range_ms[0])
            if books is not None:
                values["books"] = _encoded(books)
            _change(connection, video_id, {**values, "looked": next_number(connection)})
            if _differs(there, values):
                note_change(connection)

    def set_previews(self, video_id: str, previews: Sequence[Preview]) -> None:
        """Note the pictures of a video, in place of those that were noted."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.previews).where(_previews.video_id == video_id))
            if previews and _row_of(connection, video_id) is not None:
                rows = [{"video_id": video_id, **preview._asdict()} for preview in previews]
                connection.execute(insert(tables.previews), rows)
            note_change(connection)

    def video(self, video_id: str) -> VideoRow | None:
        """Return a video; None if there is none."""
        with self._database.reading() as connection:
            row = _row_of(connection, video_id)
            return None if row is None else _videos_of(connection, [row])[0]

    def find_content(self, sha256: str) -> VideoRow | None:
        """Return the video of these bytes; None if there is none."""
        query = select(tables.videos).where(_videos.sha256 == sha256)
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(_videos.uploaded_at_ms, _videos.id).limit(1)).first()
            return None if row is None else _videos_of(connection, [row])[0]

    def videos(self, question: VideoQuestion) -> VideoPage:
        """Return a page of videos. Raises `Poison` for a cursor that is none."""
        query = select_page(question)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            there = rows[: question.limit]
            following = cursor_after(question, there[-1]) if len(rows) > question.limit else ""
            total = len(rows)
            if question.cursor or following:  # else all that there are stand in this page
                counting = select(func.count()).select_from(tables.videos)
                total = connection.execute(counting.where(and_(True, *conditions(question)))).scalar_one()
            return VideoPage(_videos_of(connection, there), following, total)

    def states(self) -> dict[VideoState, int]:
        """Return how many videos there are in each state that has some."""
        query = select(_videos.state, func.count().label("number")).group_by(_videos.state)
        with self._database.reading() as connection:
            return {row.state: row.number for row in connection.execute(query)}

    def versions(self) -> dict[str, str]:
        """Return the noted version of every video's record, by id."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_videos.id, _videos.version))
            return {row.id: row.version for row in rows}

    def unsettled(self, limit: int) -> list[VideoRow]:
        """Return videos whose state is not final, those that were looked at longest ago first."""
        query = select(tables.videos).where(_videos.state.not_in(FINAL_STATES))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_videos.looked, _videos.id).limit(limit)).all()
            return _videos_of(connection, rows)

    def remove_video(self, video_id: str) -> None:
        """Forget a video, its previews and its jobs; one that is not there is no error."""
        with self._database.writing() as connection:
            for table, column in (
                (tables.videos, _videos.id),
                (tables.previews, _previews.video_id),
                (tables.jobs, tables.jobs.c.video_id),
            ):
                connection.execute(delete(table).where(column == video_id))
            note_change(connection)

    def put_upload(self, upload: UploadRow) -> None:
        """Note how an upload stands, in place of what was noted of it."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.uploads).where(_uploads.id == upload.id))
            connection.execute(insert(tables.uploads).values(**upload._asdict()))

    def upload(self, upload_id: str) -> UploadRow | None:
        """Return an upload; None if there is none."""
        columns = [_uploads[name] for name in UploadRow._fields]
        with self._database.reading() as connection:
            row = connection.execute(select(*columns).where(_uploads.id == upload_id)).first()
            return None if row is None else UploadRow(*row)

    def open_uploads(self, client_id: str | None = None) -> int:
        """Return how many uploads are `receiving` and not expired; of one client, or in all."""
        query = select(func.count()).select_from(tables.uploads).where(_uploads.state == "receiving")
        if client_id is not None:
            query = query.where(_uploads.client_id == client_id)
        with self._database.reading() as connection:
            query = query.where(_uploads.expires_at_ms > now_ms(connection))
            return int(connection.execute(query).scalar_one())

    def remove_uploads(self, *, expired_at_ms: int) -> int:
        """Forget the uploads that expired before that moment; return how many."""
        with self._database.writing() as connection:
            old = delete(tables.uploads).where(_uploads.expires_at_ms < expired_at_ms)
            return connection.execute(old).rowcount

    def queue(self, video_id: str, kind: JobKind) -> Job:
        """Return the job of that kind that is not ended; without one, a new one that is queued."""
        with self._database.writing() as connection:
            return jobs.queue(connection, video_id, kind)

    def claim(self, worker: str, kinds: Sequence[JobKind], *, lease_s: float) -> Job | None:
        """Give `worker` the job that has waited longest, or whose lease is over."""
        # Workers ask often, and seldom is there something: whoever only looks is in no writer's way.
        with self._database.reading() as connection:
            if not jobs.has_due(connection, kinds):
                return None
        with self._database.writing() as connection:
            return jobs.claim(connection, worker, kinds, lease_s)

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
        """End a claimed job, or queue it again after a while; see `VideoCatalogue.end`."""
        with self._database.writing() as connection:
            return jobs.end(connection, job, state, reason, again_after_s, counts=counts)

    def retry(self, video_id: str) -> list[Job]:
        """Queue the failed jobs of a video once more, with their attempts forgotten; return them."""
        with self._database.writing() as connection:
            return jobs.retry(connection, video_id)

    def cancel_jobs(self, video_id: str) -> None:
        """Cancel every job of a video that is not ended."""
        with self._database.writing() as connection:
            jobs.cancel(connection, video_id)

    def jobs(self, video_id: str) -> list[Job]:
        """Return all jobs of a video, the newest of each kind last."""
        with self._database.reading() as connection:
            return jobs.all_of(connection, video_id)

    def close(self) -> None:
        """Release connections."""
        self._database.close()


def _row_of(connection: Connection, video_id: str) -> Row[Any] | None:
    return connection.execute(select(tables.videos).where(_videos.id == video_id)).first()


def _videos_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[VideoRow]:
    columns = [_previews[name] for name in Preview._fields]
    query = select(_previews.video_id, *columns).where(_previews.video_id.in_([row.id for row in rows]))
    found: dict[str, list[Preview]] = defaultdict(list)
    for video_id, *preview in connection.execute(query.order_by(_previews.kind)):
        found[video_id].append(Preview(*preview))
    return [video_of(row, found[row.id]) for row in rows]


def _change(connection: Connection, video_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(tables.videos).where(_videos.id == video_id).values(**values))


def _differs(row: Row[Any], values: Mapping[str, Any]) -> bool:
    there = row._mapping
    return any(there[name] != value for name, value in values.items())


def _encoded(books: VideoBooks) -> str:
    return msgspec.json.encode(books._replace(labels=dict(sorted(books.labels.items())))).decode()
