"""Reads what is found in live frames from the end of the log's topic, in a thread of its own."""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

from frametally.errors import FrametallyError, Poison
from frametally.ports.frame_log import FrameLog, LogRecord, NoSuchTopic
from frametally.process.retrying import Backoff, OnceAMinute
from frametally.records import FrameDetections, decode
from frametally_live.feeds.detection_lag import subscribe_to_end

_LOG = logging.getLogger("frametally_web")
_POLL_S = 0.25
_NO_TOPIC = "Nothing was detected live yet."
_AWAY = "The log does not answer for now."


class ResultReader:
    """One thread, from `start` until `stop`: each of its kind sees all results, and commits none."""

    def __init__(
        self,
        log: FrameLog,
        topic: str,
        take: Callable[[FrameDetections], None],
        tell: Callable[[str], None],
        *,
        back: int = 0,
    ) -> None:
        """Hand results to `take`; `tell` hears why there are none for now, or an empty text.

        It begins so many messages `back` in each partition, at most.
        """
        self._log = log
        self._topic = topic
        self._take = take
        self._tell = tell
        self._back = back
        self._once_a_minute = OnceAMinute(_LOG.warning)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-results", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether there is a thread."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; waits for nothing."""
        self._ended.set()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        backoff = Backoff(longest_s=2.0)
        while not self._ended.is_set():
            try:
                self._read(backoff)
            except NoSuchTopic:
                self._tell(_NO_TOPIC)
            except FrametallyError as error:
                self._tell(_AWAY)
                self._once_a_minute("log", f"what is detected live cannot be read: {error}")
            self._ended.wait(backoff.next_s())

    def _read(self, backoff: Backoff) -> None:
        with closing(subscribe_to_end(self._log, self._topic, back=self._back)) as consumer:
            while not self._ended.is_set():
                records = consumer.poll(timeout_s=_POLL_S)
                self._tell("")
                backoff.reset()
                for result in self._results(records):
                    self._take(result)

    def _results(self, records: list[LogRecord]) -> Iterator[FrameDetections]:
        """Return what came at once by the event time; of each partition in its order."""
        by_partition: dict[int, list[FrameDetections]] = {}
        for record in records:
            try:
                result = decode(record.value, FrameDetections)
            except Poison as error:
                self._once_a_minute("result", f"a result on {self._topic} is skipped: {error}")
            else:
                by_partition.setdefault(record.partition, []).append(result)
        return heapq.merge(*by_partition.values(), key=lambda result: result.captured_at_ms)
