"""Scratch folders for files being made, each of one process and removed with it."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frametally.errors import Misconfigured
from frametally.settings.loading import Settings

_PREFIX = "making-"
_MB = 1_000_000


def scratch_root(settings: Settings) -> Path:
    """Return the folder that contains all scratch folders."""
    return settings.data_dir / "tmp"


@contextmanager
def scratch_folder(settings: Settings) -> Iterator[Path]:
    """Create a folder, and remove it with its contents at the end.

    Raises:
        Misconfigured: It cannot be created, or its disk is nearly full.
    """
    root = scratch_root(settings)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_room(root, settings.min_free_disk_mb)
        with _lock(root):  # so that no process removes it as left behind before we lock it
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
            handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        raise Misconfigured(
            f"cannot create anything in {root} ({error.strerror}): give this user permission to write there"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def remove_left_behind(settings: Settings) -> int:
    """Remove the folders of killed processes; return their number."""
    root, folder_count = scratch_root(settings), 0
    try:
        with _lock(root):
            for folder in root.glob(f"{_PREFIX}*"):
                try:
                    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
                except OSError:
                    continue
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                    folder_count += 1
                except BlockingIOError:  # its process is running
                    pass
                finally:
                    os.close(handle)
    except OSError:  # the root does not exist: no folder was ever created
        return folder_count
    return folder_count


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    handle = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _check_room(root: Path, least_mb: int) -> None:
    free = shutil.disk_usage(root).free
    if free < least_mb * _MB:
        raise Misconfigured(
            f"only {free // _MB} MB are free on the disk that holds {root}, but at least {least_mb} MB "
            "must stay free (FRAMETALLY_MIN_FREE_DISK_MB): free some space there"
        )
