"""The outbox: news for people by mail, each item once, however often it is put."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Select, and_, insert, select, update

from frametally.adapters.sql.clock import is_due, next_number, now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally_videos import tables


class Notice(NamedTuple):
    """One item of news.

    Attributes:
        id: Names the item and its rule, by hash: the same item is sent once.
        state: `queued` until it is sent, or given up.
    """

    id: str
    subject: str
    body: str
    state: Literal["queued", "sent", "failed"] = "queued"
    attempts: int = 0
    reason: str | None = None
    created_at_ms: int = 0


class Letter(NamedTuple):
    """One mail; once begun, its notices stay the same, so that a second copy can be recognized.

    Attributes:
        id: By hash of its notices' ids.
        attempts: How often its sending was begun, this time too.
    """

    id: str
    notices: list[Notice]
    attempts: int


_notices = tables.notices.c


class Outbox:
    """Notices in a database, each put once. All methods may raise `Retryable`."""

    _database: SqlDatabase

    def put_notice(self, notice_id: str, subject: str, body: str) -> bool:
        """Put a notice into the outbox; False: it is there already, and stays as it is."""
        is_it = _notices.id == notice_id
        with self._database.reading() as connection:
            if connection.execute(select(_notices.id).where(is_it)).first():
                return False
        with self._database.writing() as connection:
            if connection.execute(select(_notices.id).where(is_it)).first():
                return False
            time_ms = now_ms(connection)
            notice = Notice(notice_id, subject, body, created_at_ms=time_ms)
            number = next_number(connection, tables.about)
            values = {**notice._asdict(), "number": number, "letter": "", "due_at_ms": time_ms}
            connection.execute(insert(tables.notices).values(**values))
            return True

    def claim_letter(self, *, waited_s: float, limit: int, lease_s: float) -> Letter | None:
        """Return the next mail to send, and lease it for `lease_s`; None: there is no mail.

        Args:
            waited_s: Notices become a mail once the oldest has waited for that long.
            limit: Most notices in one mail.
            lease_s: How long it takes at most to send it.
        """
        with self._database.reading() as connection:
            if not _next_letter(connection, waited_s, limit):
                return None
        with self._database.writing() as connection:
            notices = _next_letter(connection, waited_s, limit)
            if not notices:
                return None
            ids = [notice.id for notice in notices]
            letter = Letter(
                hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32], notices, notices[0].attempts + 1
            )
            connection.execute(
                update(tables.notices)
                .where(_notices.id.in_(ids))
                .values(
                    letter=letter.id,
                    attempts=letter.attempts,
                    due_at_ms=now_ms(connection) + round(lease_s * 1000),
                )
            )
            return letter

    def end_letter(
        self,
        letter: Letter,
        state: Literal["sent", "failed", "queued"],
        *,
        reason: str | None = None,
        again_after_s: float = 0.0,
    ) -> bool:
        """Record the result of a claimed mail; return False if another sender has claimed it since."""
        holds_lease = and_(
            _notices.letter == letter.id, _notices.attempts == letter.attempts, _notices.state == "queued"
        )
        with self._database.writing() as connection:
            due_at_ms = now_ms(connection) + round(again_after_s * 1000)
            values = {"state": state, "reason": reason, "due_at_ms": due_at_ms}
            return bool(
                connection.execute(update(tables.notices).where(holds_lease).values(**values)).rowcount
            )

    def notices(self, limit: int) -> list[Notice]:
        """Return the newest notices, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(_select().order_by(_notices.number.desc()).limit(limit))
            return [Notice._make(row) for row in rows]


def _next_letter(connection: Connection, waited_s: float, limit: int) -> list[Notice]:
    """Return the notices of the mail that was begun first, else the waiting ones; empty: it is not time."""
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
