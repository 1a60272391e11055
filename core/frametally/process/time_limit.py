"""Sets a time limit around queries, which adapters enforce."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from frametally.errors import Retryable

_deadline_s: ContextVar[float | None] = ContextVar("frametally_deadline", default=None)
_request_end_s: ContextVar[float | None] = ContextVar("frametally_request_end", default=None)


class TookTooLong(Retryable):
    """A query was ended at its time limit; the remedy is a smaller query or a higher limit."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit all queries in the block to `seconds` in total; end later ones with `TookTooLong`.

    In nested limits, the earliest end applies. The limit is for this thread only.
    """
    outer_s = _deadline_s.get()
    deadline_s = time.monotonic() + seconds
    token = _deadline_s.set(deadline_s if outer_s is None else min(outer_s, deadline_s))
    try:
        yield
    finally:
        _deadline_s.reset(token)


@contextmanager
def request_limit(seconds: float) -> Iterator[None]:
    """Limit a whole request to `seconds`: its queries, as `time_limit`, and its calls to the store."""
    token = _request_end_s.set(time.monotonic() + seconds)
    try:
        with time_limit(seconds):
            yield
    finally:
        _request_end_s.reset(token)


def is_request_over() -> bool:
    """Return whether the time of the whole request is over."""
    end_s = _request_end_s.get()
    return end_s is not None and time.monotonic() >= end_s


def seconds_left() -> float | None:
    """Return the seconds until the limit, or None if there is no limit.

    Raises:
        TookTooLong: No time is left.
    """
    deadline_s = _deadline_s.get()
    if deadline_s is None:
        return None
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TookTooLong("the count index took longer than the query's time limit")
    return left_s


def end_of_limit_s() -> float | None:
    """Return when the limit ends, by the monotonic clock, or None if there is none; it may be over."""
    return _deadline_s.get()


def is_time_for(seconds: float) -> bool:
    """Return whether there are more than `seconds` until the limit, or no limit."""
    deadline_s = _deadline_s.get()
    return deadline_s is None or time.monotonic() + seconds < deadline_s


@contextmanager
def patient(connection: Any, left_s: float | None) -> Iterator[None]:
    """Let SQLite's `connection` wait for others' locks for at most `left_s`; None leaves it unchanged."""
    (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    if left_s is not None:
        connection.execute(f"PRAGMA busy_timeout = {min(max(1, int(left_s * 1000)), patience_ms)}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
