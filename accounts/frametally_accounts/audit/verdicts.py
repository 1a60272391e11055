"""What the audit book is asked, and what its verification says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from frametally_accounts.audit_entries import AuditEntry, AuditRecord


class AuditQuestion(NamedTuple):
    """Which changes are asked for.

    Attributes:
        who: By this one alone; empty: by all.
        what: Whose route, command or target has this text in it; empty: all.
        from_ms: Not before.
        to_ms: Before; 0: up to now.
    """

    who: str = ""
    what: str = ""
    from_ms: int = 0
    to_ms: int = 0


EVERYTHING = AuditQuestion()


class AuditedChange(NamedTuple):
    """A change, or the attempt at one.

    Attributes:
        number: Of its first record.
        at_ms: When, by the database's clock.
        entry: Who, what and from where, as it was known in the end.
    """

    number: int
    at_ms: int
    entry: AuditEntry


class AuditChain(NamedTuple):
    """All records as they stand at one moment.

    Attributes:
        following: The number that the next is to have.
        head: Digest of the last that was written; empty: none was.
        records: By number.
    """

    following: int
    head: str
    records: Iterator[AuditRecord]
