"""Makes folders for temporary files that have room for them, and removes those of killed processes.

A process holds the lock of each folder that it makes, so a folder without a lock has been abandoned.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from frametally.errors import Misconfigured

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's folder in memory, in which `tempfile` makes a folder
_PREFIX = "frametally-temporary-"
_MB = 1_000_000


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


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """A folder that is removed at the end of a `with` block, and locked until then."""

    def __init__(self, parent: Path | None = None) -> None:
        """Make it in `parent`, or in the system's folder. Raises `OSError`."""
        while True:
            super().__init__(prefix=_PREFIX, dir=parent)
            with suppress(FileNotFoundError):  # a process removed it as abandoned before it was locked
                handle = os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
                self._unlock = weakref.finalize(self, os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
                if Path(self.name).exists():
                    return
                self._unlock()
            super().cleanup()

    def cleanup(self) -> None:
        """Remove the folder, and release its lock."""
        super().cleanup()
        self._unlock()


def temporary_folder(least_bytes: int = 0) -> TemporaryFolder:
    """Make a folder that is removed at the end of a `with` block, where `folder_with_room` finds room.

    Raises `OSError` if no folder has room.
    """
    return TemporaryFolder(folder_with_room(max(least_bytes, 1)))


@contextmanager
def work_folder(data_dir: Path, least_mb: int = 0) -> Iterator[Path]:
    """Make a folder on the disk of the data folder, and remove it with its contents at the end.

    Raises:
        Misconfigured: It cannot be created, or the disk has less than `least_mb` of free space.
    """
    folder = data_dir / "tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free_mb = shutil.disk_usage(folder).free // _MB
        if free_mb < least_mb:
            raise Misconfigured(
                f"only {free_mb} MB are free on the disk that holds {folder}, but at least {least_mb} MB "
                "must stay free (FRAMETALLY_MIN_FREE_DISK_MB): free some space there"
            )
        temporary = TemporaryFolder(folder)
    except OSError as error:
        raise Misconfigured(
            f"{folder}: cannot create temporary files ({error.strerror}); set FRAMETALLY_DATA_DIR to a "
            "folder that this user can write to"
        ) from error
    with temporary as name:
        yield Path(name)


def abandoned_folders(data_dir: Path) -> list[Path]:
    """Return the temporary folders of killed processes of this user, for this data folder or the system's."""
    return sorted(folder for folder in _folders(data_dir) if _if_abandoned(folder))


def remove_abandoned(data_dir: Path) -> int:
    """Remove what killed processes left of their temporary files; return the number of folders."""
    return sum(remove_if_abandoned(folder) for folder in _folders(data_dir))


def remove_if_abandoned(folder: Path) -> bool:
    """Remove a temporary folder unless its process runs; return whether it was removed."""
    return _if_abandoned(folder, lambda: shutil.rmtree(folder, ignore_errors=True))


def _folders(data_dir: Path) -> set[Path]:
    places = (data_dir / "tmp", Path(tempfile.gettempdir()), _IN_MEMORY)
    return {folder for place in places for folder in place.glob(f"{_PREFIX}*")}


def _if_abandoned(folder: Path, act: Callable[[], None] = lambda: None) -> bool:
    """Act on an abandoned folder under its lock, for which a process that has just made it waits."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # removed since it was listed, or of another user
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_uid != os.geteuid():
            return False
        act()
        return True
    except BlockingIOError:  # its process is running
        return False
    finally:
        os.close(handle)
