"""Standard output and error: log lines, and streams that are closed or break on a full disk or pipe."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from frametally.process.reports import stamped

_LOGGERS = ("frametally", "frametally_web")
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed() -> None:
    """Redirect streams that the caller has closed (`>&-`) to the null device.

    Otherwise the next opened file would get their numbers, and libraries would print into it.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


def silence_broken() -> None:
    """Discard what broken streams still hold; Python would report the error again at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def log_lines() -> None:
    """From now on, add time and level to each printed line, except on a terminal; see `as_before`.

    For long-running commands, whose output is a log. Blank lines are left out.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not stream.isatty() and not isinstance(stream, _LogLines):
            setattr(sys, name, _LogLines(stream))
    if isinstance(sys.stderr, _LogLines):
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(_RECORDS)


def is_worth_a_line(stage: str, *, is_news: bool) -> bool:
    """Return whether to print a round's result: in a log, only the first and those that did work."""
    if not isinstance(sys.stdout, _LogLines):
        return True
    is_first = stage not in sys.stdout.stages
    sys.stdout.stages.add(stage)
    return is_news or is_first


@contextmanager
def as_before() -> Iterator[None]:
    """Undo the effect of `log_lines` at the end."""
    before = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(_RECORDS)


class _LogLines(io.TextIOBase):
    """Writes whole lines to a stream, each with time and level; threads may share it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""
        self.stages: set[str] = set()
        self._writing = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        with self._writing:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in filter(str.strip, lines):
                self._stream.write(f"{stamped(line)}\n")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


class _Records(logging.Handler):
    """Writes our own log records to standard error; our errors already cover libraries' failures."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            for line in self.format(record).splitlines():
                sys.stderr.write(f"{stamped(line, record.levelname)}\n")
            sys.stderr.flush()
        except OSError:
            self.handleError(record)


_RECORDS = _Records(logging.WARNING)
