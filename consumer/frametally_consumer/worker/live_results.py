"""Sends the results in a frame of a camera or a stream to viewers at once.

Each result is on the log as soon as it is there, before its segment: the bytes are those of the segment's
line. Those who watch want the newest, and the segments have them all: so a log that is away costs results,
never the time of a frame. A thread of its own has the log's calls, on a connection of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from frametally.errors import FrametallyError
from frametally.opening import open_frame_log
from frametally.ports.frame_log import FrameLog
from frametally.process import failpoints
from frametally.process.retrying import Backoff, OnceAMinute
from frametally.records import FrameDetections
from frametally.segments.results import make_results_topic, result_message
from frametally.settings.loading import Settings

_MOST_WAITING = 500
"""Results that wait for the log; of more, the oldest are left out."""


@contextmanager
def open_results(settings: Settings) -> Iterator[FrameLog | None]:
    """Yield the log for results, open until the end; None if nobody watches them.

    Raises `Misconfigured`: a log that cannot be; `Retryable`.
    """
    if not settings.is_live:
        yield None
        return
    with closing(open_frame_log(settings.log_url, settings.log_access)) as log:
        yield log


class Results:
    """Tells results on the topic of `settings.results_topic`, in the order in which it is given them.

    A frame that is detected twice has its result sent twice. A killed process takes those with it that are
    not sent yet, even where their segment is stored.
    """

    def __init__(self, settings: Settings, log: FrameLog, say: Callable[[str], None]) -> None:
        """Start the thread; `log` is for it alone, lines about it go to `say`, one a minute."""
        self._settings = settings
        self._log = log
        self._say_once_a_minute = OnceAMinute(say)
        self._waiting: deque[FrameDetections] = deque(maxlen=_MOST_WAITING)
        self._asked = threading.Event()
        self._over = threading.Event()
        self._is_made = False
        # A call of the log that hangs is not to hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="results", daemon=True)
        self._thread.start()

    def tell(self, frame: FrameDetections) -> None:
        """Queue the result for viewers; never waits."""
        self._waiting.append(frame)
        self._asked.set()

    def close(self, *, within_s: float) -> bool:
        """Send the waiting results, if the log is there, and end; return whether that was done `within_s`."""
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
