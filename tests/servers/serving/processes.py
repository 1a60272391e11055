"""Processes that outlive the command that started them, known by pid and start time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534


class ServerFailed(Exception):
    """A server, or a step on the way to it, failed; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Process:
    """A process that was started here.

    Attributes:
        label: What it is, such as `broker`.
        pid: Its id, also of its group.
        started_ticks: When the kernel started it, in ticks since boot: a later process with the same pid
            has another.
        log: File of its output.
    """

    label: str
    pid: int
    started_ticks: int
    log: str

    @property
    def alive(self) -> bool:
        """Whether this exact process is still running."""
        return start_ticks(self.pid) == self.started_ticks


def start_ticks(pid: int) -> int | None:
    """When the process was started, in ticks since boot; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def spawn(
    argv: Sequence[str | Path],
    *,
    label: str,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    unprivileged: bool = False,
) -> Process:
    """Start a process in a separate session; its output is appended to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            as_nobody(argv) if unprivileged else [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    child.returncode = 0  # it is not waited for: it outlives this command
    return Process(label, child.pid, start_ticks(child.pid) or 0, str(log))


def stop(processes: Sequence[Process], *, by: signal.Signals, within_s: float) -> None:
    """End the processes and their groups, the last one first; kill those that take too long."""
    running = [process for process in reversed(processes) if process.alive]
    for process in running:
        _signal_group(process, signal.SIGCONT)
        _signal_group(process, by)
    by_s = time.monotonic() + within_s
    while any(process.alive for process in running) and time.monotonic() < by_s:
        time.sleep(0.05)
    for process in running:
        if process.alive:
            _signal_group(process, signal.SIGKILL)
    while any(process.alive for process in running):
        time.sleep(0.02)


def _signal_group(process: Process, number: signal.Signals) -> None:
    if process.alive:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def as_nobody(argv: Sequence[str | Path]) -> list[str]:
    """The command as an unprivileged user, if it would run as root."""
    command = [str(part) for part in argv]
    if os.geteuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServerFailed("no setpriv here (Debian: apt install util-linux): it is needed to leave root")
    return [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log file."""
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, count)).rstrip()
    except OSError:
        return "(no log)"
