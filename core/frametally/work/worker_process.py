"""A process that does one thing for its worker: they communicate by lines, and it ends with the worker.

It decodes media from strangers, so its resources are limited. Both ends are in this module.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec

from frametally.process.bound import bound
from frametally.process.limits import address_space_bytes, limit
from frametally.settings.environment import environment_of
from frametally.settings.loading import Settings

# Each thread of FFmpeg or OpenBLAS would reserve address space for a separate heap, used or not.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
_LONGEST_LINE = 1 << 16
_MOST_WORDS = 300

END_WITHIN_S = 9.0
"""A process still at the same step is killed after this time: commands end within 10 s."""
KILLED_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
"""Exit codes of a process ended by a person, or by a lack of memory that others may have caused."""


def environment_for_child(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give a child these settings."""
    return os.environ | environment_of(settings) | _ENVIRONMENT


def start_child(
    module: str, environment: Mapping[str, str], *arguments: str, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start `python -m <module>` with pipes for its three streams; it ends with the thread that starts it."""
    return subprocess.Popen(  # noqa: S603 - ourselves
        # -P, and another folder: never import from the folder where we were started.
        bound([sys.executable, "-P", "-m", module, *arguments]),
        cwd="/",
        env=environment,
        pass_fds=pass_fds,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


class WorkerProcess:
    """A running `python -m <module>`; a context manager, which kills it at the end.

    Attributes:
        last_line: The last line of its errors; empty before the first.
    """

    def __init__(
        self,
        module: str,
        environment: Mapping[str, str],
        *arguments: str,
        hear: Callable[[bytes], object],
        say: Callable[[str], object],
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start it: `hear` gets the lines of its output, `say` those of its errors, each in a thread."""
        self.last_line = ""
        self._hear = hear
        self._say = say
        self._has_news = threading.Event()  # it has written a line, or has closed its output
        self._is_told = False
        self._kill_at_s = float("inf")
        self._process = start_child(module, environment, *arguments, pass_fds=pass_fds)
        self._readers = [
            threading.Thread(target=read, args=(stream,), daemon=True)
            for read, stream in ((self._listen, self._process.stdout), (self._pass_on, self._process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self.kill()
            for reader in self._readers:
                reader.join()

    @property
    def code(self) -> int:
        """The exit code of a process that has ended; a negative one is the signal that killed it."""
        return self._process.wait()

    def write(self, word: Any) -> None:
        """Write a line of JSON to its input, unless it has ended; its code then says why."""
        assert self._process.stdin  # noqa: S101 - for the type checker
        with suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), msgspec.json.encode(word) + b"\n")

    def has_ended(self, wait_s: float) -> bool:
        """Wait for output, and return whether it has ended; kill it if it is overdue."""
        self._has_news.wait(wait_s)
        self._has_news.clear()
        if time.monotonic() > self._kill_at_s:
            self.kill()
        return self._process.poll() is not None

    def end_within(self, seconds: float) -> None:
        """Ask it once to finish its current step and end; kill it after `seconds`."""
        if not self._is_told:
            self._is_told = True
            self._process.terminate()
        self.kill_within(seconds)

    def kill_within(self, seconds: float) -> None:
        """Kill it `seconds` after now, or at an earlier time already set, unless it ends before."""
        self._kill_at_s = min(self._kill_at_s, time.monotonic() + seconds)

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()

    def _listen(self, stream: BinaryIO) -> None:
        while line := stream.readline(_LONGEST_LINE):
            with suppress(msgspec.DecodeError):  # a library has printed something
                self._hear(line)
            self._has_news.set()
        self._has_news.set()

    def _pass_on(self, stream: BinaryIO) -> None:
        while line := stream.readline(_LONGEST_LINE):
            text = line.decode(errors="replace").strip()
            if text:
                self.last_line = text[:_MOST_WORDS]
                self._say(text)


def answer(word: Any) -> None:
    """Write a line of JSON to this process's worker; once the worker is gone, this fails and ends us."""
    sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
    sys.stdout.buffer.flush()


def say(line: str) -> None:
    """Write a line for people to this process's worker."""
    print(line, file=sys.stderr, flush=True)


def bound_memory(settings: Settings) -> None:
    """Limit the memory that this process may take from now on, and write no core dump if it crashes."""
    limit(resource.RLIMIT_CORE, 0)
    memory_bytes = address_space_bytes()
    if memory_bytes is not None:
        limit(resource.RLIMIT_AS, memory_bytes + settings.job_memory_mb * 1_000_000)
