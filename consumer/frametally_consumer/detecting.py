"""From pictures to detections: what the detecting thread does."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from frametally import failpoints
from frametally.records import DeadLetter, Detection, FrameDetections
from frametally_consumer.assigned import Outcome
from frametally_consumer.detector import Detector
from frametally_consumer.loading import Loaded

Loading = Future[Loaded | DeadLetter | None]
"""A message on its way to a picture; None at the end if it is wanted no more."""


def detect(detector: Detector, chunk: Sequence[Loading]) -> list[Outcome | None]:
    """What became of each message of a chunk, once all are loaded; None for one that is wanted no more."""
    loaded = [loading.result() for loading in chunk]
    images = [item.image for item in loaded if isinstance(item, Loaded)]
    found = iter(detector.detect(images) if images else [])
    outcomes = [
        _detections(item, next(found), detector.model_id) if isinstance(item, Loaded) else item
        for item in loaded
    ]
    failpoints.passing("consumer.detected")
    return outcomes


def _detections(loaded: Loaded, found: list[Detection], model: str) -> FrameDetections:
    frame = loaded.announcement
    return FrameDetections(
        image_path=frame.image_path,
        source=frame.source,
        frame_index=frame.frame_index,
        captured_at_ms=frame.captured_at_ms,
        time_source=frame.time_source,
        width_px=frame.width_px,
        height_px=frame.height_px,
        media=frame.media,
        model=model,
        detections=found,
    )
