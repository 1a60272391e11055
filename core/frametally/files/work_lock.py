"""One at a time on one machine: a lock that a crash releases.

It is the kernel's (`flock`), on a file in `data_dir`, and goes with the process that holds it, however that
ends. It saves work, no more: what must be true with several machines on one store is made true by how results
are published, and two aggregations at once do no harm.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from frametally.errors import Misconfigured, Retryable

_LOOK_EVERY_S = 0.2


@contextmanager
def work_lock(
    data_dir: Path,
    name: str,
    *,
    wait: bool = True,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold the lock `name` of a deployment's `data_dir`.

    Args:
        data_dir: Its folder; made if missing.
        name: What is done one at a time, such as `aggregate`.
        wait: Wait for another process to finish; else raise.
        on_wait: Told once, in one line, that somebody else is at work.

    Raises:
        Retryable: Another process holds it, and `wait` is False.
        Misconfigured: No such file can be made there.
    """
    path = data_dir / f"{name}.lock"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise Misconfigured(
            f"{path}: no lock can be made there ({error.strerror}); "
            "set FRAMETALLY_DATA_DIR to a folder that this user may write"
        ) from error
    try:
        said = False
        while not _take(handle):
            line = f"another `frametally {name}` is at work here (process {_holder(handle)})"
            if not wait:
                raise Retryable(line)
            if not said:
                on_wait(f"{line}; waiting for it")
                said = True
            time.sleep(_LOOK_EVERY_S)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)  # which releases it


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    return os.pread(handle, 20, 0).decode(errors="replace") or "unknown"
