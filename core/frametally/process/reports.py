"""Reports the progress and skipped inputs of stages to people."""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Iterable, Sized
from contextlib import suppress
from typing import Literal, NamedTuple, Protocol

from frametally.process.exit_codes import NOTHING_DONE, PART_DONE
from frametally.rules.times import DAY_S, HOUR_S


def plural(number: int, noun: str, nouns: str = "", *, form: str = "") -> str:
    """Return a number with its noun, such as "1 frame"; `nouns` is the plural, by default with an s."""
    return f"{number:{form}} {noun if number == 1 else nouns or noun + 's'}"


def size_text(byte_count: float) -> str:
    """Return a number of bytes for people, such as "1.5 GB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if byte_count < 1000:
            return f"{byte_count:.0f} {unit}" if unit in ("bytes", "kB") else f"{byte_count:.1f} {unit}"
        byte_count /= 1000
    return f"{byte_count:.1f} TB"


def duration_text(seconds: float) -> str:
    """Return a duration for people, such as "6 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / HOUR_S:.0f} h" if seconds < 100 * HOUR_S else f"{seconds / DAY_S:.0f} d"


class Skipped(NamedTuple):
    """Something that was set aside: its name, and the reason with the remedy."""

    name: str
    reason: str


class Progress(Protocol):
    """Receives the progress of a stage; the command line shows it as bars."""

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Show that `done` of `total` units (None if unknown) are done; `note` names the current one."""

    def say(self, line: str) -> None:
        """Show a line for people now."""


class NoProgress:
    """Ignores all progress."""

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Do nothing."""

    def say(self, line: str) -> None:
        """Do nothing."""


class Standing(NamedTuple):
    """The progress of producing an archive, in files and in bytes of these files.

    Attributes:
        files_total: All files.
        files_finished: Files that this call has produced, completely or in part.
        files_known: Files that an earlier call had finished.
        files_skipped: Files that were set aside.
        bytes_total: Size of all files.
        bytes_passed: Size of files that needed no work.
        bytes_worked: Size of processed files, including the finished part of the current one.
        frames_announced: Frames that this call announced.
        at_hand: Name of the current file.
        doing: The current step, in a word or two.
    """

    files_total: int = 0
    files_finished: int = 0
    files_known: int = 0
    files_skipped: int = 0
    bytes_total: int = 0
    bytes_passed: int = 0
    bytes_worked: float = 0.0
    frames_announced: int = 0
    at_hand: str = ""
    doing: str = ""


def exit_code(*, done_count: int, skipped: Sized) -> int:
    """Return 0 if all went well, 6 if something was skipped, 2 if nothing could be done."""
    if not skipped:
        return 0
    return PART_DONE if done_count else NOTHING_DONE


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
    """Return the line prefixed with time and level, unless it already is.

    A line that begins like an error or a warning gets that level.
    """
    if _STAMP.match(line) or is_json_line(line):
        return line
    level = next((named_level for begin, named_level in _LEVELS.items() if line.startswith(begin)), level)
    moment = now or datetime.datetime.now().astimezone()
    if _log_lines == "json":
        return _json_line(level, moment, {"message": line})
    return f"{moment.isoformat(timespec='seconds')} {level:<7} {line}"


LogLines = Literal["text", "json"]
_log_lines: LogLines = "text"
_JSON_BEGIN = '{"time": "'


def is_json_line(line: str) -> bool:
    """Return whether a line is one of a log in JSON."""
    return line.startswith(_JSON_BEGIN)


def write_log_lines(form: LogLines) -> None:
    """Write the lines of logs as text or as JSON from now on."""
    global _log_lines
    _log_lines = form


def log_step(step: str, **ids: str | int | Iterable[str]) -> None:
    """Write a JSON line that a step is done with what `ids` name; logs of text do not have these lines.

    `media` are media ids, `run` and `runs` run ids: they lead from the producer to an answer. Iterators are
    read only if there is a line.
    """
    if _log_lines == "json":
        values = {
            name: value if isinstance(value, str | int) else sorted(set(value)) for name, value in ids.items()
        }
        line = _json_line("INFO", datetime.datetime.now().astimezone(), {"step": step, **values})
        with suppress(OSError, ValueError):  # work goes on even if nothing reads the log
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def _json_line(level: str, moment: datetime.datetime, fields: dict[str, object]) -> str:
    command = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    head = {"time": moment.isoformat(timespec="milliseconds"), "level": level, "command": command}
    return json.dumps(head | fields, ensure_ascii=False)


def without_stamp(line: str) -> tuple[str, str]:
    """Return the stamp of a stamped line of text and the rest, or "" and the line."""
    match = _STAMP.fullmatch(line)
    return (match[1], match[2]) if match else ("", line)
