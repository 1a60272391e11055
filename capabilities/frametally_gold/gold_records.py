"""Records of the gold tables: days and videos, their sources, and their sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.records import Coverage, IntervalCount, Run
from frametally.rules.known import Missing
from frametally.track_records import Track
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_videos.media_records import VideoQuality
from frametally_videos.records import VideoRecord


class GoldDay(NamedTuple):
    """The unit of publishing: a model (or series of places), stored interval and UTC day."""

    model: str
    interval_s: int
    day: str


class GoldLoad(NamedTuple):
    """The load of a day: its run, and its number of rows."""

    params: str
    run_id: str
    rows: int


class HourRows(NamedTuple):
    """The rows of one source in the event times `[from_ms, to_ms)`."""

    source: str
    from_ms: int
    to_ms: int


class PublishedDay(NamedTuple):
    """A run, read and checked.

    Attributes:
        run: The day's current run.
        replaced: The parts that it has, or None for the whole day. The rows of other parts stay as they are.
        counts: Its counts.
        coverage: The filmed intervals.
        tracks: Its tracks; none for a series of places.
        flows: Movements of single objects; only for the series `flows`.
    """

    run: Run
    counts: Sequence[IntervalCount]
    coverage: Sequence[Coverage]
    tracks: Sequence[Track] = ()
    flows: Sequence[FlowColumns] = ()
    replaced: Sequence[HourRows] | None = None


class LabelSums(NamedTuple):
    """Sums of one source (or place) and label over a day; `objects`: None if any part was not tracked."""

    detections: int
    peak: int
    objects: int | None


class DaySums(NamedTuple):
    """Sums of a day, as returned by the count index.

    Attributes:
        labels: Sums by source (or place, as in keys) and label.
        frames: Distinct frames, by source (or place).
    """

    labels: dict[tuple[str, str], LabelSums]
    frames: dict[str, int]


class VideoCount(NamedTuple):
    """Detections in one video, by model and label.

    Attributes:
        frames: Distinct counted frames, with or without the label.
        detections: Boxes of the label in them.
        peak: Most boxes in one frame.
        objects: Unique objects first seen in one of its frames, or None if not measured.
        followed_objects: The same, even if too few boxes have tracks, or None if nothing was tracked.
        objects_missing: Why `objects` is None.
        objects_at_least: The known part of them.
    """

    model: str
    label: str
    frames: int
    detections: int
    peak: int
    objects: int | None
    followed_objects: int | None
    objects_missing: Missing | None = None
    objects_at_least: int | None = None


class GoldVideo(NamedTuple):
    """All rows of a video.

    Attributes:
        quality: Results of its checks, or None before them.
        derivatives: Number of videos made from it.
        made_of: A mark of everything that its rows were made from.
        range_ms: Event times of its first and last frame, or None before any was announced.
        frames_announced: Number of announced frames, or None before any was announced.
    """

    record: VideoRecord
    quality: VideoQuality | None = None
    derivatives: int = 0
    made_of: str = ""
    range_ms: tuple[int, int] | None = None
    frames_announced: int | None = None
    counts: Sequence[VideoCount] = ()
