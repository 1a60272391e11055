"""How late what is found in cameras' frames is, for as long as somebody asks for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from frametally.ports.frame_log import FrameLog
from frametally.records import FrameDetections
from frametally_live.feed_records import Feed
from frametally_live.feeds.detection_lag import shown_lag_ms
from frametally_live.viewers.result_reader import ResultReader

_IDLE_S = 30.0
_BACK = 1000
_CLOCK_WENT_BACK_MS = 10_000


class Detected:
    """Has the event time of each source's newest result. Threads may share it."""

    def __init__(self, log: FrameLog, topic: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing before somebody asks for one that runs; `clock` gives seconds."""
        self._log = log
        self._topic = topic
        self._clock = clock
        self._lock = threading.Lock()
        self._reader: ResultReader | None = None
        self._asked_at_s = 0.0
        self._is_closed = False
        self._newest: dict[str, int] = {}
        self._first_asked: dict[str, int] = {}

    def lags_ms(self, cameras: Sequence[Feed]) -> dict[str, int | None]:
        """Return by how much what is found in each camera's frames comes after their event time, by source.

        None of one that does not run, or of which nothing is known yet. Where nobody detects, it grows.
        """
        with self._lock:
            self._asked_at_s = self._clock()
            is_wanted = not self._is_closed and any(one.told.state == "running" for one in cameras)
            if is_wanted and (self._reader is None or not self._reader.is_alive):
                self._newest, self._first_asked = {}, {}
                self._reader = ResultReader(self._log, self._topic, self._take, self._look, back=_BACK)
                self._reader.start()
            return {camera.source: self._lag_ms(camera) for camera in cameras}

    def close(self) -> None:
        """Read nothing more; waits until that is so."""
        with self._lock:
            self._is_closed = True
            reader = self._reader
        if reader is not None:
            reader.stop()
            reader.join()

    def _lag_ms(self, camera: Feed) -> int | None:
        at_ms = camera.told.captured_at_ms
        if at_ms is None:
            return None
        if self._newest.get(camera.source, 0) > at_ms + _CLOCK_WENT_BACK_MS:
            del self._newest[camera.source]
            self._first_asked[camera.source] = at_ms
        first_ms = self._first_asked.setdefault(camera.source, at_ms)
        newest_ms = self._newest.get(camera.source)
        if newest_ms is None and first_ms < at_ms:  # nothing was found in what came since
            newest_ms = first_ms
        return shown_lag_ms(camera.told, newest_ms)

    def _take(self, result: FrameDetections) -> None:
        with self._lock:
            self._newest[result.source] = max(self._newest.get(result.source, 0), result.captured_at_ms)

    def _look(self, _: str) -> None:
        """End where nobody has asked for long; it is called again and again."""
        with self._lock:
            if self._reader is not None and self._clock() - self._asked_at_s > _IDLE_S:
                self._reader.stop()
