"""Looks at the first frames of each source: whether a new model finds something, and whether its input fits.

A model finds nothing or too little if its input is prepared wrongly, for example.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from frametally.records import Detection
from frametally.rules.counted_boxes import FRAMES_FOR_A_DETECTION, DetectedBox

TestAgain = Callable[[str], None]
"""Tests the model on stored frames, now that the source (a slug) has some; raises `Misconfigured`."""


class FirstFrames:
    """Watches the first 100 frames of each source that show something."""

    def __init__(
        self,
        model: str,
        say: Callable[[str], None],
        counts: Callable[[DetectedBox], bool],
        *,
        is_new: bool,
        test_again: TestAgain | None = None,
    ) -> None:
        """Report sources in which no box `counts` if the model `is_new` in this store."""
        self._model, self._say, self._counts = model, say, counts
        self._is_new, self._test_again = is_new, test_again
        self._watched, self._detected, self._sources_with_boxes = Counter[str](), Counter[str](), set[str]()
        self._lock = threading.Lock()

    def watch(self, source: str, detections: Future[list[Detection]]) -> None:
        """Count a frame that shows something; its detections may be known later.

        Raises `Misconfigured` if the test of the model after 100 frames fails. Call it from one thread.
        """
        if self._watched[source] == FRAMES_FOR_A_DETECTION:
            return
        self._watched[source] += 1
        if self._is_new:
            detections.add_done_callback(partial(self._note, source))
        if self._test_again is not None and self._watched[source] == FRAMES_FOR_A_DETECTION:
            self._test_again(source)

    def _note(self, source: str, detections: Future[list[Detection]]) -> None:
        if detections.cancelled() or detections.exception() is not None:
            return
        with self._lock:
            self._detected[source] += 1
            if any(map(self._counts, detections.result())):
                self._sources_with_boxes.add(source)
            is_empty = (
                self._detected[source] == FRAMES_FOR_A_DETECTION and source not in self._sources_with_boxes
            )
        if is_empty:
            self._say(
                f"{self._model} has found nothing that counts in the first {FRAMES_FOR_A_DETECTION} frames "
                f"of {source} that show something; if they show objects, stop, and check the model with "
                "`frametally doctor --stage consume`"
            )
