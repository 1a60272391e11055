"""Starts a process with limits that decodes media from strangers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence

from frametally.process.bound import bound
from frametally.process.limits import address_space_bytes, limit
from frametally.settings.environment import environment_of
from frametally.settings.loading import Settings

# Each thread of FFmpeg or OpenBLAS would take address space for a heap of its own, used or not.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}


def environment_for_child(settings: Settings) -> dict[str, str]:
    """Return the variables by which a child has these settings."""
    return os.environ | environment_of(settings) | _ENVIRONMENT


def start_child(
    module: str, environment: Mapping[str, str], *arguments: str, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start `python -m <module>`, spoken to by its three streams; it ends with the thread that starts it."""
    return subprocess.Popen(  # noqa: S603 - ourselves
        # -P, and another folder: what lies where we were started is no place to import from.
        bound([sys.executable, "-P", "-m", module, *arguments]),
        cwd="/",
        env=environment,
        pass_fds=pass_fds,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def bound_memory(settings: Settings) -> None:
    """Bound the memory that this process may take from now on, and leave no picture of it when it crashes."""
    limit(resource.RLIMIT_CORE, 0)
    memory_bytes = address_space_bytes()
    if memory_bytes is not None:
        limit(resource.RLIMIT_AS, memory_bytes + settings.job_memory_mb * 1_000_000)
