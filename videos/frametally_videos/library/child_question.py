"""Asking a process of its own about a video: whatever its bytes do to what reads them befalls that alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import NamedTuple

import msgspec

from frametally.errors import Misconfigured, Retryable
from frametally.process.bound import bound
from frametally.settings.environment import environment_of
from frametally.settings.loading import Settings
from frametally_videos.upload_refusals import Refused

UNPROCESSABLE = 422
_MOST_WORDS = 300
# Each thread of FFmpeg or OpenBLAS would take address space for a heap of its own, used or not.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_TOLD_TO_END = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP}


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a process says that has no answer; an answer is one of these with more in it.

    Attributes:
        status: With a refusal, the HTTP status that tells its kind.
        reason: Of a refusal, of what is away, or of what is not set up.
        away: Whether the store was away.
    """

    status: int = 0
    reason: str = ""
    away: bool = False

    def error(self) -> Exception:
        """Return what to raise for it."""
        if self.away:
            return Retryable(self.reason)
        return Refused(self.status, self.reason) if self.status else Misconfigured(self.reason)


class Said(NamedTuple):
    """What came of a process: its exit code, what it said (cut where it is too much), its last complaint."""

    code: int
    answer: bytes
    last_words: str


def ask(
    settings: Settings, module: str, key: str, question: bytes, *, most_s: float, most_bytes: int
) -> Said:
    """Ask `module` about the bytes under `key`: the question is its input, its output the answer.

    Args:
        settings: Of this process; that one has the same.
        module: Run as `python -m`.
        key: Its argument.
        question: All of its input.
        most_s: After so many seconds it is killed.
        most_bytes: Of its answer; whoever says more is killed.
    """
    process = subprocess.Popen(  # noqa: S603 - ourselves
        # -P, and another folder: what lies where we were started is no place to import or to be set up from.
        bound([sys.executable, "-P", "-m", module, key]),
        cwd="/",
        env=os.environ | environment_of(settings) | _ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    complaints: list[bytes] = []
    with process:
        assert process.stdin and process.stdout and process.stderr  # noqa: S101 - for the type checker
        timer = threading.Timer(most_s, process.kill)
        listener = threading.Thread(target=_listen, args=(process, complaints), daemon=True)
        timer.start()
        listener.start()
        try:
            process.stdin.write(question)
            process.stdin.close()
        except BrokenPipeError:  # it ended before it was asked; why is in its code
            pass
        try:
            said = process.stdout.read(most_bytes)
            if process.stdout.read(1):
                process.kill()
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
        listener.join()
    words = complaints[-1].decode(errors="replace") if complaints else ""
    return Said(code, said, words[:_MOST_WORDS])


def why_ended(said: Said, *, most_cpu_s: int) -> Exception:
    """Return what to raise for a process that ended without an answer."""
    code = said.code
    if code == -signal.SIGXCPU:
        return Refused(
            UNPROCESSABLE, f"Looking into it takes more than {most_cpu_s} s; convert it, to MP4 with H.264."
        )
    if code in _TOLD_TO_END:
        return Retryable("the look into a video was ended from outside; it is made again")
    if code < 0:
        name = signal.Signals(-code).name
        return Refused(
            UNPROCESSABLE, f"It ends what reads it ({name}); copy it again from its origin, or convert it."
        )
    return Misconfigured(
        f"videos cannot be looked into here ({said.last_words or f'exit code {code}'}); "
        "install frametally[producer] beside what takes uploads"
    )


def _listen(process: subprocess.Popen[bytes], complaints: list[bytes]) -> None:
    """Keep its last line, so that it is never held up by what it says."""
    assert process.stderr  # noqa: S101 - for the type checker
    while line := process.stderr.readline(4096):
        if line.strip():
            complaints[:] = [line.strip()]
