"""Errors, by what a caller should do: retry, skip or stop.

Every message is one line: what is wrong, with which thing, and what to do about it.
"""

from __future__ import annotations


class FrametallyError(Exception):
    """Base of every error that frametally raises on purpose; the command line prints it as one line.

    Attributes:
        detail: What is wrong, with which thing.
        remedy: What to do about it, as a clause; empty if `detail` is the whole message.
    """

    def __init__(self, detail: str, remedy: str = "") -> None:
        """Store the parts; as text, the error is one line with both."""
        super().__init__(f"{detail}; {remedy}" if remedy else detail)
        self.detail = detail
        self.remedy = remedy


class Retryable(FrametallyError):
    """The outside world failed for now (a time-out, a server that is down, a truncated body): retry later.

    Attributes:
        part: The unavailable part of frametally, as people call it (`count index`, `PostgreSQL server`);
            empty if unknown.
    """

    def __init__(self, detail: str, remedy: str = "", *, part: str = "") -> None:
        """Say what failed; the part may be shown to people who may not know where it runs."""
        super().__init__(detail, remedy)
        self.part = part


class DiskFull(Retryable):
    """There is no space left for a database or an object: someone must free some."""


class Poison(FrametallyError):
    """This one item can never succeed: set it aside with its reason and continue with the next."""


class Misconfigured(FrametallyError):
    """Nothing can be done until a person changes a setting, a file or a permission: stop."""


class Damaged(Misconfigured):
    """A database is not as it was written; a cache can be filled again, a person must restore all else."""


BEFORE_FIRST_RELEASE = "was made by a version before 0.4.0, which is not supported"
FIRST_LAYOUT = 10
"""The layout of all tables in the first release; those of versions before it have lower numbers."""


class TooOld(Misconfigured):
    """Data of a version before the first release, which no release reads or changes."""

    def __init__(self, subject: str, remedy: str) -> None:
        """Say what `subject` is, and what to do."""
        super().__init__(f"{subject} {BEFORE_FIRST_RELEASE}", remedy)


class RowDamaged(Exception):
    """A row's values differ from what was written; the database says so as `Damaged`."""


def unknown_host(where: str, setting: str, reason: str = "unknown host", *, part: str) -> Retryable:
    """Return the error, with `reason`, that the host of `where` is unknown, as a stopped container's is.

    A server that is down and a wrong name in `setting` look the same.
    """
    return Retryable(
        f"{where}: {reason}: the server is down, or its name is wrong; start it, or check {setting}",
        part=part,
    )
