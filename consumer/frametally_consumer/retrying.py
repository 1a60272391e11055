"""Trying again what the outside world refuses for now, with growing pauses and a word once a minute."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from frametally.errors import Retryable
from frametally.retrying import GivenUp, OnceAMinute

__all__ = ["Backoff", "GivenUp", "Patience"]

T = TypeVar("T")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_LOOK_UP_S = 0.1
"""While it pauses, a thread looks up that often whether the work is still wanted."""


class Backoff:
    """Pauses in seconds that double up to a bound, each with jitter."""

    def __init__(self, first_s: float = _FIRST_PAUSE_S, longest_s: float = _LONGEST_PAUSE_S) -> None:
        """The first pause is at most `first_s`, the longest at most `longest_s`."""
        self._first_s = self._pause_s = first_s
        self._longest_s = longest_s

    def next_s(self) -> float:
        """The next pause."""
        pause_s = self._pause_s
        self._pause_s = min(pause_s * 2, self._longest_s)
        # Jitter keeps workers that failed together from coming back together.
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def reset(self) -> None:
        """It worked: begin with the first pause again."""
        self._pause_s = self._first_s


class Patience:
    """What the threads of one worker share when something is away for now."""

    def __init__(self, say: Callable[[str], None], ended: threading.Event) -> None:
        """Lines go to `say`; once `ended` is set, nothing is tried again."""
        self._say = OnceAMinute(say)
        self._ended = ended

    def until_done(self, what: str, action: Callable[[], T], give_up: Callable[[], bool]) -> T:
        """What `action` returns, tried again for as long as it raises `Retryable`.

        Args:
            what: Names the kind of action: of each kind one line a minute is said.
            action: What to do.
            give_up: Asked before each attempt whether the work is wanted no more.

        Raises:
            GivenUp: It is wanted no more, or the worker has ended.
        """
        backoff = Backoff()
        while not (self._ended.is_set() or give_up()):
            try:
                return action()
            except Retryable as error:
                self.tell(what, error)
            until_s = time.monotonic() + backoff.next_s()
            while time.monotonic() < until_s and not (self._ended.wait(_LOOK_UP_S) or give_up()):
                pass
        raise GivenUp(f"{what}: given up")

    def tell(self, what: str, error: Retryable) -> None:
        """Say that `what` failed for now, unless that was said in the last minute."""
        self._say(what, f"waiting, and trying again: {error}")
