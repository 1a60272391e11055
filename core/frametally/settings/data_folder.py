"""Finds and checks the folder of the embedded store, log and index, and the demo's folder next to it."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from urllib.parse import unquote

from frametally import keys
from frametally.errors import Misconfigured
from frametally.settings.loading import Settings

DEMO_DATA_DIR = Path("demo-data")
INDEX_FILE = "index.sqlite"
_SETTINGS = "--data-dir or FRAMETALLY_DATA_DIR"


def embedded_folder(settings: Settings) -> Path | None:
    """Return the folder of the counts, or None if they are on a server."""
    folder = settings.data_dir
    return folder if settings.index_url == f"sqlite:///{folder / INDEX_FILE}" else None


def store_folder(settings: Settings) -> Path | None:
    """Return the folder of the object store, or None if it is on a server."""
    scheme, _, place = settings.store_url.partition("://")
    return Path(unquote(place)) if scheme == "file" else None


def demo_beside(folder: Path) -> Path | None:
    """Return the demo's data folder next to `folder` if it is a different folder and has counts, or None."""
    demo = folder.parent / DEMO_DATA_DIR
    return demo if demo != folder and (demo / INDEX_FILE).is_file() else None


def must_be_folder(settings: Settings) -> None:
    """Check that the data folder can be used before anything reads or creates files in it.

    Raises:
        Misconfigured: The store or the counts should be there, but it is a file or not accessible.
    """
    folder = settings.data_dir
    if store_folder(settings) == folder / "store" or embedded_folder(settings) is not None:
        try:
            _nearest(folder)
        except OSError as error:
            raise _impossible(folder, error) from error


def must_be_writable(folder: Path, settings: str = _SETTINGS) -> None:
    """Check that files can be created in a folder that `settings` name, or that it can be created.

    The check leaves nothing behind.

    Raises:
        Misconfigured: This is not possible.
    """
    try:
        # Permissions are not enough: a read-only disk and some kernel folders refuse even root.
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            pass
    except OSError as error:
        raise _impossible(folder, error, settings) from error


def _nearest(folder: Path) -> Path:
    """Return `folder` or its nearest existing parent. Raises `OSError` if that is not a folder."""
    while True:
        try:
            mode = folder.stat().st_mode
        except FileNotFoundError:
            folder = folder.parent
        else:
            break
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return folder


def _impossible(folder: Path, error: OSError, settings: str = _SETTINGS) -> Misconfigured:
    return Misconfigured(
        f"frametally cannot store data in {folder} ({error.strerror}): give this user permission to write "
        f"there, or set another folder with {settings}"
    )


def is_empty(settings: Settings) -> bool:
    """Return whether the store would be a local folder that holds no footage yet."""
    folder = settings.data_dir / "store"
    if settings.store_url != folder.as_uri():
        return False
    if not folder.is_dir():
        return True
    # The note that accounts exist, and their backups, are put there before any footage.
    names = {path.name for path in folder.iterdir()}
    holds_no_footage = bool(names) and names <= {keys.ACCESS, keys.BACKUPS}
    return holds_no_footage and not (settings.data_dir / INDEX_FILE).exists()
