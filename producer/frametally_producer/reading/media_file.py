"""A medium's file, opened so that nothing but a regular file's own bytes is ever read."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from frametally.errors import Poison

_PIECE_BYTES = 1 << 22


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
