"""A medium's file, opened so that nothing but a regular file's own bytes is ever read."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from frametally.errors import Poison

_PIECE_BYTES = 1 << 22
# A header of MP4 or QuickTime that says itself how large it is when unpacked, as FFmpeg looks for it: `cmov`.
_PACKED_HEADER = re.compile(rb"dcomzlib.{4}cmvd", re.DOTALL)
_PACKED_HEADER_BYTES = 16


class WithoutPackedHeaders:
    """A file for FFmpeg, which would unpack a compressed header to whatever size that states, in memory."""

    def __init__(self, file: BufferedReader) -> None:
        """Read it from where it stands."""
        self.seek, self.tell = file.seek, file.tell
        self._file = file
        self._last, self._next_at = b"", 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. Raises `Poison` where these hold such a header."""
        at = self._file.tell()
        data = self._file.read(size)
        before = self._last if at == self._next_at else b""
        if _PACKED_HEADER.search(before + data[: _PACKED_HEADER_BYTES - 1]) or _PACKED_HEADER.search(data):
            raise Poison("has a compressed header (cmov), which is not read; export it again as MP4")
        self._last = (before + data)[1 - _PACKED_HEADER_BYTES :]
        self._next_at = at + len(data)
        return data


@contextmanager
def open_medium(path: Path) -> Iterator[BufferedReader]:
    """Open the file at `path` for reading.

    Raises:
        Poison: Not a regular file (a device, a pipe), or an empty one.
        OSError: It cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Poison("is no regular file but a device, a pipe or a socket; give a file")
    if status.st_size == 0:
        raise Poison("is empty (0 bytes); copy it again from its origin")
    with path.open("rb") as file:
        yield file


def sha256_of(file: BufferedReader, step: Callable[[], None] = lambda: None) -> str:
    """Return the SHA-256 of all bytes of the file, hex.

    They are read in pieces; `step` is called after each, and what it raises ends the reading.
    """
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
        step()
    return digest.hexdigest()


def why_unusable(error: Poison | OSError) -> str:
    """Return why a file is bad or cannot be read, with the remedy."""
    if isinstance(error, Poison):
        return str(error)
    return f"cannot be read ({error.strerror or error}); check that it is there and that you may read it"
