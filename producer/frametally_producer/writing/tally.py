"""Counting how far a call of the producer has come with its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from frametally.process.backfill import Standing

Outcome = Literal["finished", "known", "skipped"]


class Tally:
    """How a call's files stand, told to `show` whenever something changes."""

    def __init__(self, show: Callable[[Standing], None]) -> None:
        """Begin with no files."""
        self._show = show
        self._standing = Standing()
        self._size = 0
        self._worked = 0.0

    @property
    def frames_announced(self) -> int:
        """Frames that this call announced."""
        return self._standing.frames_announced

    def count_announced(self, frames: int) -> None:
        """Add frames that have been announced; they are shown with the next change."""
        self._standing = self._standing._replace(frames_announced=self.frames_announced + frames)

    def expect(self, paths: Iterable[Path]) -> None:
        """Add files that are to be gone through."""
        sizes = [_size(path) for path in paths]
        self._tell(
            files_total=self._standing.files_total + len(sizes),
            bytes_total=self._standing.bytes_total + sum(sizes),
        )

    def begin(self, path: Path) -> None:
        """Note that a file is taken in hand."""
        self._size = _size(path)
        self._tell(at_hand=str(path), doing="looking at it", bytes_worked=self._worked)

    def doing(self, what: str, part: float = 0.0) -> None:
        """Note what is being done with the file at hand, and how much of the file is done, 0 to 1."""
        self._tell(doing=what, bytes_worked=self._worked + min(max(part, 0.0), 1.0) * self._size)

    def end(self, outcome: Outcome) -> None:
        """Note that the file at hand is done with."""
        passed = self._standing.bytes_passed
        if outcome == "finished":
            self._worked += self._size
        else:
            passed += self._size
        files = {f"files_{outcome}": getattr(self._standing, f"files_{outcome}") + 1}
        self._size = 0
        self._tell(doing="", bytes_worked=self._worked, bytes_passed=passed, **files)

    def _tell(self, **changes: Any) -> None:
        self._standing = self._standing._replace(**changes)
        self._show(self._standing)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
