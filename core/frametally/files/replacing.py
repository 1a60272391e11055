"""Replaces a file by a renamed copy: it is new or old, never partial, even on a full disk."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from frametally.files.synced import sync_folder


def replace_file(
    path: Path, data: bytes | Iterable[bytes], *, is_private: bool = False, durable: bool = False
) -> int:
    """Write `data` (or its parts, as they come) as the file, in one step for readers; return its length.

    A pipe or device is written to directly. With `is_private` only the owner can ever read the file. With
    `durable` it survives power loss once this returns.

    Raises:
        OSError: The file cannot be written; an earlier version stays.
    """
    try:
        if path.exists() and not path.is_file():
            return _write(path, data)
        # Replace the file that a link leads to, not the link.
        return _replace(path.resolve(), data, 0o600 if is_private else 0o666, durable=durable)
    except OSError as error:
        error.filename = str(path)  # not the temporary file's name; a failed write names none
        raise


def _replace(path: Path, data: bytes | Iterable[bytes], mode: int, *, durable: bool) -> int:
    staging = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    try:
        length = _write(staging, data, mode, durable=durable)
        if path.exists():
            shutil.copymode(path, staging)
        staging.replace(path)
        if durable:
            sync_folder(path.parent)
        return length
    finally:
        staging.unlink(missing_ok=True)


def _write(path: Path, data: bytes | Iterable[bytes], mode: int = 0o666, *, durable: bool = False) -> int:
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        length = sum(map(file.write, [data] if isinstance(data, bytes) else data))
        if durable:
            file.flush()
            os.fsync(file.fileno())
        return length
