"""Converts a video's record to and from its row in the tables, and builds queries for videos."""

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
from frametally_videos.catalogue.catalogue_rows import (
    Artifact,
    VideoBooks,
    VideoOrder,
    VideoQuestion,
    VideoRow,
)
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


class _Cursor(msgspec.Struct, array_like=True, frozen=True):
    order: VideoOrder
    newest_first: bool
    value: int | str
    id: str


def columns_of_record(record: VideoRecord, version: str) -> dict[str, Any]:
    """Return the columns of a video's row that its record determines."""
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
    """Return a video's place in event time: its first frame's, or else the file's start time."""
    times_ms = (first_captured_at_ms, record.facts.started_at_ms, _UNKNOWN_MS)
    return next(time_ms for time_ms in times_ms if time_ms is not None)


# Created before any threads start; see `records.decode`.
_books = msgspec.json.Decoder(VideoBooks)
_cursors = msgspec.json.Decoder(_Cursor)


def searchable(text: str) -> str:
    """Return `text` in a form that any database can store, without differences of case or Unicode form."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return plain.replace("\0", " ").encode(errors="replace").decode()


def video_of(row: Row[Any], artifacts: Sequence[Artifact]) -> VideoRow:
    """Return the video of a row."""
    row_values = {name: value for name, value in row._mapping.items() if name in VideoRow._fields}
    record = decode(row.record.encode(), VideoRecord)
    return VideoRow(
        **row_values | {"record": record, "books": _books.decode(row.books), "artifacts": tuple(artifacts)}
    )


def conditions(question: VideoQuestion) -> list[ColumnElement[bool]]:
    """Return the conditions for the videos of a question, on any page."""
    videos = tables.videos.c
    clauses: list[ColumnElement[bool]] = [
        videos.searched.contains(word, autoescape=True) for word in searchable(question.text).split()
    ]
    if question.sources:
        clauses.append(videos.source.in_(question.sources))
    if question.states:
        clauses.append(videos.state.in_(question.states))
    if question.client_id:
        clauses.append(is_of_client(question.client_id))
    if question.has_moved_counts:
        clauses.append(videos.record.contains('"moved_from":{'))
    return clauses


def is_of_client(client_id: str) -> ColumnElement[bool]:
    """Return the condition for videos whose bytes a client uploaded, first or after another client."""
    uploads, videos = tables.uploads.c, tables.videos.c
    again_uploaded = select(uploads.video_id).where(
        uploads.client_id == client_id, uploads.state == "accepted"
    )
    return or_(videos.client_id == client_id, videos.id.in_(again_uploaded))


def select_page(question: VideoQuestion) -> Select[Any]:
    """Return a query for a page plus one video, which shows whether there is a next page.

    Raises:
        Poison: The cursor is not valid, or belongs to another order.
    """
    by, video_id = _ORDERS[question.order], tables.videos.c.id
    clauses = conditions(question)
    if question.cursor:
        value, last_id = _read_cursor(question)
        place, last = tuple_(by, video_id), tuple_(value, last_id)
        clauses.append(place < last if question.newest_first else place > last)
    ways = [column.desc() if question.newest_first else column.asc() for column in (by, video_id)]
    return select(tables.videos).where(and_(True, *clauses)).order_by(*ways).limit(question.limit + 1)


def cursor_after(question: VideoQuestion, row: Row[Any]) -> str:
    """Return the cursor of the page that begins after the video of `row`."""
    value = getattr(row, str(_ORDERS[question.order].key))
    cursor = _Cursor(
        question.order, question.newest_first, value.hex() if isinstance(value, bytes) else value, row.id
    )
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _read_cursor(question: VideoQuestion) -> tuple[int | bytes, str]:
    wrong = Poison(
        "this cursor does not belong to a page of these videos: leave it out to begin at the first page"
    )
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
