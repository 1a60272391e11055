"""How a video and a job stand in the tables, and how a question about videos is asked of them."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, and_, or_, select, tuple_

from frametally.errors import Poison
from frametally.records import decode, encode
from frametally_videos import tables
from frametally_videos.ports.job_book import Job
from frametally_videos.ports.video_catalogue import Artifact, VideoBooks, VideoOrder, VideoQuestion, VideoRow
from frametally_videos.records import VideoRecord

_UNKNOWN_MS = -(2**53)
_NAME_BYTES = 400
_ORDERS: dict[VideoOrder, ColumnElement[Any]] = {
    "uploaded": tables.videos.c.uploaded_at_ms,
    "filmed": tables.videos.c.filmed_at_ms,
    "name": tables.videos.c.name_order,
    "length": tables.videos.c.length_ms,
    "size": tables.videos.c.size_bytes,
}
_JOB = tuple(tables.jobs.c[name] for name in Job._fields)


class _Cursor(msgspec.Struct, array_like=True, frozen=True):
    order: VideoOrder
    newest_first: bool
    value: int | str
    id: str


def columns_of_record(record: VideoRecord, version: str) -> dict[str, Any]:
    """Return the columns of a video's row that follow from its record."""
    facts = record.facts
    return {
        "sha256": record.sha256,
        "source": record.source,
        "record": encode(record).decode(),
        "version": version,
        "searched": searchable("\n".join((record.name, record.file_name, record.source_name, record.source))),
        "uploaded_at_ms": record.uploaded_at_ms,
        "name_order": searchable(record.name).encode()[:_NAME_BYTES],
        "length_ms": _UNKNOWN_MS if facts.duration_s is None else round(facts.duration_s * 1000),
        "size_bytes": record.size_bytes,
        "client_id": record.fields.client_id or "",
    }


def filmed_at_ms(record: VideoRecord, first_captured_at_ms: int | None) -> int:
    """Return where a video stands in event time: its first frame's, else what its file says."""
    for time_ms in (first_captured_at_ms, record.facts.started_at_ms):
        if time_ms is not None:
            return time_ms
    return _UNKNOWN_MS


# Made once, before there are threads: see `records.decode`.
_books = msgspec.json.Decoder(VideoBooks)
_cursors = msgspec.json.Decoder(_Cursor)


def searchable(text: str) -> str:
    """Return `text` as any database holds it, without case and ways of writing an accent."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return plain.replace("\0", " ").encode(errors="replace").decode()


def video_of(row: Row[Any], artifacts: Sequence[Artifact]) -> VideoRow:
    """Return the video that stands in a row."""
    return VideoRow(
        record=decode(row.record.encode(), VideoRecord),
        version=row.version,
        state=row.state,
        reason=row.reason,
        progress=row.progress,
        first_captured_at_ms=row.first_captured_at_ms,
        last_captured_at_ms=row.last_captured_at_ms,
        books=_books.decode(row.books),
        artifacts=tuple(artifacts),
    )


def job_of(row: Row[Any]) -> Job:
    """Return the job that stands in a row of `select_jobs`."""
    return Job._make(row)


def select_jobs() -> Select[Any]:
    """Return a query for jobs, in the order in which they were queued first."""
    return select(*_JOB).order_by(tables.jobs.c.number)


def conditions(question: VideoQuestion) -> list[ColumnElement[bool]]:
    """Return what holds of every video that is asked for, on whichever page."""
    videos = tables.videos.c
    found: list[ColumnElement[bool]] = [
        videos.searched.contains(word, autoescape=True) for word in searchable(question.text).split()
    ]
    if question.sources:
        found.append(videos.source.in_(question.sources))
    if question.states:
        found.append(videos.state.in_(question.states))
    if question.client_id:
        found.append(is_of_client(question.client_id))
    if question.has_moved_counts:
        found.append(videos.record.contains('"moved_from":{'))
    return found


def is_of_client(client_id: str) -> ColumnElement[bool]:
    """Return what holds of the videos whose bytes a client has uploaded, first or after another."""
    uploads, videos = tables.uploads.c, tables.videos.c
    again = select(uploads.video_id).where(uploads.client_id == client_id, uploads.state == "accepted")
    return or_(videos.client_id == client_id, videos.id.in_(again))


def select_page(question: VideoQuestion) -> Select[Any]:
    """Return a query for a page and one video more, by which one sees whether there is a next page.

    Raises:
        Poison: The cursor is none, or of another order.
    """
    by, video_id = _ORDERS[question.order], tables.videos.c.id
    where = conditions(question)
    if question.cursor:
        value, last_id = _read_cursor(question)
        here, last = tuple_(by, video_id), tuple_(value, last_id)
        where.append(here < last if question.newest_first else here > last)
    ways = [one.desc() if question.newest_first else one.asc() for one in (by, video_id)]
    return select(tables.videos).where(and_(True, *where)).order_by(*ways).limit(question.limit + 1)


def cursor_after(question: VideoQuestion, row: Row[Any]) -> str:
    """Return the cursor of the page that begins after the video of `row`."""
    value = getattr(row, str(_ORDERS[question.order].key))
    cursor = _Cursor(
        question.order, question.newest_first, value.hex() if isinstance(value, bytes) else value, row.id
    )
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _read_cursor(question: VideoQuestion) -> tuple[int | bytes, str]:
    wrong = Poison("this cursor is of no page of these videos: leave it out, and begin at the first page")
    text = question.cursor
    try:
        cursor = _cursors.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        value = bytes.fromhex(cursor.value) if isinstance(cursor.value, str) else cursor.value
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise wrong from error
    if (cursor.order, cursor.newest_first) != (question.order, question.newest_first):
        raise wrong
    if isinstance(value, bytes) != (question.order == "name") or "\0" in cursor.id:
        raise wrong
    if isinstance(value, int) and abs(value) >= 2**63:
        raise wrong
    return value, cursor.id
