"""The answers about who changed what."""

from __future__ import annotations

from frametally_accounts.audit.verdicts import AuditedChange
from frametally_web.requests.answers import Answer


class ToldChange(Answer, frozen=True, kw_only=True):
    """A change, or the attempt at one.

    Attributes:
        number: Of its first record in the audit log.
        at_ms: When it was asked for, by the database's clock.
        who: Name of an account; `(open)`, `(nobody)` or `(command) <user of the system>`.
        what: The route or the command.
        target: What it was done to; empty: what it is named by is not known, or secret.
        origin: From which address, or `command line`.
        status: HTTP status of the answer, or exit code of the command; null: it has no end that is known.
    """

    number: int
    at_ms: int
    who: str
    what: str
    target: str
    origin: str
    status: int | None


class AuditLog(Answer, frozen=True, kw_only=True):
    """`/api/audit`: what was changed or refused to be, the newest first.

    Attributes:
        changes: A page of them.
        next: `before` of the next page; 0 at the end.
    """

    changes: list[ToldChange]
    next: int


def change_of(change: AuditedChange) -> ToldChange:
    """Return a change as it is answered."""
    entry = change.entry
    return ToldChange(
        number=change.number,
        at_ms=change.at_ms,
        who=entry.who,
        what=entry.what,
        target=entry.target,
        origin=entry.origin,
        status=entry.status,
    )
