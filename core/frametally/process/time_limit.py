"""The time that a caller is ready to wait, set around a query; adapters keep it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from frametally.errors import Retryable

_deadline_s: ContextVar[float | None] = ContextVar("frametally_deadline", default=None)


class TookTooLong(Retryable):
    """A query was ended at its time limit: ask for less, or raise the limit."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Whatever is asked inside is answered within `seconds`, all together, or ends with `TookTooLong`.

    Of limits within limits the earliest end holds. It counts for this thread alone.
    """
    outer_s = _deadline_s.get()
    deadline_s = time.monotonic() + seconds
    token = _deadline_s.set(deadline_s if outer_s is None else min(outer_s, deadline_s))
    try:
        yield
    finally:
        _deadline_s.reset(token)


def seconds_left() -> float | None:
    """Return the seconds until the limit; None if there is none.

    Raises:
        TookTooLong: None are left.
    """
    deadline_s = _deadline_s.get()
    if deadline_s is None:
        return None
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TookTooLong("the count index took longer than the query's time limit")
    return left_s


def is_time_for(seconds: float) -> bool:
    """Tell whether so much is left until the limit, if there is one."""
    deadline_s = _deadline_s.get()
    return deadline_s is None or time.monotonic() + seconds < deadline_s
