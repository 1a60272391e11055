"""The audit book in a SQL database, SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.sql_book import CatalogueBook
from frametally.errors import Misconfigured
from frametally_accounts.audit import tables
from frametally_accounts.audit_records import (
    EVERYTHING,
    AuditChain,
    AuditEntry,
    AuditQuestion,
    AuditRecord,
    bounded,
    digest_of,
)

_AT_ONCE = 1000
_records = tables.records.c


class AuditBook(CatalogueBook):
    """Records in the database at a URL. Processes may share it."""

    def write(self, entry: AuditEntry) -> int:
        """Add a record, and return its number. There is one writer at a time, so the chain has no forks.

        Raises:
            FrametallyError: It was not added, so its change must not be made.
        """
        entry = bounded(entry)
        with self._database.writing() as connection:
            number, head = connection.execute(select(tables.ends)).first() or (1, "")
            at_ms = now_ms(connection)
            digest = digest_of(head, number, at_ms, entry)
            values = {"number": number, "at_ms": at_ms, **entry._asdict(), "digest": digest}
            try:
                connection.execute(insert(tables.records).values(**values))
            except IntegrityError as error:
                raise Misconfigured(
                    f"frametally did not write record {number} of the audit log, so it refuses further "
                    "changes: run `frametally audit verify` to see where the damage begins"
                ) from error
            connection.execute(delete(tables.ends))
            connection.execute(insert(tables.ends).values(next_number=number + 1, head=digest))
        return int(number)

    def changes(
        self, limit: int, question: AuditQuestion = EVERYTHING, *, before: int = 0
    ) -> tuple[list[AuditRecord], int]:
        """Return a page of changes, newest first, and where the next page begins, or 0 at the end."""
        ends = tables.records.alias()
        query = (
            select(tables.records, *(ends.c[name].label(f"end_{name}") for name in AuditEntry._fields))
            .outerjoin(ends, ends.c.ends == _records.number)
            .where(_records.ends == 0)
            .order_by(_records.number.desc())
            .limit(limit + 1)
        )
        if question.who:
            query = query.where(or_(_records.who == question.who, ends.c.who == question.who))
        if question.what:
            sought = [
                func.lower(table.c[name]) for table in (tables.records, ends) for name in ("what", "target")
            ]
            query = query.where(
                or_(*(column.contains(question.what.lower(), autoescape=True) for column in sought))
            )
        if question.from_ms:
            query = query.where(_records.at_ms >= question.from_ms)
        if question.to_ms:
            query = query.where(_records.at_ms < question.to_ms)
        if before:
            query = query.where(_records.number < before)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        following = rows[limit - 1].number if len(rows) > limit else 0
        return [_change_of(row) for row in rows[:limit]], following

    @contextmanager
    def chain(self) -> Iterator[AuditChain]:
        """Return all records as of now."""
        with self._database.reading() as connection:
            following, head = connection.execute(select(tables.ends)).first() or (1, "")
            every = select(tables.records).order_by(_records.number).execution_options(yield_per=_AT_ONCE)
            with connection.execute(every) as rows:
                yield AuditChain(following, head, (_record_of(row) for row in rows))


def _record_of(row: Any) -> AuditRecord:
    entry = AuditEntry(*(getattr(row, name) for name in AuditEntry._fields))
    return AuditRecord(row.number, row.at_ms, entry, row.digest)


def _change_of(row: Any) -> AuditRecord:
    prefix = "" if row.end_ends is None else "end_"
    entry = AuditEntry(*(getattr(row, f"{prefix}{name}") for name in AuditEntry._fields))
    return AuditRecord(row.number, row.at_ms, entry)
