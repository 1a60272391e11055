"""Runs several commands as one: each is a supervised process, and all end together."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from frametally.process.bound import bound
from frametally.process.exit_codes import worst
from frametally.process.reports import is_json_line, without_stamp
from frametally.process.retrying import Backoff

_LOOK_S = 0.1
_KILL_AFTER_S = 12.0
"""After the signal to stop: each of our commands ends within 10 s, unless it hangs."""
_READ_ON_S = 1.0
"""How long to wait for a member's last output; a process that it started may keep the output open."""
_SAY_AGAIN_S = 600.0
_LONGEST_LINE = 10_000
_MOST_LINES = 1000
_TOLD_TO_STOP = (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)
_CUT_SHORT = 1


_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
_WELL_AFTER_S = 60.0


class Restarts:
    """When to restart a process that ended by itself: the pauses double from half a second to a minute.

    A process that dies after running for a minute is restarted almost at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow the first start at once; `clock` returns seconds."""
        self._clock = clock
        self._backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._started_at_s = self._start_at_s = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether the pause is over."""
        return self._clock() >= self._start_at_s

    def begin(self) -> None:
        """Record that the process is being started."""
        self._started_at_s = self._clock()

    def put_off(self) -> float:
        """Record that it has ended; return the pause before the next start, in seconds."""
        if self._clock() - self._started_at_s > _WELL_AFTER_S:
            self._backoff.reset()
        pause_s = self._backoff.next_s()
        self._start_at_s = self._clock() + pause_s
        return pause_s


class Member(NamedTuple):
    """One command of a family.

    Attributes:
        name: The prefix of its lines.
        arguments: The full path of its program, then its arguments.
    """

    name: str
    arguments: Sequence[str]


class Family:
    """Commands that start together and are looked after until all have ended.

    A member's output appears line by line with the member's name, in a log line after time and level. Lines
    repeated within ten minutes, such as that there is nothing new, are left out. A member that ends by
    itself, for whatever reason, is restarted after a pause, which doubles from half a second to a minute.

    Members are in the process group of the process that starts them, and end with it, however it ends.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send lines to `say`, one at a time; `clock` returns seconds."""
        self._say = say
        self._clock = clock
        self._saying = threading.Lock()
        self._width = 0
        self._children: list[_Child] = []
        self.add(members)

    def add(self, members: Sequence[Member]) -> None:
        """Start more members while it runs; any thread may call this."""
        self._width = max((self._width, *(len(member.name) for member in members)))
        self._children += [_Child(member, self._tell, self._clock) for member in members]

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Start all, look after them until `should_stop`, then end all within 15 s; return the exit code.

        The thread that calls this must outlive the members or be the last of its process to end: they end
        with it.

        Returns:
            The worst of the members' last exit codes: 0 if each ended on the signal to stop. A member that
            was not restarted counts with the code that it died with, one that had to be killed with 1.
        """
        try:
            while not should_stop():
                for child in self._children:
                    child.look_after()
                time.sleep(_LOOK_S)
        finally:
            self._end()
        return worst(0, *(child.code for child in self._children))

    def _end(self) -> None:
        """Ask all to stop, wait for them, and kill the rest."""
        for child in self._children:
            child.stop()
        until_s = self._clock() + _KILL_AFTER_S
        left = self._children
        while (left := [child for child in left if not child.has_stopped()]) and self._clock() < until_s:
            time.sleep(_LOOK_S)
        for child in left:
            child.kill()

    def _tell(self, name: str, line: str) -> None:
        stamp, text = without_stamp(line)
        # Members continue even if nothing reads the output any more.
        with self._saying, suppress(OSError, ValueError):
            self._say(line if is_json_line(line) else f"{stamp}{name:<{self._width}} | {text}")


class _Child:
    """One member's process, and its replacement after it ends."""

    def __init__(self, member: Member, tell: Callable[[str, str], None], clock: Callable[[], float]) -> None:
        self.code = 0
        self._member = member
        self._tell = tell
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._restarts = Restarts(clock)
        self._said_at_s: dict[str, float] = {}

    def look_after(self) -> None:
        """Start it when it is due; notice when it has ended."""
        if self._process is None:
            if self._restarts.is_due:
                self._start()
            return
        code = self._process.poll()
        if code is None:
            return
        self._forget(code)
        pause_s = self._restarts.put_off()
        self._tell(self._member.name, f"{how_it_ended(code)}: frametally starts it again in {pause_s:.1f} s")

    def stop(self) -> None:
        """Ask it to finish its current work and end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def has_stopped(self) -> bool:
        """Return whether it has ended on request; that alone does not count as a failure."""
        if self._process is None:
            return True
        code = self._process.poll()
        if code is None:
            return False
        self._forget(0 if _exit_code(code) in _TOLD_TO_STOP else code)
        return True

    def kill(self) -> None:
        """End it, whatever it is doing."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._forget(_CUT_SHORT)
        self._tell(
            self._member.name,
            f"did not end within {_KILL_AFTER_S:.0f} s and was killed; run the same command to continue",
        )

    def _start(self) -> None:
        self._restarts.begin()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the family's own commands
                bound(self._member.arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        except OSError as error:  # no memory or no process left for now
            pause_s = self._restarts.put_off()
            self.code = _CUT_SHORT
            self._tell(
                self._member.name, f"could not start ({error.strerror}); trying again in {pause_s:.1f} s"
            )
            return
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name=f"hearing-{self._member.name}", daemon=True
        )
        self._reader.start()

    def _forget(self, code: int) -> None:
        """Record its end: its last output, and its code."""
        if self._reader is not None:
            self._reader.join(_READ_ON_S)
        self.code = _exit_code(code)
        self._process = self._reader = None

    def _read(self, output: BinaryIO) -> None:
        with output:
            while line := output.readline(_LONGEST_LINE):
                self._pass_on(line.decode(errors="replace").strip("\r\n"))

    def _pass_on(self, line: str) -> None:
        now_s = self._clock()
        _, text = without_stamp(line)
        if not text.strip() or now_s - self._said_at_s.get(text, float("-inf")) < _SAY_AGAIN_S:
            return
        if len(self._said_at_s) >= _MOST_LINES:
            self._said_at_s.clear()
        self._said_at_s[text] = now_s
        self._tell(self._member.name, line)


def _exit_code(code: int) -> int:
    """Return a process's exit code as a shell reports it: 128 plus its number for a signal."""
    return 128 - code if code < 0 else code


def how_it_ended(code: int | None) -> str:
    """Return in words how a process ended; a negative code is the signal that killed it."""
    if code is None or code >= 0:
        return f"ended with code {code}"
    return f"was killed by {signal.Signals(-code).name}"
