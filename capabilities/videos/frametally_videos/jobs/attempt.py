"""One attempt at a job: a process of its own, and the lease of the job while it lives."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
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
from frametally_videos.catalogue.catalogue_rows import Job
from frametally_videos.jobs.handed_store import Handing
from frametally_videos.jobs.job_steps import STORE_VARIABLE, WITH_SERVERS, JobOrder, JobWord
from frametally_videos.settings import VideoSettings

_LOOK_S, _RENEW_EVERY_S = 0.2, 1.0
_END_WITHIN_S = 9.0
"""A stopped job that stays at one frame for so long is killed: commands end within 10 s."""
_LONGEST_LINE = 1 << 16
_MOST_DEATHS = 3
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
"""By a person, or for want of memory, which others may have taken: tried as often as is set."""
# Made once, before there are threads: see `records.decode`.
_words = msgspec.json.Decoder(JobWord)


@dataclass
class Attempt:
    """A claimed job's process; its output goes to `say`, line by line.

    `renew` is called once a second, with how far it is, as `Job.progress` has it, and returns whether the job
    is still ours; it may raise `Retryable`. `keep` is called several times a second; once it is False, others
    may be offered the job, and `renew` is called as often.
    """

    job: Job
    _: KW_ONLY
    settings: Settings
    store: ObjectStore
    renew: Callable[[float | None], bool]
    keep: Callable[[], bool]
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self._of_videos = self.settings.part(VideoSettings)
        self._last_line = ""
        self._renewed_at_s = time.monotonic()
        self._progress: float | None = None
        self._end: JobWord | None = None

    def run(self, should_stop: Callable[[], bool]) -> JobWord | None:
        """Do the job; after `should_stop`, finish the current step and leave the rest.

        Returns:
            The result; None if another worker has the job now, or it was cancelled: record nothing more.
        """
        handed, theirs = (None, None) if self.job.kind in WITH_SERVERS else socket.socketpair()
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
                with METERS.timed(f"job-{self.job.kind}"):
                    ours = self._look_after(process, should_stop)
            finally:
                process.kill()
            for reader in readers:
                reader.join()
        if not ours:
            return None
        return self._end or self._died(process.returncode, stopped=should_stop())

    def _start(self, handed: socket.socket | None) -> subprocess.Popen[bytes]:
        """Start its process, without any log-ins."""
        environment = environment_for_child(self.settings)
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
        video_id = self.job.video_id
        read_only = frozenset({keys.video_key(video_id), keys.original_key(video_id)})
        Handing(self.store, folder=keys.video_folder(video_id), read_only=read_only).serve(connection)

    def _order(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin  # noqa: S101 - for the type checker
        order = JobOrder(self.job.video_id, self.job.kind, self.job.options)
        with suppress(BrokenPipeError):  # it ended before; why is in its code
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.close()

    def _look_after(self, process: subprocess.Popen[bytes], should_stop: Callable[[], bool]) -> bool:
        """Wait for its end; return whether the job stayed ours until then."""
        kill_at_s: float | None = None
        over_at_s = time.monotonic() + self._of_videos.job_max_h * HOUR_S
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK_S)
                return True
            every_s = min(_RENEW_EVERY_S, self.settings.job_lease_s / 3) if self.keep() else 0.0
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
            is_kept = self.renew(self._progress)
        except Retryable:  # no other worker gets it either; and doing it twice changes nothing
            return True
        self._renewed_at_s = time.monotonic()
        return is_kept

    def _died(self, code: int, *, stopped: bool) -> JobWord:
        """Return what to make of an end without a word."""
        if stopped:
            return JobWord(end="stopped")
        if code == -signal.SIGXCPU:
            return JobWord(end="failed", reason=self._too_long())
        if code < 0:
            name = signal.Signals(-code).name
            if self.job.attempts >= _MOST_DEATHS and code not in _FROM_OUTSIDE:
                reason = f"Its decoder was killed ({name}) {self.job.attempts} times; convert it."
                return JobWord(end="failed", reason=reason)
            return JobWord(end="again", reason=f"Its decoder was killed ({name}).")
        return JobWord(end="again", reason=f"Its process ended without a result: {self._last_line or code}")

    def _too_long(self) -> str:
        most_h = self._of_videos.job_max_h
        return f"It takes more than {most_h:g} h; cut it, or raise FRAMETALLY_VIDEO_MAX_H."

    def _hear(self, stream: BinaryIO) -> None:
        while line := stream.readline(_LONGEST_LINE):
            try:
                word = _words.decode(line)
            except msgspec.DecodeError:
                continue
            if word.end is None:
                self._progress = word.progress
            else:
                self._end = word

    def _pass_on(self, stream: BinaryIO) -> None:
        while line := stream.readline(_LONGEST_LINE):
            text = line.decode(errors="replace").strip()
            if text:
                self._last_line = text[:300]
                self.say(text)
