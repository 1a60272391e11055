"""Starts a stream of a stored video, after checking the video and the speed."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, NamedTuple

from frametally import keys
from frametally.errors import FrametallyError
from frametally.settings.loading import Settings
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.settings import LiveSettings
from frametally_videos.library.edits import VideoGone
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_live.book import LiveBook
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

SLOWEST, FASTEST = 0.1, 16.0
"""Seconds of the video per second."""

LAUNCH_WITHIN_S = 120.0
"""Time within which Airflow must start a run; otherwise the stream fails."""
_AWAITS_LAUNCH = "Airflow is starting its run."


class NeedsTime(FrametallyError):
    """A video has no start time, so its frames have no event time."""


class StartedStream(NamedTuple):
    """A video's stream, and whether it was just started."""

    feed: Feed
    is_new: bool


def start_stream(
    catalogue: VideoCatalogue,
    book: LiveBook,
    settings: Settings,
    video_id: str,
    *,
    speed: float = 1.0,
    model: str = "",
    is_booked: bool = False,
) -> StartedStream:
    """Return the running stream of a video; if there is none, start one, or only book it for its launcher.

    `model`: the model whose results are shown; empty for any. `is_booked`: whether a new stream waits for
    `LiveBook.launch_feed`, for at most `LAUNCH_WITHIN_S`.

    Raises:
        VideoGone: The video does not exist, or is being removed.
        NeedsTime: The video has no start time.
        FieldRefused: The speed is out of range.
        TooManyStreams: The maximum of streams is running.
        Retryable: The catalogue is unavailable.
    """
    if not (math.isfinite(speed) and SLOWEST <= speed <= FASTEST):
        raise FieldRefused(
            "speed",
            f"The speed must be between {SLOWEST:g} and {FASTEST:g}, not {speed:g}.",
            "Enter the seconds of video to show per second, such as 1.",
        )
    row = catalogue.video(video_id) if keys.is_video_id(video_id) else None
    if row is None:
        raise VideoGone(f"video {video_id[:80]} does not exist")
    record = row.record
    if record.state == "deleting":
        raise VideoGone(f"{record.name} is being deleted")
    if record.facts.started_at_ms is None:
        raise NeedsTime(f"{record.name} has no start time: set one, then stream the video")
    new_feed = Feed(
        id=str(uuid.uuid4()),
        kind="video",
        source=record.source,
        name=record.name,
        video_id=video_id,
        speed=speed,
        model=model,
        launch="booked" if is_booked else "",
        told=FeedTold("requested", _AWAITS_LAUNCH if is_booked else ""),
    )
    feed = book.start_stream(
        new_feed,
        most=settings.part(LiveSettings).streams,
        launch_within_s=LAUNCH_WITHIN_S,
    )
    return StartedStream(feed, feed.id == new_feed.id)
