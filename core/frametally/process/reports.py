"""What stages tell people: progress while they work, and what they skipped."""

from __future__ import annotations

from collections.abc import Sized
from typing import NamedTuple, Protocol

from frametally.process.exit_codes import NOTHING_DONE, PART_DONE


class Skipped(NamedTuple):
    """Something that was set aside: its name, and why, with the remedy."""

    name: str
    reason: str


class Progress(Protocol):
    """Where a stage reports to while it works; the command line draws bars from it."""

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Show that `done` of `total` (None: not known) units are done; `note` names what is at hand."""

    def say(self, line: str) -> None:
        """Show one line that a person should read, now."""


class NoProgress:
    """Says nothing."""

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Do nothing."""

    def say(self, line: str) -> None:
        """Do nothing."""


def exit_code(*, done: int, skipped: Sized) -> int:
    """Return 0 if all went well, 6 if something was skipped, 2 if nothing could be done."""
    if not skipped:
        return 0
    return PART_DONE if done else NOTHING_DONE
