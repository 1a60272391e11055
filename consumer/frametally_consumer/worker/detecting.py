"""From pictures to detections: what the feeding and the collecting thread do.

Two threads, so that the detector always has its next picture: one hands it pictures as soon as they are
loaded, and waits only while the detector has as many as it can work on; the other one waits for what was
found.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from frametally.process import failpoints
from frametally.process.meters import METERS
from frametally.records import DeadLetter, Detection, FrameAnnouncement, FrameDetections
from frametally.telemetry.traces import TRACES
from frametally_consumer.detectors.protocol import Detector, start
from frametally_consumer.worker.assigned import Outcome
from frametally_consumer.worker.loading import Loaded

Loading = Future[Loaded | DeadLetter | None]
"""A message on its way to a picture; None at the end if it is wanted no more."""


class Started(NamedTuple):
    """An announced frame whose picture the detector has."""

    announcement: FrameAnnouncement
    found: Future[list[Detection]]


def feed(detector: Detector, chunk: deque[Loading]) -> list[Started | DeadLetter | None]:
    """Hand the detector the pictures of a chunk, in order, each as soon as it is loaded.

    `chunk` is emptied, so that no picture is kept longer than it is needed.
    """
    return [_started(detector, chunk.popleft().result()) for _ in range(len(chunk))]


def _started(detector: Detector, loaded: Loaded | DeadLetter | None) -> Started | DeadLetter | None:
    if not isinstance(loaded, Loaded):
        return loaded
    frame = loaded.announcement
    began_s = time.monotonic()
    found = start(detector, loaded.image, frame_px=(frame.width_px, frame.height_px))
    found.add_done_callback(partial(_measure, frame.image_path, time.time_ns(), began_s))
    return Started(frame, found)


def _measure(key: str, began_ns: int, began_s: float, found: Future[list[Detection]]) -> None:
    """Note how long the detector had a picture, the wait for those before it included."""
    if not found.cancelled() and found.exception() is None:
        METERS.took("detect", time.monotonic() - began_s, frames=1)
        TRACES.tell(key, "detect", began_ns)


def collect(
    model: str,
    chunk: Sequence[Started | DeadLetter | None],
    tell: Callable[[FrameDetections], None] | None = None,
) -> list[Outcome | None]:
    """Return what became of each message of a chunk, once all are done; None for one wanted no more.

    What was found in a frame goes to `tell` as soon as it is known.
    """
    outcomes: list[Outcome | None] = []
    for item in chunk:
        if isinstance(item, Started):
            frame = _detections(item.announcement, item.found.result(), model)
            if tell is not None:
                tell(frame)
            outcomes.append(frame)
        else:
            outcomes.append(item)
    failpoints.passing("consumer.detected")
    return outcomes


def _detections(frame: FrameAnnouncement, found: list[Detection], model: str) -> FrameDetections:
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
