"""Reads what is found in live frames from the end of the log's topic, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable

from frametally.errors import FrametallyError, Poison
from frametally.ports.frame_log import FrameLog, LogConsumer, NoSuchTopic
from frametally.process.retrying import Backoff, OnceAMinute
from frametally.records import FrameDetections, decode

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
    ) -> None:
        """Hand results to `take`; `tell` hears why there are none for now, or an empty text."""
        self._log = log
        self._topic = topic
        self._take = take
        self._tell = tell
        self._once_a_minute = OnceAMinute(_LOG.warning)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-results", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether there is a thread."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin at what comes next."""
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
        consumers: list[LogConsumer] = []

        def begin_at_end(partitions: list[int]) -> None:
            ends = self._log.end_offsets(self._topic)
            for partition in partitions:
                consumers[0].seek(partition, ends[partition])

        group = f"frametally-watch-{uuid.uuid4()}"
        consumers.append(
            self._log.subscribe(
                self._topic, group, on_assigned=begin_at_end, on_revoked=lambda partitions: None
            )
        )
        try:
            while not self._ended.is_set():
                records = consumers[0].poll(timeout_s=_POLL_S)
                self._tell("")
                backoff.reset()
                for record in records:
                    try:
                        self._take(decode(record.value, FrameDetections))
                    except Poison as error:
                        self._once_a_minute("result", f"a result on {self._topic} is skipped: {error}")
        finally:
            consumers[0].close()
