"""Chooses a folder for temporary files that has room for them, also while the usual one is full."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's folder in memory, in which `tempfile` makes a folder


def choose_temporary_folder() -> None:
    """Let `tempfile` use the folder in memory if every usual folder for temporary files is full."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        if _IN_MEMORY.is_dir():
            tempfile.tempdir = str(_IN_MEMORY)


def folder_with_room(least_bytes: int) -> Path | None:
    """Return the system's folder for temporary files, or the one in memory if the former lacks space.

    Returns None if neither has `least_bytes` of free space.
    """
    with suppress(OSError):  # no folder for temporary files can be written
        if shutil.disk_usage(usual := tempfile.gettempdir()).free >= least_bytes:
            return Path(usual)
    with suppress(OSError):  # no such folder on this system
        if shutil.disk_usage(_IN_MEMORY).free >= least_bytes:
            return _IN_MEMORY
    return None


def temporary_folder(least_bytes: int = 0) -> tempfile.TemporaryDirectory[str]:
    """Make a folder that is removed at the end of a `with` block, where `folder_with_room` finds room.

    Raises `OSError` if no folder has room.
    """
    return tempfile.TemporaryDirectory(prefix="frametally-", dir=folder_with_room(max(least_bytes, 1)))
