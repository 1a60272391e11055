"""The job's output, sorted day by day in bounded memory."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import ExitStack
from pathlib import Path

_HELD_LINES = 500_000


class DaySpool:
    """Takes lines of many days in any order, gives back those of one day, sorted bytewise."""

    def __init__(self, folder: Path, *, held_lines: int = _HELD_LINES) -> None:
        """Hold up to `held_lines` lines in memory, the rest as sorted files in `folder`."""
        self._folder = folder
        self._limit = held_lines
        self._held: dict[Hashable, list[bytes]] = defaultdict(list)
        self._held_lines = 0
        self._files: dict[Hashable, list[Path]] = defaultdict(list)
        self._files_written = 0

    def add(self, day: Hashable, line: bytes) -> None:
        """Take one line, with its line end."""
        self._held[day].append(line)
        self._held_lines += 1
        if self._held_lines >= self._limit:
            self._write_held()

    def sorted_lines(self, day: Hashable) -> Iterator[bytes]:
        """Yield the day's lines, sorted bytewise."""
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("rb")) for path in self._files.get(day, [])]
            yield from heapq.merge(*files, sorted(self._held.get(day, [])))

    def _write_held(self) -> None:
        for day, lines in self._held.items():
            path = self._folder / f"{self._files_written:08d}"
            with path.open("wb") as file:
                file.writelines(sorted(lines))
            self._files[day].append(path)
            self._files_written += 1
        self._held.clear()
        self._held_lines = 0
