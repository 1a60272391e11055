"""Becomes the given program, and has the kernel end it when the thread that started it ends.

It is run as a file, before anything of ours is imported: it must cost next to nothing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def bound(arguments: Sequence[str]) -> list[str]:
    """Return what starts the program of `arguments`, its full path first, bound to this process.

    It gets SIGTERM once the thread that starts it has ended, whatever that ended of. Only Linux has that:
    elsewhere the program lives on. A terminal's Ctrl-C is for who starts it, which tells it: it is not heard
    until the program says what to do with it, for it would cut short a Python that has only just begun.
    """
    return [sys.executable, "-I", "-S", "-B", __file__, str(os.getpid()), *arguments]


def _become(parent: str, program: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit(128 + signal.SIGTERM)  # it went before it could be heard of
    try:
        os.execv(program[0], program)  # noqa: S606 - it is what we were given to run
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    _become(sys.argv[1], sys.argv[2:])
