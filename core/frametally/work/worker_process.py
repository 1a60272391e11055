"""A process that does one thing for its worker: they speak by lines, and it ends with the worker.

It decodes media from strangers, so what it may take is bounded. Both ends are here.
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

# Each thread of FFmpeg or OpenBLAS would take address space for a heap of its own, used or not.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
_LONGEST_LINE = 1 << 16
_MOST_WORDS = 300

END_WITHIN_S = 9.0
"""A process that stays at one step is killed after so long: commands end within 10 s."""
KILLED_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
"""Codes of a process that a person ended, or a lack of memory that others may have caused."""


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


class WorkerProcess:
    """A running `python -m <module>`; a context, which kills it at the end.

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
        """The exit code of a process that has ended; negative: the signal that killed it."""
        return self._process.wait()

    def write(self, word: Any) -> None:
        """Write a line of JSON to its input, unless it has ended; its code tells why."""
        assert self._process.stdin  # noqa: S101 - for the type checker
        with suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), msgspec.json.encode(word) + b"\n")

    def has_ended(self, wait_s: float) -> bool:
        """Wait for news, and return whether it has ended; one that is overdue is killed."""
        self._has_news.wait(wait_s)
        self._has_news.clear()
        if time.monotonic() > self._kill_at_s:
            self.kill()
        return self._process.poll() is not None

    def end_within(self, seconds: float) -> None:
        """Tell it once to finish its current step and end, and have it killed after so long."""
        if not self._is_told:
            self._is_told = True
            self._process.terminate()
        self.kill_within(seconds)

    def kill_within(self, seconds: float) -> None:
        """Have it killed after so many seconds from the first such call, unless it has ended before."""
        self._kill_at_s = min(self._kill_at_s, time.monotonic() + seconds)

    def kill(self) -> None:
        """End it, whatever it is at."""
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
    """Write a line of JSON to the worker of this process; once that is gone, this fails, and ends us."""
    sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
    sys.stdout.buffer.flush()


def say(line: str) -> None:
    """Write a line for people to the worker of this process."""
    print(line, file=sys.stderr, flush=True)


def bound_memory(settings: Settings) -> None:
    """Bound the memory that this process may take from now on, and leave no picture of it when it crashes."""
    limit(resource.RLIMIT_CORE, 0)
    memory_bytes = address_space_bytes()
    if memory_bytes is not None:
        limit(resource.RLIMIT_AS, memory_bytes + settings.job_memory_mb * 1_000_000)
