"""Passes the results of a camera's frames to its doubts, while its picture looks blank."""

from __future__ import annotations

import queue

from frametally.ports.frame_log import FrameLog
from frametally.records import FrameDetections
from frametally.rules.blank_stretches import shows_boxes
from frametally.settings.loading import Settings
from frametally_live.cameras.picture_doubts import PictureDoubts
from frametally_live.feeds.result_reader import ResultReader

_BACK = 1000
"""Results before the end of each partition that are read first: those of the last seconds."""


class DoubtResults:
    """Reads results only while they can change a doubt: all cameras' results are on one topic."""

    def __init__(self, log: FrameLog, settings: Settings, source: str) -> None:
        """Read nothing yet; `source` is the camera's slug."""
        self._log, self._topic, self._source = log, settings.results_topic, source
        self._counts = settings.counted_boxes().rule()
        self._results: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
        self._reader: ResultReader | None = None

    def pass_to(self, doubts: PictureDoubts) -> None:
        """Pass what has arrived to `doubts`, and begin or stop reading; call it after each frame."""
        if doubts.needs_boxes and self._reader is None:
            self._reader = ResultReader(self._log, self._topic, self._take, lambda _: None, back=_BACK)
            self._reader.start()
        elif not doubts.needs_boxes:
            self.stop()
        while not self._results.empty():
            captured_at_ms, shows_something = self._results.get()
            doubts.note_result(captured_at_ms, shows_something=shows_something)

    def stop(self) -> None:
        """Stop reading, without waiting."""
        if self._reader is not None:
            self._reader.stop()
        self._reader = None

    def _take(self, result: FrameDetections) -> None:
        if result.source == self._source:
            shows_something = not result.shows or shows_boxes(result, self._counts)
            self._results.put((result.captured_at_ms, shows_something))
