"""Cuts this process off from the network permanently, because it decodes hostile bytes.

A kernel filter (seccomp) makes `socket` fail with EACCES for every address family except AF_UNIX. It needs no
privileges or namespaces, so it also works in a container.

The filter also answers EPERM to requests for real-time scheduling. SVT-AV1 makes them for its own and the
caller's threads if it runs as root, which freezes a machine with few cores. It works without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from frametally.errors import Misconfigured

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_ALL_THREADS, _THIS_THREAD = 1, 0
_ALLOW = 0x7FFF0000
_REFUSE, _NO_RIGHT = 0x00050000 | errno.EACCES, 0x00050000 | errno.EPERM
_AF_UNIX = 1
# linux/filter.h: load a word, jump if equal, jump if not less, return.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
# linux/seccomp.h, struct seccomp_data: offsets of the call, the architecture and the first argument.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_IO_URING_SETUP = 425
"""The same on all architectures; io_uring can open sockets without the `socket` call."""
_OTHER_ABI = 0x40000000
"""Calls of x32, which has the same architecture, have numbers from here on."""

_CANNOT = "a process that decodes videos cannot give up the network"


class _Machine(NamedTuple):
    """The kernel's number of an architecture (linux/audit.h), and its numbers of some calls.

    Attributes:
        architecture: Number of the architecture.
        socket: Number of `socket`.
        seccomp: Number of `seccomp`.
        turns: Numbers of `sched_setparam`, `sched_setscheduler` and `sched_setattr`.
    """

    architecture: int
    socket: int
    seccomp: int
    turns: tuple[int, int, int]


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 41, 317, (142, 144, 314)),
    "aarch64": _Machine(0xC00000B7, 198, 277, (118, 119, 274)),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def without_network(*, may_keep: bool) -> None:
    """Block the network, more privileges and real-time scheduling for this process and its children.

    Open sockets stay open.

    Args:
        may_keep: Whether this process may keep all that where it cannot give it up, as on macOS.

    Raises:
        Misconfigured: The machine, the kernel or a filter of this service or container does not allow it.
    """
    try:
        _give_up_network(_ALL_THREADS)
    except Misconfigured:
        if not may_keep:
            raise


def check_without_network() -> None:
    """Try it in a thread, which then ends; the network of this process stays. Raises as `without_network`."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(_give_up_network, _THIS_THREAD).result()


def _give_up_network(flags: int) -> None:
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        raise Misconfigured(
            f"{_CANNOT} ({sys.platform}, {platform.machine()}): run this on Linux on x86_64 or aarch64, or"
            " set FRAMETALLY_JOB_NETWORK=true if you trust all your videos"
        )
    lines = _filter_of(machine)
    code = b"".join(struct.pack("HBBI", *line) for line in lines)
    program = ctypes.byref(_Program(len(lines), code))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or library.syscall(
        machine.seccomp, _SET_MODE_FILTER, flags, program
    ):
        raise Misconfigured(
            f"{_CANNOT} ({os.strerror(ctypes.get_errno())}): allow the system call `seccomp` in the container"
            " or service (for the service of systemd, run `frametally service install` again)"
        )


def _filter_of(machine: _Machine) -> list[tuple[int, int, int, int]]:
    """Return the filter: the operation, the jumps if true and if false, and the operand of each line."""
    param, scheduler, attr = machine.turns
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, 10, machine.architecture),  # other architectures have other numbers, so refuse them
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 8, 0, _OTHER_ABI),
        (_EQUAL, 7, 0, _IO_URING_SETUP),
        (_EQUAL, 7, 0, param),
        (_EQUAL, 6, 0, scheduler),
        (_EQUAL, 5, 0, attr),
        (_EQUAL, 0, 2, machine.socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _NO_RIGHT),
    ]
