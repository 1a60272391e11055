"""Bounds of what this process may take: what goes wrong within them befalls it alone."""

from __future__ import annotations

import resource
from pathlib import Path


def limit(what: int, most: int) -> None:
    """Bound this process and those that it starts, never above the bound that it cannot raise.

    Args:
        what: Which bound, such as `resource.RLIMIT_CPU`.
        most: In its own unit: seconds of processor time, bytes.
    """
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def allow(what: int, least: int) -> None:
    """Let this process and those that it starts take so much, or as much as it may raise its bound to.

    Args:
        what: Which bound, such as `resource.RLIMIT_NOFILE`.
        least: In its own unit.
    """
    soft = resource.getrlimit(what)[0]
    if soft != resource.RLIM_INFINITY and soft < least:
        limit(what, least)


def address_space_bytes() -> int | None:
    """Return what this process has taken; None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return None
