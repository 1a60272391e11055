"""Becomes the given program, and has the kernel end it when the thread that started it ends.

It runs as a file without importing frametally, because it must cost next to nothing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def bound(arguments: Sequence[str]) -> list[str]:
    """Return the command for a program bound to this process; `arguments` begin with its full path.

    The program gets SIGTERM once the thread that started it has ended for any reason. Only Linux supports
    this: elsewhere the program lives on. A terminal's Ctrl-C is ignored until the program handles it, because
    it would interrupt a Python that is still starting; the parent has to pass it on.
    """
    return [sys.executable, "-I", "-S", "-B", __file__, str(os.getpid()), *arguments]


def _become(parent: str, program: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit(128 + signal.SIGTERM)  # the parent ended before the kernel could report it
    try:
        os.execv(program[0], program)  # noqa: S606 - it is what we were given to run
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    _become(sys.argv[1], sys.argv[2:])
