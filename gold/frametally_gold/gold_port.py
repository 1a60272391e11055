"""The gold port: tables of a SQL database that people query, filled from the store and from nothing else.

What is in them is a function of the store: a day's rows of its current run, a video's of its records and its
segments. A gold database that is lost is filled again by `frametally gold`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from frametally.media_records import VideoQuality
from frametally.records import Coverage, IntervalCount, Run
from frametally.track_records import Track
from frametally_traffic.flows.day_columns import FlowColumns
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


class Gold(Protocol):
    """What every adapter does. All methods may raise `Retryable` (the database is away for now)."""

    url: str

    def loads(self) -> dict[GoldDay, GoldLoad]:
        """Return what the tables have of each day."""

    def publish(self, day: PublishedDay, *, instead_of: str | None) -> int | None:
        """Replace a day: readers see the one before or this one.

        Args:
            day: What is to be there.
            instead_of: `made_of` of what the caller has seen there; None: nothing.

        Returns:
            Its rows; None, with nothing changed, where something else is there by now.

        Raises:
            Poison: A record comes twice.
            Misconfigured: This user may not write.
        """

    def remove(self, day: GoldDay, *, instead_of: str) -> bool:
        """Have nothing of a day; False, with nothing changed, where something else is there by now."""

    def changed(self, day: GoldDay) -> list[str]:
        """Return the tables that have other rows of a day than were loaded, by name."""

    def strays(self) -> list[str]:
        """Return the tables, by name, that have rows of no day that was loaded."""

    def remove_strays(self) -> int:
        """Remove the rows of no day that was loaded; return how many there were."""

    def changed_videos(self) -> dict[str, list[str]]:
        """Return those tables by video; videos whose rows are as they were loaded are left out."""

    def day_sums(self, day: GoldDay) -> DaySums:
        """Return what a day adds up to."""

    def video_marks(self) -> dict[str, str]:
        """Return `made_of` of each video, by id."""

    def put_video(self, video: GoldVideo) -> None:
        """Replace all rows of a video: readers see those before or these."""

    def remove_video(self, video_id: str) -> None:
        """Have no rows of a video; one that is not there is no error."""

    def check(self) -> None:
        """Read a row of every table. Raises `FrametallyError` where it does not answer, or is damaged."""

    def close(self) -> None:
        """Release connections."""
