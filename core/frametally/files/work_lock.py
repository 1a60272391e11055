"""Locks that allow one process at a time on one machine; a crash releases them.

The locks are the kernel's (`flock`, by filelock), on an open file or folder, and end with the process that
holds them, however it ends. `work_lock` only saves work: results stay correct because of how they are
published, even with several machines on one store, and two aggregations at once do no harm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from frametally.errors import Misconfigured, Retryable
from frametally.files.synced import make_folders


@contextmanager
def work_lock(
    data_dir: Path,
    name: str,
    *,
    wait: bool = True,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold the lock of an exclusive task in a deployment's `data_dir`, such as `aggregate`.

    If another process holds it, wait and report that to `on_wait` once, in one line, unless `wait` is False.

    Raises:
        Retryable: Another process holds it, and `wait` is False.
        Misconfigured: The lock file cannot be created there.
    """
    path = data_dir / f"{name}.lock"
    try:
        make_folders(data_dir)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise Misconfigured(
            f"{path}: cannot create a lock ({error.strerror}); set FRAMETALLY_DATA_DIR to a folder that "
            "this user can write"
        ) from error
    is_announced = False

    def tell() -> None:
        nonlocal is_announced
        holder = os.pread(handle, 20, 0).decode(errors="replace") or "unknown"
        line = f"another `frametally {name}` is already running here (process {holder})"
        if not wait:
            raise Retryable(line)
        if not is_announced:
            on_wait(f"{line}; waiting for it")
            is_announced = True

    with locked(handle, look_every_s=0.2, on_held=tell):
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        except OSError as error:
            error.filename = str(path)  # a call on a handle does not name the file
            raise
        yield


@contextmanager
def locked(handle: int, *, look_every_s: float, on_held: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of an open file or folder; closing it at the end releases the lock.

    `on_held` is called after each attempt that finds the lock held; an exception from it ends the wait.
    """
    from filelock import lock_descriptor  # a slow import, which readers do not need

    try:
        while not lock_descriptor(handle, blocking=False):
            on_held()
            time.sleep(look_every_s)
        yield
    finally:
        os.close(handle)
