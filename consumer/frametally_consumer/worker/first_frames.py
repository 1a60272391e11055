"""Detects a new model that finds nothing, for example because its input is prepared wrongly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from frametally.records import Detection
from frametally.rules.counted_boxes import FRAMES_FOR_A_DETECTION


class FirstFrames:
    """Reports once that a model has found nothing in its first frames that show something."""

    def __init__(self, model: str, say: Callable[[str], None]) -> None:
        self._model, self._say = model, say
        self._frames, self._is_over = 0, False
        self._lock = threading.Lock()

    def watch(self, detections: Future[list[Detection]]) -> None:
        """Check the detections of a picture that shows something, once they are known."""
        if not self._is_over:
            detections.add_done_callback(self._note)

    def _note(self, detections: Future[list[Detection]]) -> None:
        if detections.cancelled() or detections.exception() is not None:
            return
        with self._lock:
            self._frames += 1
            is_last = self._frames == FRAMES_FOR_A_DETECTION and not self._is_over
            self._is_over |= is_last or bool(detections.result())
        if is_last and not detections.result():
            self._say(
                f"{self._model} has found nothing in its first {self._frames} frames that show something; if "
                "they show objects, stop, and check the model with `frametally doctor --stage consume`"
            )
