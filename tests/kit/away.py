"""A part of a deployment that a test makes unavailable."""

from __future__ import annotations

from typing import Any


class Switched:
    """A real part that can become unavailable: while `error` is set, every call raises it.

    Attributes:
        asked: The names of the calls.
    """

    def __init__(self, part: Any, error: Exception | None = None) -> None:
        """Pass calls on to `part`."""
        self.error = error
        self.asked: list[str] = []
        self._part = part

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        if self.error is not None:
            raise self.error
        return getattr(self._part, name)
