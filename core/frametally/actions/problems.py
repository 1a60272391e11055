"""Problems: why an action refuses a call, in words for people and programs, and what to do.

An exception's text reaches the answer only if it was written for it: frametally's own message when a person
has to fix something. The rest goes to the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.process.meters import METERS
from frametally.rules.times import utc

RETRY_AFTER_S = 5

# The folder of a file at fault is only for the log.
_FOLDERS = re.compile(r"(?:(?<=sqlite:///)|(?<![\w/:.]))/(?:[^/\s'\"]+/)+")
_NAME = re.compile(r"frametally |\S*(?:[/_]|\.\S)")
"""Words at the start of a sentence that stay lower-case: our names, files, parameters and addresses."""


def without_folders(text: str) -> str:
    """Return a line with its files' names, but not their folders on this machine."""
    return _FOLDERS.sub("", text)


class Problem(Exception):
    """A request that gets an error answer: an HTTP status, the problem with a named thing, and the remedy."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        remedy: str,
        parameter: str | None = None,
        value: str | None = None,
        instead: Sequence[str] = (),
    ) -> None:
        """Store the parts of the answer; `parameter` is the query parameter at fault, if it is one.

        `value` is the wrong value of it, and `instead` has valid values, the nearest first.
        """
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.remedy = remedy
        self.parameter = parameter
        self.value = value
        self.instead = instead
        self.headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}

    @property
    def fault(self) -> dict[str, object]:
        """Return the answer's fields that name what is wrong in the request."""
        return {"parameter": self.parameter, "value": self.value, "instead": [*self.instead]}


def bad_parameter(
    name: str, detail: str, *, remedy: str, value: str | None = None, instead: Sequence[str] = ()
) -> Problem:
    """Return a 400 that names the parameter and the remedy, and valid values instead of `value`."""
    return Problem(400, detail, remedy=remedy, parameter=name, value=value, instead=instead)


def as_sentence(clause: str) -> str:
    """Return a line as a complete sentence; a name at its beginning, such as `media/a.json`, stays."""
    is_name = _NAME.match(clause) is not None
    return ended(clause if is_name else f"{clause[:1].upper()}{clause[1:]}")


def ended(clause: str) -> str:
    """Return a line with a full stop, unless it already ends with a mark."""
    return clause if clause.endswith(("?", ".")) else f"{clause}."


def problem_of(error: Exception) -> Problem:
    """Return the problem for `error`, with its text if it is one of our errors."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Retryable):
        part = f"The {error.part}" if error.part else "A part of frametally"
        return Problem(
            503,
            f"{part} is not responding at the moment.{_away_since(error.part)}",
            remedy="Try again in a few seconds; the server's log gives the reason.",
        )
    if isinstance(error, FrametallyError):
        remedy = without_folders(error.remedy) or "apply the remedy, then reload the page"
        return Problem(503, as_sentence(without_folders(error.detail)), remedy=as_sentence(remedy))
    return Problem(500, "The dashboard failed.", remedy="The server's log gives the reason.")


def _away_since(part: str) -> str:
    absence = METERS.absence(part)
    if absence is None or absence.back_since_ms is not None:
        return ""
    return f" It has been unavailable since {utc(absence.away_since_ms).replace('Z', ' UTC')}."


@contextmanager
def refusals(status: int) -> Iterator[None]:
    """Refuse a call with a status and our own message about what is not possible."""
    try:
        yield
    except Misconfigured as error:
        remedy = as_sentence(error.remedy or "Correct it, then try again")
        raise Problem(status, as_sentence(error.detail), remedy=remedy) from error
