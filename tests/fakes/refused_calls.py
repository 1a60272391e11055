"""Runs a command whose system calls of one number fail with EPERM, as under the filter of a service.

`python refused_calls.py NUMBER COMMAND...`
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN, _ALLOW, _EPERM = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050001
SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}.get(os.uname().machine, 0)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(number: int) -> None:
    """Have this process and its children get EPERM for a system call."""
    lines = [(_LOAD, 0, 0, 0), (_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    program = _Program(len(lines), b"".join(struct.pack("HBBI", *line) for line in lines))
    library = ctypes.CDLL(None)
    assert library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) == 0


if __name__ == "__main__":
    refuse(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the test's own command
