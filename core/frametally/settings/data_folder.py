"""The folder of the embedded store, log and index, and the demo's folder beside it."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from urllib.parse import unquote

from frametally.errors import Misconfigured
from frametally.settings.loading import Settings

DEMO_DATA_DIR = Path("demo-data")
INDEX_FILE = "index.sqlite"
_SETTINGS = "--data-dir or FRAMETALLY_DATA_DIR"


def embedded_folder(settings: Settings) -> Path | None:
    """Return the folder that the counts lie in; None where they are on a server."""
    folder = settings.data_dir
    return folder if settings.index_url == f"sqlite:///{folder / INDEX_FILE}" else None


def store_folder(settings: Settings) -> Path | None:
    """Return the folder of this machine that the object store is; None where it is on a server."""
    scheme, _, place = settings.store_url.partition("://")
    return Path(unquote(place)) if scheme == "file" else None


def demo_beside(folder: Path) -> Path | None:
    """Return the demo's data folder beside `folder`, if there are counts in it and it is another one."""
    demo = folder.parent / DEMO_DATA_DIR
    return demo if demo != folder and (demo / INDEX_FILE).is_file() else None


def must_be_folder(settings: Settings) -> None:
    """Find out that the data folder can be none before anything is looked for in it, or made.

    Raises:
        Misconfigured: The store or the counts are to lie there, and there is a file, or none may look.
    """
    folder = settings.data_dir
    if store_folder(settings) == folder / "store" or embedded_folder(settings) is not None:
        try:
            _nearest(folder)
        except OSError as error:
            raise _impossible(folder, error) from error


def must_be_writable(folder: Path, settings: str = _SETTINGS) -> None:
    """Find out that nothing can be made in a folder that `settings` name, or it itself cannot.

    Nothing is left behind.

    Raises:
        Misconfigured: So it is.
    """
    try:
        # Rights do not tell: a read-only disk and some kernel folders refuse even who has them all.
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            pass
    except OSError as error:
        raise _impossible(folder, error, settings) from error


def _nearest(folder: Path) -> Path:
    """Return `folder`, or the nearest above it that is there. Raises `OSError` where that is not a folder."""
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
