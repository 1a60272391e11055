"""Limits on the resources of this process, so that a fault in it does not affect others."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def limit(resource_id: int, most: int) -> None:
    """Bound this process and those that it starts, never above the bound that it cannot raise.

    Args:
        resource_id: Which bound, such as `resource.RLIMIT_CPU`.
        most: In its own unit: seconds of processor time, bytes.
    """
    hard = resource.getrlimit(resource_id)[1]
    resource.setrlimit(resource_id, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def allow(resource_id: int, least: int) -> None:
    """Let this process and those that it starts take so much, or as much as it may raise its bound to.

    Args:
        resource_id: Which bound, such as `resource.RLIMIT_NOFILE`.
        least: In its own unit.
    """
    soft = resource.getrlimit(resource_id)[0]
    if soft != resource.RLIM_INFINITY and soft < least:
        limit(resource_id, least)


def address_space_bytes() -> int | None:
    """Return the memory of this process; None if the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return None


@contextmanager
def in_thread(work: Callable[[threading.Event], None], *, name: str) -> Iterator[None]:
    """Run `work` in a thread; at the end set the event that it was given, and wait for it."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def disk_bytes(folder: Path) -> tuple[int, int]:
    """Return the free and all bytes of the disk that a folder is or will be on. Raises `OSError`."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total
