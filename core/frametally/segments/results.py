"""Writes the results of a frame to the log at once, for viewers.

The bytes are those of the frame's line in its segment, whether the consumer that has just detected the frame
sends them or a stream that shows earlier detections.
"""

from __future__ import annotations

from frametally import keys
from frametally.ports.frame_log import FrameLog
from frametally.records import FrameDetections
from frametally.segments.contents import frame_line
from frametally.settings.loading import Settings

RESULTS_KEEP_S = 60.0
"""How long the log keeps results, at least."""


def make_results_topic(log: FrameLog, settings: Settings) -> None:
    """Create the topic of results if it is missing; this `log` removes old results from it.

    Raises:
        Misconfigured: This user has no permission to create it.
        Retryable: The log is unavailable.
    """
    log.create_topic(settings.results_topic, settings.log_partitions, keep_s=RESULTS_KEEP_S)


def result_message(frame: FrameDetections) -> tuple[bytes, bytes]:
    """Return a frame's result as a message; its key keeps a source's frames of 5 s in order."""
    return keys.frame_log_key(frame.source, frame.captured_at_ms), frame_line(frame)
