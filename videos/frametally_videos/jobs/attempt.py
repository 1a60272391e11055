"""One attempt at a job: a process of its own, and what holds the job for as long as that lives."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from frametally import keys
from frametally.errors import Retryable
from frametally.ports.object_store import ObjectStore
from frametally.process.meters import METERS
from frametally.rules.times import HOUR_S
from frametally.settings.environment import without_secrets
from frametally.settings.loading import Settings
from frametally_producer.child import environment_for_child, start_child
from frametally_videos.handed_store.serving import Handing
from frametally_videos.jobs.job_messages import STORE_VARIABLE, WITH_SERVERS, JobOrder, JobWord
from frametally_videos.ports.job_book import Job
from frametally_videos.settings import VideoSettings

_LOOK_S, _RENEW_EVERY_S = 0.2, 1.0
_END_WITHIN_S = 9.0
"""A job that was told to stop, and is at one frame for so long, is killed: commands end within 10 s."""
_LONGEST_LINE = 1 << 16
_MOST_DEATHS = 3
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
"""By a person, or for want of memory, which others may have taken: tried as often as is set."""
# Made once, before there are threads: see `records.decode`.
_words = msgspec.json.Decoder(JobWord)


class Attempt:
    """A claimed job's process."""

    def __init__(
        self,
        job: Job,
        *,
        settings: Settings,
        store: ObjectStore,
        renew: Callable[[float | None], bool],
        keep: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        """Start nothing yet.

        Args:
            job: What is to be done.
            settings: Of this process; the job has the same.
            store: Where the video is.
            renew: Is called once a second, with how far it is, as `Job.progress` has it; returns whether the
                job is still ours. May raise `Retryable`.
            keep: Is called several times a second; once False, others may be told of the job, and `renew` is
                called as often.
            say: Is told what the process says, line by line.
        """
        self._job = job
        self._settings = settings
        self._store = store
        self._renew_hold = renew
        self._keep = keep
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
        handed, theirs = (None, None) if self._job.kind in WITH_SERVERS else socket.socketpair()
        process = self._start(theirs)
        with process:
            readers = [
                threading.Thread(target=self._hear, args=(process.stdout,), daemon=True),
                threading.Thread(target=self._pass_on, args=(process.stderr,), daemon=True),
            ]
            if handed is not None:
                readers.append(threading.Thread(target=self._hand, args=(handed,), daemon=True))
            for reader in readers:
                reader.start()
            try:
                self._order(process)
                with METERS.timed(f"job-{self._job.kind}"):
                    ours = self._look_after(process, should_stop)
            finally:
                process.kill()
            for reader in readers:
                reader.join()
        if not ours:
            return None
        return self._end or self._died(process.returncode, stopped=should_stop())

    def _start(self, handed: socket.socket | None) -> subprocess.Popen[bytes]:
        """Start its process; what is handed to it has no log-ins."""
        environment = environment_for_child(self._settings)
        numbers = []
        if handed is not None:
            numbers = [handed.fileno()]
            environment = without_secrets(environment) | {STORE_VARIABLE: str(handed.fileno())}
        try:
            return start_child("frametally_videos.jobs", environment, pass_fds=numbers)
        finally:
            if handed is not None:
                handed.close()

    def _hand(self, connection: socket.socket) -> None:
        """Hand it the video's folder, of which it may change all but the record and the original."""
        video_id = self._job.video_id
        kept = frozenset({keys.video_key(video_id), keys.original_key(video_id)})
        Handing(self._store, folder=keys.video_folder(video_id), kept=kept).serve(connection)

    def _order(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin  # noqa: S101 - for the type checker
        order = JobOrder(self._job.video_id, self._job.kind, self._job.options)
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.close()
        except BrokenPipeError:  # it ended before; why is in its code
            pass

    def _look_after(self, process: subprocess.Popen[bytes], should_stop: Callable[[], bool]) -> bool:
        """Wait for its end; return whether the job stayed ours until then."""
        kill_at_s: float | None = None
        over_at_s = time.monotonic() + self._settings.part(VideoSettings).job_max_h * HOUR_S
        while True:
            try:
                process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                pass
            else:
                return True
            every_s = (
                min(_RENEW_EVERY_S, self._settings.part(VideoSettings).job_lease_s / 3)
                if self._keep()
                else 0.0
            )
            if kill_at_s is None and should_stop():
                process.terminate()
                kill_at_s = time.monotonic() + _END_WITHIN_S
            if kill_at_s is not None and time.monotonic() > kill_at_s:
                process.kill()
            if time.monotonic() > over_at_s:
                self._end = JobWord(end="failed", reason=self._too_long())
                process.kill()
            if not self._renew(every_s):
                process.kill()
                process.wait()
                return False

    def _renew(self, every_s: float) -> bool:
        """Keep hold of it, if it is time; return whether the job is still ours."""
        if time.monotonic() - self._renewed_at_s < every_s:
            return True
        try:
            kept = self._renew_hold(self._progress)
        except Retryable:  # nobody else gets it either; and doing it twice is as doing it once
            return True
        self._renewed_at_s = time.monotonic()
        return kept

    def _died(self, code: int, *, stopped: bool) -> JobWord:
        """Return what to make of an end without a word."""
        if stopped:
            return JobWord(end="stopped")
        if code == -signal.SIGXCPU:
            return JobWord(end="failed", reason=self._too_long())
        if code < 0:
            name = signal.Signals(-code).name
            if self._job.attempts >= _MOST_DEATHS and code not in _FROM_OUTSIDE:
                reason = f"What decodes it was killed ({name}) {self._job.attempts} times; convert it."
                return JobWord(end="failed", reason=reason)
            return JobWord(end="again", reason=f"What decodes it was killed ({name}).")
        return JobWord(end="again", reason=f"Its process ended without a result: {self._last_line or code}")

    def _too_long(self) -> str:
        most_h = self._settings.part(VideoSettings).job_max_h
        return f"It takes more than {most_h:g} h; cut it, or raise FRAMETALLY_JOB_MAX_H."

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
