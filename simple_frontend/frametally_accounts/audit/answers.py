"""Answers of the audit log: who changed what."""

from __future__ import annotations

import msgspec

from frametally.actions.answers import Answer
from frametally_accounts.audit_records import AuditRecord


class ToldChange(Answer, frozen=True, kw_only=True):
    """A change, or the attempt at one.

    Attributes:
        number: Number of the change's first record in the audit log.
        at_ms: Time of the request, by the database's clock.
        who: Name of an account; `(open)`, `(nobody)` or `(command) <user of the system>`.
        what: The route or the command.
        target: The changed object; empty if its name is unknown or secret.
        origin: Address of the client, or `command line`.
        status: HTTP status of the answer, or exit code of the command; null if its end was not recorded.
    """

    number: int
    at_ms: int
    who: str
    what: str
    target: str
    origin: str
    status: int | None


class AuditLog(Answer, frozen=True, kw_only=True):
    """`/api/audit`: changes and refused changes, the newest first.

    Attributes:
        changes: A page of changes.
        next: `before` of the next page; 0 at the end.
    """

    changes: list[ToldChange]
    next: int


def change_of(change: AuditRecord) -> ToldChange:
    """Return the API's answer for a change."""
    return msgspec.convert({**change._asdict(), **change.entry._asdict()}, ToldChange)
