"""Retries after temporary failures, with growing, jittered pauses and one message a minute."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from frametally.errors import FrametallyError, Retryable
from frametally.process.meters import METERS
from frametally.process.reports import plural
from frametally.process.time_limit import is_time_for

T = TypeVar("T")

SAY_EVERY_S = 60.0
_SEVERAL_TRIES_S = 20.0
"""How long `a_few_times` tries again: a server that is silent until a call's time limit is asked once."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_LOOK_UP_S = 0.1
"""How often a pausing thread checks whether to stop."""


class GivenUp(FrametallyError):
    """An action failed and is not tried again, because a stop was requested."""


class OnceAMinute:
    """Prints a line about a topic at most once a minute; threads may share it."""

    def __init__(self, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Print lines with `say`; `clock` returns seconds."""
        self._say = say
        self._clock = clock
        self._said_at_s: dict[str, float] = {}
        self._open: set[str] = set()
        self._unsaid: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, topic: str, line: str, *, counts: bool = False) -> None:
        """Print `line`, unless one about `topic` was printed in the last minute.

        With `counts`, add how many lines were suppressed since then.
        """
        with self._lock:
            now_s = self._clock()
            if now_s - self._said_at_s.get(topic, float("-inf")) < SAY_EVERY_S:
                self._unsaid[topic] += 1
                return
            self._said_at_s[topic] = now_s
            self._open.add(topic)
            times = self._unsaid.pop(topic, 0)
        self._say(
            f"{line} ({plural(times, 'more time')} since the last report)" if counts and times else line
        )

    def over(self, line: str, topic: str | None = None) -> None:
        """Print `line` if one about `topic` (by default any) was printed since the last call."""
        if not self._open:  # called after each success
            return
        with self._lock:
            closed = self._open if topic is None else self._open & {topic}
            self._open = self._open - closed
        if closed:
            self._say(line)


class Backoff:
    """Pauses in seconds that double up to a limit, each with jitter."""

    def __init__(self, first_s: float | None = None, longest_s: float | None = None) -> None:
        """Start with at most `first_s` (0.2) and grow to at most `longest_s` (10)."""
        self._first_s = self._pause_s = _FIRST_PAUSE_S if first_s is None else first_s
        self._longest_s = _LONGEST_PAUSE_S if longest_s is None else longest_s

    def next_s(self) -> float:
        """Return the next pause."""
        pause_s = self._pause_s
        self._pause_s = min(pause_s * 2, self._longest_s)
        # Jitter keeps processes that failed together from retrying together.
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def reset(self) -> None:
        """Start again with the first pause, after a success."""
        self._pause_s = self._first_s


def a_few_times(action: Callable[[], T], *, tries: int = 8) -> T:
    """Return the result of `action`, retried quickly a few times while it raises `Retryable`.

    This is for single network calls that are safe to repeat, and for hiccups of some seconds (eight tries
    pause for up to 4 s, and none begins after 20 s); `Patience` is for longer outages.

    Raises:
        Retryable: The error of the last try, or of the last one within the caller's time limit.
    """
    backoff = Backoff(first_s=0.05, longest_s=2.0)
    until_s = time.monotonic() + _SEVERAL_TRIES_S
    for _ in range(tries - 1):
        try:
            return action()
        except Retryable:
            pause_s = backoff.next_s()
            if not is_time_for(pause_s) or time.monotonic() + pause_s > until_s:
                raise
            time.sleep(pause_s)
    return action()


def record_outages(seen_by: str, action: Callable[[], T]) -> T:
    """Return the result of `action`, and record in the meters which part of frametally is away or back.

    `seen_by` names the action: a part is back only after an action that failed at it has succeeded, because
    another one may not have asked that part. Actions that ask the same part may share a name. Raises
    `Retryable` as `action` does; a part that it names is away.
    """
    try:
        result = action()
    except Retryable as error:
        if error.part:
            METERS.away(error.part, seen_by)
        raise
    METERS.back(seen_by)
    return result


class Patience:
    """Waits for unavailable servers, until asked to stop; threads may share it.

    Attributes:
        gave_up_on: The error for which it waited too long, or None.
    """

    def __init__(
        self, say: Callable[[str], None], should_stop: Callable[[], bool], longest_s: float = math.inf
    ) -> None:
        """Print lines with `say`; stop waiting once `should_stop()` is true.

        Also stop after one wait of `longest_s` or of the time since the start before that wait, whichever is
        longer.
        """
        self.say_once_a_minute = OnceAMinute(say)
        self.gave_up_on: Retryable | None = None
        self._should_stop = should_stop
        self._away: dict[str, str] = {}
        self._longest_s = longest_s
        self._began_s = time.monotonic()
        self._ended = threading.Event()

    def until_done(self, part: str, action: Callable[[], T], give_up: Callable[[], bool] | None = None) -> T:
        """Return the result of `action`, retried as long as it raises `Retryable`.

        Args:
            part: Name of the part waited for; one line a minute is printed about it.
            action: The action, which must be safe to repeat.
            give_up: Called before each try; returns whether to give up, as after a stop. Without it, `action`
                is tried at least once, so that a current batch can be finished after a stop was requested.

        Raises:
            GivenUp: It failed for now and a stop was requested, or `give_up()` was true.
        """
        backoff = Backoff()
        since_s: float | None = None
        while True:
            if give_up is not None and (self.stopping or give_up()):
                raise GivenUp(f"{part}: given up")
            try:
                result = action()
                self.answered(part)
                return result
            except Retryable as error:
                since_s = since_s or time.monotonic()
                self.waited(since_s, error)
                if self.stopping:
                    raise GivenUp(f"{part}: stopped while waiting: {error}") from error
                self.tell(part, error)
            self.pause(backoff.next_s(), give_up)

    def waited(self, since_s: float, error: Retryable) -> None:
        """Stop if the wait for `error` since `since_s` of the monotonic clock is too long."""
        longest_s = max(self._longest_s, since_s - self._began_s)
        if time.monotonic() - since_s >= longest_s and not self.stopping:
            self.gave_up_on = error
            self.end()

    def tell(self, part: str, error: Retryable) -> None:
        """Print that `part` failed for now, unless that was printed in the last minute."""
        METERS.away(error.part or part.removeprefix("the "), part)
        self._away[part] = error.part
        self.say_once_a_minute(part, f"waiting, then trying again: {error}")

    def answered(self, part: str) -> None:
        """Print that a part is back, if its failure was printed."""
        METERS.back(part)
        self.say_once_a_minute.over(back_again(self._away.get(part, "")), part)

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._ended.is_set() or self._should_stop()

    def end(self) -> None:
        """Stop waiting, because the process is about to end."""
        self._ended.set()

    def pause(self, seconds: float, give_up: Callable[[], bool] | None = None) -> None:
        """Sleep until the time is over, a stop is requested, or `give_up()` is true."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0 and not self.stopping:
            if give_up is not None and give_up():
                return
            self._ended.wait(min(left_s, _LOOK_UP_S))


def back_again(part: str) -> str:
    """Return the line after the end of a wait; `part` is `Retryable.part`."""
    return f"no longer waiting: the {part} is responding again" if part else "no longer waiting"
