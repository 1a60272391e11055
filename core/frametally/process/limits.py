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


def address_space_bytes() -> int | None:
    """Return what this process has taken; None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return None
