"""Raises an exception when a signal comes, but not within a library that would log or swallow it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

_LOOK_AGAIN_S, _AT_THE_LATEST_S = 0.01, 1.0


def raise_on_signal(error: Callable[[], BaseException]) -> Callable[[int, FrameType | None], None]:
    """Return a handler for `signal.signal` that raises `error()` in the main thread, within a second."""
    raise_at_s: float | None = None

    def handle(signal_number: int, stack_frame: FrameType | None) -> None:
        nonlocal raise_at_s
        now_s = time.monotonic()
        if _would_be_lost(stack_frame) and (raise_at_s is None or now_s < raise_at_s):
            raise_at_s = raise_at_s or now_s + _AT_THE_LATEST_S
            signal.signal(signal.SIGALRM, handle)
            signal.setitimer(signal.ITIMER_REAL, _LOOK_AGAIN_S)
            return
        if raise_at_s is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            raise_at_s = None
        raise error()

    return handle


def _would_be_lost(frame: FrameType | None) -> bool:
    """Return whether SQLAlchemy, which logs a traceback, or a `__del__`, which swallows it, is at work."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package == "sqlalchemy" or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
