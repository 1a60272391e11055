"""Waits for events: the one polling loop of all tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 240.0
"""Ample time for a machine with much other work."""
FoundT = TypeVar("FoundT")


def until(
    look: Callable[[], FoundT],
    what: str | Callable[[], object] = "it never came",
    *,
    within_s: float = PATIENCE_S,
    every_s: float = 0.05,
) -> FoundT:
    """Return the result of `look` as soon as it is true.

    Raises:
        AssertionError: It was not true within `within_s` seconds; the message is `what`, or its result.
    """
    end_s = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < end_s, what() if callable(what) else what
        time.sleep(every_s)
    return found
