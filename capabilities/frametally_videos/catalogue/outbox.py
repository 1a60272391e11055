"""The outbox: news for people by mail, each item sent once, however often it is put."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from frametally.adapters.sql.clock import is_due, now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally.work.leases import look_then_write
from frametally.work.outbox import Outbox
from frametally.work.sending import MessageState
from frametally_videos import tables


class Notice(NamedTuple):
    """An item of news.

    Attributes:
        id: Hash of the item and its rule, so that the same item is sent once.
        state: `queued` until it is sent or given up.
    """

    id: str
    subject: str
    body: str
    state: MessageState = "queued"
    attempts: int = 0
    reason: str | None = None
    created_at_ms: int = 0


class Letter(NamedTuple):
    """A mail; its notices stay the same from the first attempt, so that a second copy can be recognized.

    Attributes:
        id: Hash of its notices' IDs.
        attempts: Number of attempts to send it, including this one.
    """

    id: str
    notices: list[Notice]
    attempts: int


_notices = tables.notices.c
_OUTBOX = Outbox(tables.notices, key="letter")


class NoticeBook:
    """Notices in a database, each put once. All methods may raise `Retryable`."""

    _database: SqlDatabase

    def put_notice(self, notice_id: str, subject: str, body: str) -> bool:
        """Put a notice into the outbox. Return False, and change nothing, if it is already there."""

        def is_new(connection: Connection) -> bool:
            query = select(_notices.id).where(_notices.id == notice_id)
            return connection.execute(query).first() is None

        def put(connection: Connection, is_new: bool) -> bool:
            _OUTBOX.put(connection, notice_id, subject=subject, body=body, letter="")
            return is_new

        return look_then_write(self._database, is_new, put) or False

    def claim_letter(self, *, waited_s: float, limit: int, lease_s: float) -> Letter | None:
        """Lease the next mail to send and return it, or None if there is none.

        Args:
            waited_s: How long the oldest notice must have waited before notices become a mail.
            limit: The most notices in one mail.
            lease_s: The longest time that sending can take.
        """

        def take(connection: Connection, notices: list[Notice]) -> Letter:
            ids = [notice.id for notice in notices]
            letter_id = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
            _OUTBOX.claim(connection, _notices.id.in_(ids), lease_s, letter=letter_id)
            return Letter(letter_id, notices, notices[0].attempts + 1)

        return look_then_write(
            self._database, lambda connection: _next_letter(connection, waited_s, limit), take
        )

    def end_letter(self, letter: Letter, state: MessageState, **how: Any) -> bool:
        """Record the result of a claimed mail; see `Outbox.end_message`."""
        with self._database.writing() as connection:
            return _OUTBOX.end_message(connection, letter, state, **how)

    def notices(self, limit: int) -> list[Notice]:
        """Return the latest notices, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(_select().order_by(_notices.number.desc()).limit(limit))
            return [Notice._make(row) for row in rows]


def _next_letter(connection: Connection, waited_s: float, limit: int) -> list[Notice]:
    """Return the notices of the oldest unsent mail, or else the waiting ones; none if it is not time yet."""
    time_ms = now_ms(connection)
    queued = _notices.state == "queued"
    first = connection.execute(
        select(_notices.letter, _notices.created_at_ms)
        .where(queued, is_due(_notices.due_at_ms, time_ms))
        .order_by(_notices.number)
        .limit(1)
    ).first()
    if first is None or (not first.letter and 0 <= time_ms - first.created_at_ms < waited_s * 1000):
        return []
    query = _select().where(queued, _notices.letter == first.letter).order_by(_notices.number)
    return [Notice._make(row) for row in connection.execute(query if first.letter else query.limit(limit))]


def _select() -> Select[Any]:
    return select(*(_notices[name] for name in Notice._fields))
