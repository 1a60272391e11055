"""Where an aggregation keeps its temporary files, and what happens when there is no room for them."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frametally.errors import Misconfigured, Retryable

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PREFIX = "count-"
_ROOM_FOR_WORDS_BYTES = 100_000


def no_room(said: str, folder: Path) -> OSError | None:
    """Return the error of a full disk, if a program says so or `folder` has no room for its words."""
    codes = [code for code in _NO_ROOM if os.strerror(code) in said]
    if not codes and shutil.disk_usage(folder).free < _ROOM_FOR_WORDS_BYTES:
        codes = [errno.ENOSPC]
    return OSError(codes[0], os.strerror(codes[0])) if codes else None


def clear_workspaces(data_dir: Path) -> None:
    """Remove what aggregations that were killed have left; only for who holds the lock `aggregate`."""
    for folder in (data_dir / "tmp").glob(f"{_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def workspace(data_dir: Path) -> Iterator[Path]:
    """Make an empty folder in `data_dir`, removed at the end.

    Raises:
        Misconfigured: None can be made there.
        Retryable: It ran out of room.
    """
    folder = data_dir / "tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder)
    except OSError as error:
        raise Misconfigured(
            f"{folder}: no temporary files can be made there ({error.strerror}); "
            "set FRAMETALLY_DATA_DIR to a folder that this user may write"
        ) from error
    with temporary as path:
        try:
            yield Path(path)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise Retryable(
                f"no room left in {folder} for the counting job's temporary files: free some space there, or "
                "set FRAMETALLY_DATA_DIR to a folder on another disk; nothing was published half"
            ) from error
