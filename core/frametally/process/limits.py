"""Limits the resources of this process, so that a fault in it does not affect others."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def limit(resource_id: int, most: int) -> None:
    """Limit a resource of this process and its children, at most to the hard limit.

    Args:
        resource_id: The limit, such as `resource.RLIMIT_CPU`.
        most: Its value in its unit: seconds of processor time, or bytes.
    """
    hard = resource.getrlimit(resource_id)[1]
    resource.setrlimit(resource_id, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def allow(resource_id: int, least: int) -> None:
    """Raise a limit of this process and its children to `least`, or to the hard limit.

    Args:
        resource_id: The limit, such as `resource.RLIMIT_NOFILE`.
        least: Its value in its unit.
    """
    soft = resource.getrlimit(resource_id)[0]
    if soft != resource.RLIM_INFINITY and soft < least:
        limit(resource_id, least)


def address_space_bytes() -> int | None:
    """Return the size of this process's address space, or None if the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return None


@contextmanager
def in_thread(work: Callable[[threading.Event], None], *, name: str) -> Iterator[None]:
    """Run `work` in a thread; at the end, set the event that it was given and wait for it."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def disk_bytes(folder: Path) -> tuple[int, int]:
    """Return the free and total bytes of the disk of a folder, which may not exist yet. Raises `OSError`."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total
