"""Errors, by what a caller should do: retry, skip or stop.

Every message is one line: what is wrong, with which thing, and what to do about it.
"""


class FrametallyError(Exception):
    """Base of every error that frametally raises on purpose; the command line prints it as one line."""


class Retryable(FrametallyError):
    """The outside world failed for now (a time-out, a server away, a body cut short): try again later.

    Attributes:
        part: The part of frametally that is away, as people call it (`count index`, `PostgreSQL server`);
            empty: not known.
    """

    def __init__(self, line: str, *, part: str = "") -> None:
        """Say what failed; the part may be shown to people who may not know where it runs."""
        super().__init__(line)
        self.part = part


class Poison(FrametallyError):
    """This one item can never succeed: set it aside with its reason and go on with the next."""


class Misconfigured(FrametallyError):
    """Nothing can be done until a person changes a setting, a file or a right: stop."""


class Damaged(Misconfigured):
    """A database is not as it was written. A cache can be filled again; anything else, a person restores.

    Attributes:
        finding: What is damaged and how, without the remedy.
    """

    def __init__(self, finding: str, remedy: str) -> None:
        """Say what is damaged and what to do."""
        super().__init__(f"{finding}; {remedy}")
        self.finding = finding


def unknown_host(where: str, setting: str, reason: str = "unknown host", *, part: str) -> Retryable:
    """Return that the name of `where` is not known, as `reason`: a container that is stopped has none.

    Away, and a name that is wrong in `setting`, look alike.
    """
    return Retryable(
        f"{where}: {reason}: the server is down, or its name is wrong; start it, or check {setting}",
        part=part,
    )
