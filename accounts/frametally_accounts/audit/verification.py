"""Whether the records are those that were written: all of them, unchanged, in their order."""

from __future__ import annotations

from typing import NamedTuple

from frametally_accounts.audit.verdicts import AuditChain
from frametally_accounts.audit_entries import digest_of


class AuditBreak(NamedTuple):
    """The first record that is not as it was written.

    Attributes:
        number: Its number.
        why: What is wrong with it, in one line.
    """

    number: int
    why: str


class Held(NamedTuple):
    """What is known of a record from elsewhere.

    Attributes:
        number: Its number.
        digest: Its digest, as hex digits.
    """

    number: int
    digest: str


def first_break(chain: AuditChain, held: Held | None = None) -> AuditBreak | None:
    """Return the first record that is not as it was written; None: all are.

    Whoever may write to the whole database can make a chain of their own: only what is `held` elsewhere
    tells that.
    """
    digest, expected = "", 1
    for record in chain.records:
        if record.number != expected:
            return AuditBreak(expected, "is missing")
        if expected >= chain.following:
            return AuditBreak(expected, "was not written by frametally: it is beyond the last")
        digest = digest_of(digest, record.number, record.at_ms, record.entry)
        if record.digest != digest:
            return AuditBreak(expected, "is not what was written, or not where it was written")
        if held is not None and held.number == expected and held.digest != digest:
            return AuditBreak(expected, "is another than the one that is held elsewhere")
        expected += 1
    if expected < chain.following:
        return AuditBreak(expected, "is missing")
    if digest != chain.head:
        return AuditBreak(max(1, expected - 1), "is not the last that was written")
    if held is not None and held.number >= expected:
        return AuditBreak(held.number, "is missing")
    return None
