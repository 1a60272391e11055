"""The catalogue of videos in a SQL database, SQLite or PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from frametally.adapters.sql.catalogue import next_number, note_change
from frametally.adapters.sql.clock import is_due, now_ms
from frametally.adapters.sql.sql_book import CatalogueBook
from frametally.records import decode
from frametally_videos import tables
from frametally_videos.catalogue.catalogue_rows import (
    FINAL_STATES,
    Artifact,
    UploadRow,
    VideoBooks,
    VideoPage,
    VideoQuestion,
    VideoRow,
    VideoState,
)
from frametally_videos.catalogue.job_book import JobBook
from frametally_videos.catalogue.outbox import NoticeBook
from frametally_videos.catalogue.video_queries import (
    columns_of_record,
    conditions,
    cursor_after,
    filmed_at_ms,
    select_page,
    video_of,
)
from frametally_videos.records import VideoRecord

_videos, _artifacts, _uploads = tables.videos.c, tables.artifacts.c, tables.uploads.c


class VideoCatalogue(CatalogueBook, JobBook, NoticeBook):
    """The videos in the store, and the book of jobs; processes may share it.

    Videos and their versions are a cache of the store (`frametally catalogue rebuild` restores them). The
    results of uploads, jobs and notices are stored only here; if they are lost, that work begins again. The
    database's clock decides about leases, never about event times. All methods may raise `Retryable`.
    """

    def put_video(self, record: VideoRecord, version: str) -> None:
        """Add or replace a video's record; facts already known about the video stay."""
        values = columns_of_record(record, version)
        with self._database.writing() as connection:
            row = _row_of(connection, record.id)
            if row is None:
                first_values: dict[str, Any] = {
                    "id": record.id,
                    "state": record.state,
                    "books": _encoded(VideoBooks()),
                    "looked": next_number(connection),
                    "filmed_at_ms": filmed_at_ms(record, None),
                }
                connection.execute(insert(tables.videos).values(**values, **first_values))
            else:
                values["filmed_at_ms"] = filmed_at_ms(record, row.first_captured_at_ms)
                if record.state == "deleting":
                    values |= {"state": "deleting", "reason": None, "progress": None}
                if not _differs(row, values):
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
        """Note a video's progress; None leaves `range_ms` and `books` as they are."""
        with self._database.writing() as connection:
            row = _row_of(connection, video_id)
            if row is None:
                return
            record = decode(row.record.encode(), VideoRecord)
            # This state was found before the removal began.
            if record.state == "deleting":
                state = "deleting"
            values: dict[str, Any] = {"state": state, "reason": reason, "progress": progress}
            if range_ms is not None:
                values["first_captured_at_ms"], values["last_captured_at_ms"] = range_ms
                values["filmed_at_ms"] = filmed_at_ms(record, range_ms[0])
            if books is not None:
                values["books"] = _encoded(books)
            _change(connection, video_id, {**values, "looked": next_number(connection)})
            if _differs(row, values):
                note_change(connection)

    def set_artifacts(self, video_id: str, artifacts: Sequence[Artifact]) -> None:
        """Replace all noted artifacts of a video."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.artifacts).where(_artifacts.video_id == video_id))
            _add_artifacts(connection, video_id, artifacts)

    def put_artifacts(self, video_id: str, artifacts: Sequence[Artifact]) -> None:
        """Add artifacts of a video, which replace others of their kind, except `enhanced` ones."""
        kinds = {artifact.kind for artifact in artifacts} - {"enhanced"}
        in_place = or_(
            _artifacts.kind.in_(kinds), _artifacts.key.in_([artifact.key for artifact in artifacts])
        )
        with self._database.writing() as connection:
            connection.execute(
                delete(tables.artifacts).where(and_(_artifacts.video_id == video_id, in_place))
            )
            _add_artifacts(connection, video_id, artifacts)

    def remove_artifact(self, video_id: str, key: str) -> None:
        """Remove the artifact with a key; an unknown key is not an error."""
        with self._database.writing() as connection:
            condition = and_(_artifacts.video_id == video_id, _artifacts.key == key)
            connection.execute(delete(tables.artifacts).where(condition))
            note_change(connection)

    def video(self, video_id: str) -> VideoRow | None:
        """Return a video, or None if it does not exist."""
        with self._database.reading() as connection:
            row = _row_of(connection, video_id)
            return None if row is None else _videos_of(connection, [row])[0]

    def videos(self, question: VideoQuestion) -> VideoPage:
        """Return a page of videos. Raises `Poison` for an invalid cursor."""
        query = select_page(question)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            page_rows = rows[: question.limit]
            following = cursor_after(question, page_rows[-1]) if len(rows) > question.limit else ""
            total = len(rows)
            if question.cursor or following:  # otherwise all videos are on this page
                counting = select(func.count()).select_from(tables.videos)
                total = connection.execute(counting.where(and_(True, *conditions(question)))).scalar_one()
            return VideoPage(_videos_of(connection, page_rows), following, total)

    def states(self) -> dict[VideoState, int]:
        """Return the number of videos by state, without states that have no videos."""
        query = select(_videos.state, func.count().label("number")).group_by(_videos.state)
        with self._database.reading() as connection:
            return {row.state: row.number for row in connection.execute(query)}

    def versions(self) -> dict[str, str]:
        """Return the noted version of every video's record, by ID."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_videos.id, _videos.version))
            return {row.id: row.version for row in rows}

    def sources(self) -> dict[str, str]:
        """Return the noted source of every video, by ID."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_videos.id, _videos.source))
            return {row.id: row.source for row in rows}

    def unsettled(self, limit: int) -> list[VideoRow]:
        """Return videos whose state is not final, longest unchecked first."""
        query = select(tables.videos).where(_videos.state.not_in(FINAL_STATES))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_videos.looked, _videos.id).limit(limit)).all()
            return _videos_of(connection, rows)

    def remove_video(self, video_id: str) -> None:
        """Remove a video, its artifacts and its jobs; an unknown video is not an error."""
        with self._database.writing() as connection:
            for table, column in (
                (tables.videos, _videos.id),
                (tables.artifacts, _artifacts.video_id),
                (tables.jobs, tables.jobs.c.video_id),
            ):
                connection.execute(delete(table).where(column == video_id))
            note_change(connection)

    def put_upload(self, upload: UploadRow) -> None:
        """Record the state of an upload."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.uploads).where(_uploads.id == upload.id))
            connection.execute(insert(tables.uploads).values(**upload._asdict()))
            if upload.known and upload.client_id:  # listeners for this client have one more video
                note_change(connection)

    def upload(self, upload_id: str) -> UploadRow | None:
        """Return an upload, or None if it does not exist."""
        columns = [_uploads[name] for name in UploadRow._fields]
        with self._database.reading() as connection:
            row = connection.execute(select(*columns).where(_uploads.id == upload_id)).first()
            return None if row is None else UploadRow(*row)

    def open_uploads(self, client_id: str | None = None) -> int:
        """Return the number of unexpired uploads in state `receiving`, of one client or in total."""
        query = select(func.count()).select_from(tables.uploads).where(_uploads.state == "receiving")
        if client_id is not None:
            query = query.where(_uploads.client_id == client_id)
        with self._database.reading() as connection:
            query = query.where(~is_due(_uploads.expires_at_ms, now_ms(connection)))
            return int(connection.execute(query).scalar_one())

    def remove_uploads(self, *, expired_at_ms: int) -> int:
        """Remove the uploads that expired before that moment; return their number."""
        with self._database.writing() as connection:
            old = delete(tables.uploads).where(_uploads.expires_at_ms < expired_at_ms)
            return connection.execute(old).rowcount

    def untold_arrivals(self, limit: int) -> list[VideoRecord]:
        """Return videos whose arrival was not announced on the log, oldest first."""
        query = select(_videos.record).where(_videos.arrival_told.is_(False))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_videos.uploaded_at_ms, _videos.id).limit(limit))
            return [decode(row.record.encode(), VideoRecord) for row in rows]

    def note_arrival(self, video_id: str) -> None:
        """Note that the arrival of a video was announced on the log."""
        with self._database.writing() as connection:
            _change(connection, video_id, {"arrival_told": True})


def _row_of(connection: Connection, video_id: str) -> Row[Any] | None:
    return connection.execute(select(tables.videos).where(_videos.id == video_id)).first()


def _videos_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[VideoRow]:
    columns = [_artifacts[name] for name in Artifact._fields]
    query = select(_artifacts.video_id, *columns).where(_artifacts.video_id.in_([row.id for row in rows]))
    by_video: dict[str, list[Artifact]] = defaultdict(list)
    for video_id, *artifact in connection.execute(query.order_by(_artifacts.number, _artifacts.kind)):
        by_video[video_id].append(Artifact(*artifact))
    return [video_of(row, by_video[row.id]) for row in rows]


def _add_artifacts(connection: Connection, video_id: str, artifacts: Sequence[Artifact]) -> None:
    if artifacts and _row_of(connection, video_id) is not None:
        number = next_number(connection)
        rows = [{"video_id": video_id, "number": number, **artifact._asdict()} for artifact in artifacts]
        connection.execute(insert(tables.artifacts), rows)
    note_change(connection)


def _change(connection: Connection, video_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(tables.videos).where(_videos.id == video_id).values(**values))


def _differs(row: Row[Any], values: Mapping[str, Any]) -> bool:
    stored_values = row._mapping
    return any(stored_values[name] != value for name, value in values.items())


def _encoded(books: VideoBooks) -> str:
    return msgspec.json.encode(books._replace(labels=dict(sorted(books.labels.items())))).decode()
