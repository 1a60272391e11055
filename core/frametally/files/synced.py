"""Makes files and folders survive power loss."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path


def make_folders(folder: Path) -> None:
    """Create a folder and its missing parents on the disk, readable by the owner alone: pictures show people.

    Raises:
        OSError: One of them cannot be created.
    """
    if folder.is_dir():
        return
    if not folder.parent.exists():
        make_folders(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems have nothing to sync for a folder
            raise
    finally:
        os.close(handle)


def sync_file_system(folder: Path) -> None:
    """Write everything on a folder's file system to the disk: for many files, faster than one at a time.

    Raises:
        OSError: The disk could not write something.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):  # only Linux has it
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)
