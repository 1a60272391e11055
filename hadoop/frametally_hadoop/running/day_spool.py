"""Holds lines of many days, in files where memory does not, and gives back those of one day sorted."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import ExitStack
from pathlib import Path
from sys import getsizeof


class DaySpool:
    """Takes lines of many days in any order, gives back those of one day, sorted bytewise."""

    def __init__(self, folder: Path, *, held_bytes: int = 64_000_000) -> None:
        """Hold up to `held_bytes` of lines in memory, the rest as sorted files in `folder`."""
        self._folder = folder
        self._limit = held_bytes
        self._held: dict[Hashable, list[bytes]] = defaultdict(list)
        self._held_bytes = 0
        self._files: dict[Hashable, list[Path]] = defaultdict(list)

    def add(self, day: Hashable, *lines: bytes) -> None:
        """Take lines, with their line ends."""
        self._held[day] += lines
        self._held_bytes += sum(map(getsizeof, lines))
        if self._held_bytes >= self._limit:
            self._write_held()

    def sorted_lines(self, day: Hashable) -> Iterator[bytes]:
        """Yield the day's lines, sorted bytewise."""
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("rb")) for path in self._files.get(day, [])]
            yield from heapq.merge(*files, sorted(self._held.get(day, [])))

    def _write_held(self) -> None:
        self._folder.mkdir(exist_ok=True)
        for day, lines in self._held.items():
            path = self._folder / f"{sum(map(len, self._files.values())):08d}"
            with path.open("wb") as file:
                file.writelines(sorted(lines))
            self._files[day].append(path)
        self._held.clear()
        self._held_bytes = 0
