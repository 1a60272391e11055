"""Sends the results of camera and stream frames to viewers at once.

Each result is put on the log as soon as it is known, before its segment, with the bytes of the segment's
line. Viewers want the newest results, and the segments have them all. So an unavailable log costs results but
never delays frames. A separate thread calls the log, on a separate connection.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from frametally.adapters_by_url import open_frame_log
from frametally.errors import FrametallyError
from frametally.ports.frame_log import FrameLog
from frametally.process import failpoints
from frametally.process.retrying import Backoff, OnceAMinute
from frametally.records import FrameDetections
from frametally.segments.results import make_results_topic, result_message
from frametally.settings.loading import Settings

_MOST_WAITING = 500
"""Most results waiting for the log; beyond that, the oldest are dropped."""


@contextmanager
def open_results(settings: Settings) -> Iterator[FrameLog | None]:
    """Yield the opened log for results, or None if the topic is not live.

    Raises `Misconfigured` if the log cannot be used, and `Retryable`.
    """
    if not settings.is_live:
        yield None
        return
    with closing(open_frame_log(settings.log_url, settings.log_access)) as log:
        yield log


class Results:
    """Publishes results on `settings.results_topic` in the order of `tell`.

    The result of a frame that is detected twice is sent twice. If the process is killed, unsent results are
    lost, even if their segment is stored.
    """

    def __init__(self, settings: Settings, log: FrameLog, say: Callable[[str], None]) -> None:
        """Start the thread; only it uses `log`. Lines about the log go to `say`, one a minute."""
        self._settings = settings
        self._log = log
        self._say_once_a_minute = OnceAMinute(say)
        self._waiting: deque[FrameDetections] = deque(maxlen=_MOST_WAITING)
        self._asked = threading.Event()
        self._over = threading.Event()
        self._is_made = False
        # A hanging call of the log must not delay the end of the process.
        self._thread = threading.Thread(target=self._run, name="results", daemon=True)
        self._thread.start()

    def tell(self, frame: FrameDetections) -> None:
        """Queue the result for viewers, without waiting."""
        self._waiting.append(frame)
        self._asked.set()

    def close(self, *, within_s: float) -> bool:
        """Send the waiting results if the log is available, and end; return whether it ended `within_s`."""
        self._over.set()
        self._asked.set()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        backoff = Backoff()
        while True:
            self._asked.clear()
            over = self._over.is_set()
            try:
                self._publish()
                backoff.reset()
            except FrametallyError as error:
                topic = self._settings.results_topic
                line = (
                    f"results cannot be published on {topic!r} at the moment; they are in the segments: "
                    f"{error}"
                )
                self._say_once_a_minute("results", line)
                self._is_made = False
                self._asked.set()
                self._over.wait(backoff.next_s())
            if over:
                return
            self._asked.wait()

    def _publish(self) -> None:
        if not self._is_made:
            make_results_topic(self._log, self._settings)
            self._is_made = True
        messages = []
        while self._waiting:
            messages.append(result_message(self._waiting.popleft()))
        if messages:
            self._log.publish(self._settings.results_topic, messages)
            failpoints.passing("results.told")
