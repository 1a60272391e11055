"""Reads live results from the end of the log's topic, in a thread, and measures their delay."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from frametally.errors import FrametallyError, Poison
from frametally.ports.frame_log import FrameLog, LogRecord, NoSuchTopic
from frametally.process.retrying import Backoff, OnceAMinute
from frametally.records import FrameDetections, decode
from frametally_live.feed_records import Feed
from frametally_live.feeds.detection_lag import shown_lag_ms
from frametally_live.log_end import subscribe_to_end

_LOG = logging.getLogger("frametally_web")
_POLL_S = 0.25
_NO_TOPIC = "There are no live detections yet."
_ALL = 2**62
_AWAY = "The log is not responding."


@dataclass
class ResultReader:
    """One thread, from `start` until `stop`; each reader sees all results, and commits none.

    Attributes:
        take: Gets the results.
        tell: Called with the reason while there are no results, or with an empty text.
        back: Maximum number of messages before the end of each partition at which it begins.
    """

    log: FrameLog
    topic: str
    take: Callable[[FrameDetections], None]
    tell: Callable[[str], None]
    back: int = 0

    def __post_init__(self) -> None:
        self._once_a_minute = OnceAMinute(_LOG.warning)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-results", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; return without waiting."""
        self._ended.set()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        backoff = Backoff(longest_s=2.0)
        back = self.back
        while not self._ended.is_set():
            try:
                self._read(backoff, back)
            except NoSuchTopic:
                self.tell(_NO_TOPIC)
                back = _ALL  # everything on a topic that appears now is new
            except FrametallyError as error:
                back = self.back
                self.tell(_AWAY)
                self._once_a_minute("log", f"frametally cannot read live detections: {error}")
            self._ended.wait(backoff.next_s())

    def _read(self, backoff: Backoff, back: int) -> None:
        with closing(subscribe_to_end(self.log, self.topic, back=back)) as consumer:
            while not self._ended.is_set():
                records = consumer.poll(timeout_s=_POLL_S)
                self.tell("")
                backoff.reset()
                for result in self._results(records):
                    self.take(result)

    def _results(self, records: list[LogRecord]) -> Iterator[FrameDetections]:
        """Return the results of one read by event time; each partition keeps its order."""
        by_partition: dict[int, list[FrameDetections]] = {}
        for record in records:
            try:
                result = decode(record.value, FrameDetections)
            except Poison as error:
                self._once_a_minute("result", f"skipped a result on {self.topic}: {error}")
            else:
                by_partition.setdefault(record.partition, []).append(result)
        return heapq.merge(*by_partition.values(), key=lambda result: result.captured_at_ms)


_IDLE_S = 30.0
_BACK = 1000
_CLOCK_WENT_BACK_MS = 10_000


class Detected:
    """Has the event time of each source's newest result. Threads may share it."""

    def __init__(self, log: FrameLog, topic: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing before the first question about a running feed; `clock` returns seconds."""
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
        """Return the delay of each camera's detections after their event time, by source.

        The delay is None if a camera does not run, or it is not known yet. Without a detector it grows.
        """
        with self._lock:
            self._asked_at_s = self._clock()
            is_wanted = not self._is_closed and any(camera.told.state == "running" for camera in cameras)
            if is_wanted and (self._reader is None or not self._reader.is_alive):
                self._newest, self._first_asked = {}, {}
                self._reader = ResultReader(self._log, self._topic, self._take, self._look, back=_BACK)
                self._reader.start()
            return {camera.source: self._lag_ms(camera) for camera in cameras}

    def close(self) -> None:
        """Stop reading; return when that is done."""
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
        if newest_ms is None and first_ms < at_ms:  # no detections since then
            newest_ms = first_ms
        return shown_lag_ms(camera.told, newest_ms)

    def _take(self, result: FrameDetections) -> None:
        with self._lock:
            self._newest[result.source] = max(self._newest.get(result.source, 0), result.captured_at_ms)

    def _look(self, _: str) -> None:
        """Stop when there was no question for a long time; it is called repeatedly."""
        with self._lock:
            if self._reader is not None and self._clock() - self._asked_at_s > _IDLE_S:
                self._reader.stop()
