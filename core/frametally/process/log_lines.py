"""Lines of a log: the time with its zone, the level, and what is said."""

from __future__ import annotations

import datetime
import re

_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d (?:INFO|WARNING|ERROR|CRITICAL) +)(.*)", re.DOTALL
)
_LEVELS = {
    "error: ": "ERROR",
    "Traceback ": "ERROR",
    "warning: ": "WARNING",
    "waiting": "WARNING",
    "skipped ": "WARNING",
}


def stamped(line: str, level: str = "INFO", *, now: datetime.datetime | None = None) -> str:
    """Return the line with time and level before it; one that has them already stays as it is.

    A line that begins as errors and warnings do has that level.
    """
    if _STAMP.match(line):
        return line
    level = next((known for begin, known in _LEVELS.items() if line.startswith(begin)), level)
    at = (now or datetime.datetime.now().astimezone()).isoformat(timespec="seconds")
    return f"{at} {level:<7} {line}"


def without_stamp(line: str) -> tuple[str, str]:
    """Return time and level of a stamped line, as they stand in it, and the rest; else "" and the line."""
    match = _STAMP.fullmatch(line)
    return (match[1], match[2]) if match else ("", line)
