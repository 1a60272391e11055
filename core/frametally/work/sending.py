"""Sends a claimed message of an outbox: retried later if that fails, given up if it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

from frametally.errors import Misconfigured, Poison, Retryable
from frametally.process import failpoints
from frametally.process.reports import plural
from frametally.process.retrying import Backoff
from frametally.rules.times import HOUR_S

MessageState = Literal["queued", "sent", "failed"]

_MOST_ATTEMPTS = 100
"""With pauses up to an hour, the attempts last four days."""
_LONGEST_PAUSE_S = float(HOUR_S)


class Claimed(Protocol):
    """A claimed message."""

    @property
    def attempts(self) -> int:
        """The number of attempts that have begun, including this one."""


MessageT = TypeVar("MessageT", bound=Claimed)


def deliver(
    message: MessageT,
    send: Callable[[MessageT], str | None],
    end: Callable[..., object],
    say: Callable[[str], None],
    *,
    topic: str,
    first_pause_s: float,
) -> MessageState:
    """Send a claimed message and record the result.

    Args:
        message: Its lease is longer than `send` takes.
        send: Returns a remark on the sent message, or None.
        end: Records a state, a reason and a pause: a book's method that calls `Outbox.end_message`.
        say: Receives a line about a failure.
        topic: First part of the names of its failpoints.
        first_pause_s: Longest pause before the second attempt; it doubles with each attempt, up to an hour.

    Returns:
        The result; `queued` also for a message that was given up, since its destination is unavailable.
    """
    failpoints.passing(f"{topic}.claimed")
    try:
        remark = send(message)
    except (Retryable, Misconfigured) as error:
        if message.attempts >= _MOST_ATTEMPTS:
            say(f"gave up after {plural(message.attempts, 'attempt')}: {error}")
            end(message, "failed", reason=str(error))
        else:
            longest_s = min(first_pause_s * 2 ** min(message.attempts - 1, 16), _LONGEST_PAUSE_S)
            pause_s = Backoff(longest_s, longest_s).next_s()
            say(f"{error}; trying again in {pause_s:.0f} s")
            end(message, "queued", reason=str(error), again_after_s=pause_s)
        return "queued"
    except Poison as error:
        say(str(error))
        end(message, "failed", reason=str(error))
        return "failed"
    failpoints.passing(f"{topic}.taken")
    end(message, "sent", reason=remark)
    failpoints.passing(f"{topic}.noted")
    return "sent"
