"""Looks at processes of this machine through Linux's /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Return the children of a process, and their children."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children_of(child)]
    return found


def is_running(pid: int) -> bool:
    """Return whether a process exists and has not ended, whether or not its parent waits for it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return not re.search(r"^State:\s+[ZX]", status, re.MULTILINE)


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process, without its children, has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
