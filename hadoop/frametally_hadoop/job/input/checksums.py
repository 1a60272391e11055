"""Compares a segment's lines with their checksums while they come. Standard library only."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from frametally.errors import Poison
from frametally.rules.seals import check_crc32


class CheckedPart(NamedTuple):
    """Some lines of a segment: its bytes from the end of the part before, up to `next_byte` (None: its end).

    Positions count from the first byte after the header; a `crc32` of None is not compared.
    """

    what: str
    next_byte: int | None
    crc32: int | None


class LineChecksums:
    """The parts of one segment, of which the last reaches to its end."""

    def __init__(self, name: str, parts: Iterable[CheckedPart]) -> None:
        """Expect these parts; errors call the segment `name`."""
        self._name = name
        self._parts = list(parts)
        self._position = self._crc32 = 0

    def add(self, data: bytes | memoryview) -> None:
        """Take the next bytes. Raises `Poison` if a part that ends in them is other than was stored."""
        view = memoryview(data)
        while view:
            next_byte = self._parts[0].next_byte
            size = len(view) if next_byte is None else max(next_byte - self._position, 0)
            here, view = view[:size], view[size:]
            self._crc32 = zlib.crc32(here, self._crc32)
            self._position += len(here)
            if next_byte is not None and len(here) == size:
                self._compare()

    def end(self) -> None:
        """See to it that what is left is as it was stored. Raises `Poison`."""
        while self._parts:
            self._compare()

    def _compare(self) -> None:
        part, found = self._parts.pop(0), self._crc32
        self._crc32 = 0
        try:
            check_crc32(found, part.crc32)
        except Poison as error:
            raise Poison(f"segment {self._name}, {part.what}: {error}") from None
