"""Counting how far a call of the producer has come with its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from frametally.process.backfill import Standing

Outcome = Literal["finished", "known", "skipped"]


class Tally:
    """How a call's files stand, told to `show` whenever something changes."""

    def __init__(self, show: Callable[[Standing], None]) -> None:
        """Begin with no files."""
        self._show = show
        self._total = 0
        self._bytes_total = 0
        self._outcomes = {"finished": 0, "known": 0, "skipped": 0}
        self._bytes_passed = 0
        self._bytes_worked = 0
        self._at_hand = ""
        self._size = 0
        self._part = 0.0
        self._doing = ""
        self.frames_announced = 0

    def expect(self, paths: Iterable[Path]) -> None:
        """Add files that are to be gone through."""
        for path in paths:
            self._total += 1
            self._bytes_total += _size(path)
        self._tell()

    def begin(self, path: Path) -> None:
        """Note that a file is taken in hand."""
        self._at_hand, self._size, self._part, self._doing = str(path), _size(path), 0.0, "looking at it"
        self._tell()

    def doing(self, what: str, part: float = 0.0) -> None:
        """Note what is being done with the file at hand, and how much of the file is done, 0 to 1."""
        self._doing, self._part = what, min(max(part, 0.0), 1.0)
        self._tell()

    def end(self, outcome: Outcome) -> None:
        """Note that the file at hand is done with."""
        self._outcomes[outcome] += 1
        if outcome == "finished":
            self._bytes_worked += self._size
        else:
            self._bytes_passed += self._size
        self._size, self._part, self._doing = 0, 0.0, ""
        self._tell()

    def _tell(self) -> None:
        self._show(
            Standing(
                files_total=self._total,
                files_finished=self._outcomes["finished"],
                files_known=self._outcomes["known"],
                files_skipped=self._outcomes["skipped"],
                bytes_total=self._bytes_total,
                bytes_passed=self._bytes_passed,
                bytes_worked=self._bytes_worked + self._part * self._size,
                frames_announced=self.frames_announced,
                at_hand=self._at_hand,
                doing=self._doing,
            )
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
