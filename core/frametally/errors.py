"""Errors that decide policy by their type.

Every message is one line: what is wrong, with which thing, and what to do about it.
"""


class FrametallyError(Exception):
    """Base of every error that frametally raises on purpose; the command line prints it as one line."""


class Retryable(FrametallyError):
    """The outside world failed for now (a time-out, a server away, a body cut short): try again later."""


class Poison(FrametallyError):
    """This one item can never succeed: set it aside with its reason and go on with the next."""


class Misconfigured(FrametallyError):
    """Nothing can be done until a person changes a setting, a file or a right: stop."""
