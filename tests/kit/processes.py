"""Runs programs, and looks at processes of this machine through Linux's /proc."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run_program(
    command: Sequence[Any], *, code: int | None = 0, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with options of `subprocess.run`; return its result, with its output as text.

    Raises:
        AssertionError: It did not end with `code`, unless that is None.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert code in (None, done.returncode), (done.args, done.returncode, done.stdout, done.stderr)
    return done


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
