"""Looks at processes of this machine, as Linux tells of them."""

from __future__ import annotations

import re
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children_of(child)]
    return found


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended, whoever waits for it or not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return not re.search(r"^State:\s+[ZX]", status, re.MULTILINE)
