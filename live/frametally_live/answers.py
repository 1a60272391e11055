"""The answers about streams of videos, and what is sent to start and steer one."""

from __future__ import annotations

import msgspec

from frametally_live.feed_records import Feed, FeedState, FeedWanted
from frametally_web.requests.answers import Answer


class StreamOfVideo(Answer, frozen=True, kw_only=True):
    """A video that is streamed: each frame at its time, with what is found in it.

    Attributes:
        stream_id: Names the stream.
        video_id: UUID of the video.
        name: The source of the video as it is written.
        source: Slug of the source.
        state: `requested`, `starting`, `running`, `waiting`, `paused`, `stopping`, `ended` or `failed`.
        reason: Why, as one sentence; null where there is nothing to say.
        wanted: What was asked of it last: `run`, `pause` or `stop`.
        speed: Seconds of the video in a second.
        model: Whose results are shown; null: of whoever detects.
        position_s: Seconds of the video that have been reached; null before that.
        captured_at_ms: Event time of its newest frame; null before there is one.
        frames_per_s: Frames announced a second, of late; null before it can be told.
        lag_ms: By how much they are announced after they were due, of late; null before it can be told.
        frames_announced: Frames announced since it was started.
        created_at_ms: When it was started.
        ended_at_ms: When it was over; null while it is not.
        websocket: Where it can be watched.
    """

    stream_id: str
    video_id: str
    name: str
    source: str
    state: FeedState
    reason: str | None
    wanted: FeedWanted
    speed: float
    model: str | None
    position_s: float | None
    captured_at_ms: int | None
    frames_per_s: float | None
    lag_ms: int | None
    frames_announced: int
    created_at_ms: int
    ended_at_ms: int | None
    websocket: str


class StreamList(Answer, frozen=True, kw_only=True):
    """`/api/streams`: streams of videos, those that are not over first, then the newest.

    Attributes:
        streams: At most a thousand.
        most: How many may run at a time.
        live_allowed: Whether streams may be started, steered and stopped here.
        remedy: What to do where they may not; null where they may.
    """

    streams: list[StreamOfVideo]
    most: int
    live_allowed: bool
    remedy: str | None


class StreamWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be streamed.

    Attributes:
        video_id: UUID of the video.
        speed: Seconds of it in a second, 0.1 to 16.
        model: Whose results are shown; empty: of whoever detects.
    """

    video_id: str
    speed: float = 1.0
    model: str = ""


class StreamNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be stopped, by one of both.

    Attributes:
        video_id: UUID of the video whose stream it is.
        stream_id: Names the stream.
    """

    video_id: str = ""
    stream_id: str = ""


class SeekWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a stream is to go on.

    Attributes:
        position_s: Seconds after the video's first frame.
    """

    position_s: float


def stream_of(feed: Feed) -> StreamOfVideo:
    """Return a stream as it is answered."""
    told = feed.told
    return StreamOfVideo(
        stream_id=feed.id,
        video_id=feed.video_id,
        name=feed.name,
        source=feed.source,
        state=told.state,
        reason=feed.reason or None,
        wanted=feed.wanted,
        speed=feed.speed,
        model=feed.model or None,
        position_s=told.position_s,
        captured_at_ms=told.captured_at_ms,
        frames_per_s=told.frames_per_s,
        lag_ms=told.lag_ms,
        frames_announced=told.frames_announced,
        created_at_ms=feed.created_at_ms,
        ended_at_ms=feed.ended_at_ms,
        websocket=f"/ws/stream?video_id={feed.video_id}",
    )
