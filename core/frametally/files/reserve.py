"""Keeps a small file in the data folder that commands which free space may give up on a full disk.

To remove anything, frametally first writes: to the audit log, to a policy's note, to a manifest.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

RESERVE_BYTES = 2_000_000
"""Enough for the databases' `-wal` and `-shm` files and some hundred small objects."""
_NAME = "reserve"
_PIECE_BYTES = 65_536

_lock = threading.Lock()
_users: Counter[Path] = Counter()
_released: set[Path] = set()


def keep_reserve(folder: Path) -> None:
    """Make or complete the reserve of a data folder, unless that would take over half of the free space.

    Does nothing without such a folder, or without permission to write there.
    """
    _fill(folder, least_free=2)


@contextmanager
def reserve_released(folder: Path) -> Iterator[None]:
    """Give up the reserve of a data folder in the block if its disk is full; make it again at the end.

    Blocks of several threads share it until the last one ends. Other processes that write there can use the
    space first.
    """
    path = folder / _NAME
    with _lock:
        _users[path] += 1
        with suppress(OSError):  # there is none, or the folder is an archive
            if _users[path] == 1 and path.is_file() and shutil.disk_usage(folder).free < RESERVE_BYTES:
                path.unlink()
                _released.add(path)
    try:
        yield
    finally:
        with _lock:
            _users[path] -= 1
            if not _users[path] and path in _released:
                _released.remove(path)
                _fill(folder, least_free=0)


def _fill(folder: Path, *, least_free: int) -> None:
    """Fill the reserve as far as there is room, if the disk has `least_free` times of what is missing."""
    path = folder / _NAME
    with suppress(OSError):  # the disk is full, or the folder is an archive
        missing = RESERVE_BYTES - (path.stat().st_size if path.is_file() else 0)
        if missing <= 0 or shutil.disk_usage(folder).free < least_free * missing:
            return
        with path.open("ab", buffering=0) as file:
            while missing > 0:  # random, because some file systems store zeros in no space
                missing -= file.write(os.urandom(min(missing, _PIECE_BYTES)))
