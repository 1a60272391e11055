"""What the gold tables have: days and videos, what each was made of, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.records import Coverage, IntervalCount, Run
from frametally.track_records import Track
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_videos.media_records import VideoQuality
from frametally_videos.records import VideoRecord


class GoldDay(NamedTuple):
    """What is published as one: a model (or series of places), stored interval and UTC day."""

    model: str
    interval_s: int
    day: str


class GoldLoad(NamedTuple):
    """What the tables have of a day: which run, a mark of what it was made of, and how many rows."""

    params: str
    run_id: str
    made_of: str
    rows: int


class PublishedDay(NamedTuple):
    """All that a run says, read and checked.

    Attributes:
        run: The day's current run.
        made_of: A mark of it.
        counts: Its counts.
        coverage: What was filmed.
        tracks: Its tracks; of a series of places none.
        flows: What single objects did, of the series `flows` alone.
    """

    run: Run
    made_of: str
    counts: Sequence[IntervalCount]
    coverage: Sequence[Coverage]
    tracks: Sequence[Track] = ()
    flows: Sequence[FlowColumns] = ()


class LabelSums(NamedTuple):
    """Of one source (or place) and label over a day; `objects` is None where any part was not tracked."""

    detections: int
    peak: int
    objects: int | None


class DaySums(NamedTuple):
    """What a day adds up to, as the count index answers it.

    Attributes:
        labels: By source (or place, as in keys) and label.
        frames: Distinct frames, by source (or place).
    """

    labels: dict[tuple[str, str], LabelSums]
    frames: dict[str, int]


class VideoCount(NamedTuple):
    """What was detected in one video, by model and label.

    Attributes:
        frames: Its distinct frames that count, with or without the label.
        detections: Boxes of the label in them.
        peak: Most of them in one frame.
        objects: Unique objects that were first seen in one of its frames; None where not measured.
        followed_objects: The same, also where too few boxes lie in tracks; None where nothing was tracked.
    """

    model: str
    label: str
    frames: int
    detections: int
    peak: int
    objects: int | None
    followed_objects: int | None


class GoldVideo(NamedTuple):
    """All that the tables have of a video.

    Attributes:
        record: As in the store.
        made_of: A mark of all that this was made of.
        range_ms: Event times of its first and last frame; None before any was announced.
        frames_announced: How many were; None where none.
        quality: What it was checked for; None before that.
        derivatives: How many videos were made of it.
        counts: What was detected in it.
    """

    record: VideoRecord
    made_of: str
    range_ms: tuple[int, int] | None = None
    frames_announced: int | None = None
    quality: VideoQuality | None = None
    derivatives: int = 0
    counts: Sequence[VideoCount] = ()
