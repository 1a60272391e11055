"""Makes one attempt at a job: runs it in a separate process, and renews its lease in the meantime."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import msgspec

from frametally import keys
from frametally.errors import Retryable
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.process.meters import METERS
from frametally.rules.times import HOUR_S
from frametally.settings.environment import without_secrets
from frametally.settings.loading import Settings
from frametally.work.worker_process import (
    END_WITHIN_S,
    KILLED_FROM_OUTSIDE,
    WorkerProcess,
    environment_for_child,
)
from frametally_videos.catalogue.catalogue_rows import Job
from frametally_videos.jobs.handed_store import Handing
from frametally_videos.jobs.job_steps import STORE_VARIABLE, WITH_SERVERS, JobOrder, JobWord
from frametally_videos.settings import VideoSettings

_LOOK_S, _RENEW_EVERY_S = 0.2, 1.0
_MOST_DEATHS = 3
"""Deaths after which a job fails; kills from outside the process only count as attempts."""
# Created before any threads start; see `records.decode`.
_words = msgspec.json.Decoder(JobWord)


@dataclass
class Attempt:
    """A claimed job's process; its output goes to `say`, line by line.

    `renew` gets `Job.progress` once a second and returns whether the job is still ours; it may raise
    `Retryable`. `keep` is called several times a second. Once it returns False, the queue may offer the job
    to others, and `renew` is called as often.
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
        self._renewed_at_s = time.monotonic()
        self._progress: float | None = None
        self._end: JobWord | None = None

    def run(self, should_stop: Callable[[], bool]) -> JobWord | None:
        """Run the job; after `should_stop`, finish only the current step.

        Returns:
            The result, or None if the job was taken over or cancelled: then record nothing.
        """
        handed, theirs = (None, None) if self.job.kind in WITH_SERVERS else socket.socketpair()
        with self._start(theirs) as process:
            handing = threading.Thread(target=self._hand, args=(handed,), daemon=True)
            if handed is not None:
                handing.start()
            process.write(JobOrder(self.job.video_id, self.job.kind, self.job.options))
            with METERS.timed(f"job-{self.job.kind}"):
                ours = self._look_after(process, should_stop)
        if handed is not None:
            handing.join()
        if not ours:
            return None
        return self._end or self._died(process, stopped=should_stop())

    def _start(self, handed: socket.socket | None) -> WorkerProcess:
        """Start the process, without log-ins if it uses the handed store."""
        environment = environment_for_child(self.settings)
        numbers = []
        if handed is not None:
            numbers = [handed.fileno()]
            environment = without_secrets(environment) | {STORE_VARIABLE: str(handed.fileno())}
        try:
            return WorkerProcess(
                "frametally_videos.jobs", environment, hear=self._hear, say=self.say, pass_fds=numbers
            )
        finally:
            if handed is not None:
                handed.close()

    def _hand(self, connection: socket.socket) -> None:
        """Hand over the video's folder, read-only for the record, the original and what changes pictures."""
        video_id = self.job.video_id
        of_screens = [key for part in hooks("screens") for key in part.reads]
        read_only = frozenset({keys.video_key(video_id), keys.original_key(video_id), *of_screens})
        Handing(self.store, folder=keys.video_folder(video_id), read_only=read_only).serve(connection)

    def _look_after(self, process: WorkerProcess, should_stop: Callable[[], bool]) -> bool:
        """Wait for the process to end; return whether the job stayed ours until then."""
        over_at_s = time.monotonic() + self._of_videos.job_max_h * HOUR_S
        while not process.has_ended(_LOOK_S):
            every_s = min(_RENEW_EVERY_S, self.settings.job_lease_s / 3) if self.keep() else 0.0
            if should_stop():
                process.end_within(END_WITHIN_S)
            if time.monotonic() > over_at_s:
                self._end = JobWord(end="failed", reason=self._too_long())
                process.kill()
            if not self._renew(every_s):
                return False
        return True

    def _renew(self, every_s: float) -> bool:
        """Renew the lease, if it is time; return whether the job is still ours."""
        if time.monotonic() - self._renewed_at_s < every_s:
            return True
        try:
            is_kept = self.renew(self._progress)
        except Retryable:  # nor can another worker claim it; and doing a job twice is harmless
            return True
        self._renewed_at_s = time.monotonic()
        return is_kept

    def _died(self, process: WorkerProcess, *, stopped: bool) -> JobWord:
        """Return the result for a process that ended without reporting one."""
        code = process.code
        if stopped:
            return JobWord(end="stopped")
        if code == -signal.SIGXCPU:
            return JobWord(end="failed", reason=self._too_long())
        if code < 0:
            name = signal.Signals(-code).name
            if self.job.attempts >= _MOST_DEATHS and code not in KILLED_FROM_OUTSIDE:
                reason = f"Its decoder was killed ({name}) {self.job.attempts} times; convert it."
                return JobWord(end="failed", reason=reason)
            return JobWord(end="again", reason=f"Its decoder was killed ({name}).")
        return JobWord(end="again", reason=f"Its process ended without a result: {process.last_line or code}")

    def _too_long(self) -> str:
        most_h = self._of_videos.job_max_h
        return f"It takes more than {most_h:g} h; cut it, or raise FRAMETALLY_VIDEO_MAX_H."

    def _hear(self, line: bytes) -> None:
        word = _words.decode(line)
        if word.end is None:
            self._progress = word.progress
        else:
            self._end = word
