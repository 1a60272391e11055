"""Starting a stream of a stored video: which can be, and at which speed."""

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
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

SLOWEST, FASTEST = 0.1, 16.0
"""Seconds of a video in a second."""

_AWAITS_LAUNCH = "Airflow is to begin its run."


class NeedsTime(FrametallyError):
    """Nothing says when a video was filmed: its frames belong to no moment."""


class StartedStream(NamedTuple):
    """A video's stream, and whether it was started just now."""

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
    """Return the stream of a video that runs; without one, start one, or only book it for its launcher.

    Args:
        catalogue: Where videos stand.
        book: Where streams stand.
        settings: How many streams may run.
        video_id: Whose.
        speed: Seconds of the video in a second.
        model: Whose results are shown; empty: of whoever detects.
        is_booked: Whether one that is new waits for `LiveBook.launch_feed`, for `stream_launch_s` at most.

    Raises:
        VideoGone: There is no such video, or it is being removed.
        NeedsTime: Nothing says when it was filmed.
        FieldRefused: The speed can be none.
        TooManyStreams: As many run as may.
        Retryable: The catalogue is away.
    """
    if not (math.isfinite(speed) and SLOWEST <= speed <= FASTEST):
        raise FieldRefused(
            "speed",
            f"{speed:g} is no speed from {SLOWEST:g} to {FASTEST:g}.",
            "Give the seconds of the video that are to be shown in a second, such as 1.",
        )
    row = catalogue.video(video_id) if keys.is_video_id(video_id) else None
    if row is None:
        raise VideoGone(f"there is no video {video_id[:80]}")
    record = row.record
    if record.state == "deleting":
        raise VideoGone(f"{record.name} is being removed")
    if record.facts.started_at_ms is None:
        raise NeedsTime(f"nothing says when {record.name} was filmed: give it a time, then stream it")
    asked = Feed(
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
        asked,
        most=settings.part(LiveSettings).streams,
        launch_within_s=settings.part(LiveSettings).stream_launch_s,
    )
    return StartedStream(feed, feed.id == asked.id)
