"""One attempt at a job: a process of its own, whose lease is kept for as long as it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from frametally.errors import Retryable
from frametally.ports.video_catalogue import Job, VideoCatalogue
from frametally.process.bound import bound
from frametally.settings.environment import environment_of
from frametally.settings.loading import Settings
from frametally_producer.jobs.messages import JobOrder, JobWord

_LOOK_S, _RENEW_EVERY_S = 0.2, 1.0
_END_WITHIN_S = 9.0
"""A job that was told to stop, and is at one frame for so long, is killed: commands end within 10 s."""
_LONGEST_LINE = 1 << 16
_MOST_DEATHS = 3
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
"""By a person, or for want of memory, which others may have taken: tried as often as is set."""
# Made once, before there are threads: see `records.decode`.
_words = msgspec.json.Decoder(JobWord)
# Each thread of FFmpeg or OpenBLAS would take address space for a heap of its own, used or not.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}


class Attempt:
    """A claimed job's process."""

    def __init__(
        self, job: Job, *, settings: Settings, catalogue: VideoCatalogue, say: Callable[[str], None]
    ) -> None:
        """Start nothing yet; what the process says of itself goes to `say`."""
        self._job = job
        self._settings = settings
        self._catalogue = catalogue
        self._say = say
        self._last_line = ""
        self._renewed_at_s = time.monotonic()
        self._progress: float | None = None
        self._end: JobWord | None = None

    def run(self, should_stop: Callable[[], bool]) -> JobWord | None:
        """Do the job; once `should_stop`, what is in hand is finished and the rest left.

        Returns:
            How it ended; None if it is another's by now, or was cancelled: nothing more may be noted of it.
        """
        process = subprocess.Popen(  # noqa: S603 - ourselves
            # -P, and another folder: what lies where we were started is no place to import from.
            bound([sys.executable, "-P", "-m", "frametally_producer.jobs"]),
            cwd="/",
            env=os.environ | environment_of(self._settings) | _ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            readers = [
                threading.Thread(target=self._hear, args=(process.stdout,), daemon=True),
                threading.Thread(target=self._pass_on, args=(process.stderr,), daemon=True),
            ]
            for reader in readers:
                reader.start()
            try:
                self._order(process)
                ours = self._look_after(process, should_stop)
            finally:
                process.kill()
            for reader in readers:
                reader.join()
        if not ours:
            return None
        return self._end or self._died(process.returncode, stopped=should_stop())

    def _order(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin  # noqa: S101 - for the type checker
        try:
            process.stdin.write(msgspec.json.encode(JobOrder(self._job.video_id, self._job.kind)) + b"\n")
            process.stdin.close()
        except BrokenPipeError:  # it ended before; why is in its code
            pass

    def _look_after(self, process: subprocess.Popen[bytes], should_stop: Callable[[], bool]) -> bool:
        """Wait for its end; return whether the job stayed ours until then."""
        kill_at_s: float | None = None
        while True:
            try:
                process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                pass
            else:
                return True
            if kill_at_s is None and should_stop():
                process.terminate()
                kill_at_s = time.monotonic() + _END_WITHIN_S
            if kill_at_s is not None and time.monotonic() > kill_at_s:
                process.kill()
            if not self._renew():
                process.kill()
                process.wait()
                return False

    def _renew(self) -> bool:
        """Keep the lease, if it is time; return whether the job is still ours."""
        if time.monotonic() - self._renewed_at_s < min(_RENEW_EVERY_S, self._settings.job_lease_s / 3):
            return True
        try:
            kept = self._catalogue.renew(
                self._job, lease_s=self._settings.job_lease_s, progress=self._progress
            )
        except Retryable:  # nobody else gets it either; and doing it twice is as doing it once
            return True
        self._renewed_at_s = time.monotonic()
        return kept

    def _died(self, code: int, *, stopped: bool) -> JobWord:
        """Return what to make of an end without a word."""
        if stopped:
            return JobWord(end="stopped")
        if code == -signal.SIGXCPU:
            return JobWord(end="failed", reason="It takes more than a day of processor time; cut it.")
        if code < 0:
            name = signal.Signals(-code).name
            if self._job.attempts >= _MOST_DEATHS and code not in _FROM_OUTSIDE:
                reason = f"What decodes it was killed ({name}) {self._job.attempts} times; convert it."
                return JobWord(end="failed", reason=reason)
            return JobWord(end="again", reason=f"What decodes it was killed ({name}).")
        return JobWord(end="again", reason=f"Its process ended without a result: {self._last_line or code}")

    def _hear(self, said: BinaryIO) -> None:
        while line := said.readline(_LONGEST_LINE):
            try:
                word = _words.decode(line)
            except msgspec.DecodeError:
                continue
            if word.end is None:
                self._progress = word.progress
            else:
                self._end = word

    def _pass_on(self, said: BinaryIO) -> None:
        while line := said.readline(_LONGEST_LINE):
            text = line.decode(errors="replace").strip()
            if text:
                self._last_line = text[:300]
                self._say(text)
