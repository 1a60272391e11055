"""The records of the audit log, in which each digest covers the previous one.

A change has two records: one before it is made, one when it ends. If the second is missing, the program ended
in between.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from frametally.actions.calls import Call

OPEN = "(open)"
"""Name recorded if the server has no accounts; account names never have brackets."""
NOBODY = "(nobody)"
"""Name recorded for a client that is not signed in."""

_MOST_CHARS = 100
_MOST_TARGET_CHARS = 400
_MOST_VALUE_CHARS = 120
_PLAIN_VALUE = re.compile(r"[\w.:@+/-]+")


class AuditEntry(NamedTuple):
    """An entry to record.

    Attributes:
        who: Name of an account, `OPEN`, `NOBODY`, or `(command) <user of the system>`.
        what: The route or the command, such as `DELETE /api/videos/{}`.
        target: The changed object, such as `video_id=…`; never a secret.
        origin: An address, or `command line`.
        ends: Number of the record that this one ends, or 0.
        status: HTTP status or exit code at the end; None if the change has not ended.
    """

    who: str
    what: str
    target: str
    origin: str
    ends: int = 0
    status: int | None = None


def entry_of(call: Call, status: int | None = None) -> AuditEntry:
    """Return the entry for a call that changes something; `status` if it has ended."""
    target = " ".join(f"{name}={_text_of(value)}" for name, value in call.target.items())
    origin = f"{call.origin} (token {call.token})" if call.token else call.origin
    return AuditEntry(call.user_name or NOBODY, call.action, target, origin, call.number, status)


class AuditRecord(NamedTuple):
    """A recorded change: its first record, with the entry of its last if it has ended.

    Attributes:
        number: Starts at 1 and increases by one.
        at_ms: Time of the record, by the database's clock.
        digest: SHA-256 over the previous digest and this record, as hex digits; see `digest_of`.
    """

    number: int
    at_ms: int
    entry: AuditEntry
    digest: str = ""


def bounded(entry: AuditEntry) -> AuditEntry:
    """Return an entry that is safe to store and show: limited in length, without control characters."""
    return entry._replace(
        who=_plain(entry.who, _MOST_CHARS),
        what=_plain(entry.what, _MOST_CHARS),
        target=_plain(entry.target, _MOST_TARGET_CHARS),
        origin=_plain(entry.origin, _MOST_CHARS),
    )


def digest_of(before: str, number: int, at_ms: int, entry: AuditEntry) -> str:
    """Return a record's digest.

    SHA-256 over the previous record's digest (empty for the first), a line feed, and the JSON array `[number,
    at_ms, who, what, target, origin, ends, status]`, without blanks, in ASCII.
    """
    text = json.dumps([number, at_ms, *entry], separators=(",", ":"), default=repr)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def _text_of(value: object) -> str:
    """Return a value in a form in which no two values look the same."""
    text = str(value)[:_MOST_VALUE_CHARS]
    return text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _plain(text: str, most: int) -> str:
    plain = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


class AuditQuestion(NamedTuple):
    """A query of the audit log.

    Attributes:
        who: Only changes by this account; empty for all.
        what: Only changes whose route, command or target contains this text; empty for all.
        from_ms: Earliest time.
        to_ms: End, exclusive; 0 means now.
    """

    who: str = ""
    what: str = ""
    from_ms: int = 0
    to_ms: int = 0


EVERYTHING = AuditQuestion()


class AuditChain(NamedTuple):
    """All records at one time.

    Attributes:
        following: Number of the next record.
        head: Digest of the last record; empty if there is none.
        records: Records by number.
    """

    following: int
    head: str
    records: Iterator[AuditRecord]


class AuditBreak(NamedTuple):
    """The first record that does not match its digest, and the fault, in one line."""

    number: int
    why: str


class Held(NamedTuple):
    """A record that you keep elsewhere: its number, and its digest as hex digits."""

    number: int
    digest: str


def first_break(chain: AuditChain, known_record: Held | None = None) -> AuditBreak | None:
    """Return the first record that does not match its digest, or None if all are intact.

    Anyone who can write to the whole database can forge a whole chain. Only a record that you keep elsewhere
    (`known_record`) reveals that.
    """
    digest, expected = "", 1
    for record in chain.records:
        if record.number != expected:
            return AuditBreak(expected, "is missing")
        if expected >= chain.following:
            return AuditBreak(expected, "was not written by frametally: it comes after the last record")
        digest = digest_of(digest, record.number, record.at_ms, record.entry)
        if record.digest != digest:
            return AuditBreak(expected, "was changed or moved")
        if known_record is not None and known_record.number == expected and known_record.digest != digest:
            return AuditBreak(expected, "does not match the record that you keep elsewhere")
        expected += 1
    if expected < chain.following:
        return AuditBreak(expected, "is missing")
    if digest != chain.head:
        return AuditBreak(max(1, expected - 1), "is not the last record that was written")
    if known_record is not None and known_record.number >= expected:
        return AuditBreak(known_record.number, "is missing")
    return None
