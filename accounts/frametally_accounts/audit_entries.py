"""What the audit log holds, and how a record is bound to the one before.

A change is two records: one before it is made, one with how it ended. Where the second is missing, the
program ended in between.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

OPEN = "(open)"
"""Who changes something where there are no accounts; no account's name has brackets."""
NOBODY = "(nobody)"
"""Who asks without having logged in."""

_MOST_CHARS = 100
_MOST_TARGET_CHARS = 400


class AuditEntry(NamedTuple):
    """What is to be recorded.

    Attributes:
        who: Name of an account, `OPEN`, `NOBODY`, or `(command) <user of the system>`.
        what: The route or the command, such as `DELETE /api/videos/{}`.
        target: What it is done to, such as `video_id=…`; never anything secret.
        origin: An address, or `command line`.
        ends: Number of the record whose end this is; 0: none.
        status: How it ended: an HTTP status, or a command's exit code; None: it has not.
    """

    who: str
    what: str
    target: str
    origin: str
    ends: int = 0
    status: int | None = None


class AuditRecord(NamedTuple):
    """What was recorded.

    Attributes:
        number: 1, and one more with each record.
        at_ms: When, by the database's clock.
        entry: What.
        digest: SHA-256 over the digest before and all of this, as hex digits; see `digest_of`.
    """

    number: int
    at_ms: int
    entry: AuditEntry
    digest: str


def bounded(entry: AuditEntry) -> AuditEntry:
    """Return an entry that can be kept and shown: of bounded length, with nothing that steers a terminal."""
    return entry._replace(
        who=_plain(entry.who, _MOST_CHARS),
        what=_plain(entry.what, _MOST_CHARS),
        target=_plain(entry.target, _MOST_TARGET_CHARS),
        origin=_plain(entry.origin, _MOST_CHARS),
    )


def digest_of(before: str, number: int, at_ms: int, entry: AuditEntry) -> str:
    """Return a record's digest.

    SHA-256 over the digest of the record before (none before the first), a line feed, and the JSON array
    `[number, at_ms, who, what, target, origin, ends, status]`, without blanks, in ASCII.
    """
    text = json.dumps([number, at_ms, *entry], separators=(",", ":"), default=repr)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def _plain(text: str, most: int) -> str:
    plain = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
