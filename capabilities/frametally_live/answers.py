"""Answers about streams of videos, and the requests that start and control them."""

from __future__ import annotations

import msgspec

from frametally.actions.answers import Answer, answer_of
from frametally_live.feed_records import Feed, FeedState, FeedWanted
from frametally_web.translations.texts import problem_text


class StreamOfVideo(Answer, frozen=True, kw_only=True):
    """A streamed video: each frame at its time, with its detections.

    Attributes:
        stream_id: ID of the stream.
        video_id: UUID of the video.
        name: Name of the video's source.
        state: `requested`, `starting`, `running`, `waiting`, `paused`, `stopping`, `ended` or `failed`.
        reason: Reason for the state, as one sentence; null if there is nothing to say.
        wanted: The last request: `run`, `pause` or `stop`.
        speed: Seconds of the video per second.
        model: Model whose results are shown; null means any.
        position_s: Position reached in the video, in seconds; null before that.
        captured_at_ms: Event time of its newest frame; null before the first frame.
        frames_per_s: Recent rate of announced frames; null until it is known.
        lag_ms: Recent delay of announced frames; null until it is known.
        frames_announced: Frames announced since the start.
        created_at_ms: Start of the stream.
        ended_at_ms: End of the stream; null until it ends.
        websocket: Address at which you can watch it.
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
    """`/api/streams`: streams of videos, running ones first, then the newest.

    Attributes:
        streams: At most a thousand.
        most: How many may run at a time.
        live_allowed: Whether you can start, control and stop streams here.
        remedy: What to do if you cannot; null if you can.
    """

    streams: list[StreamOfVideo]
    most: int
    live_allowed: bool
    remedy: str | None


class StreamWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The stream to start.

    Attributes:
        video_id: UUID of the video.
        speed: Seconds of the video per second, 0.1 to 16.
        model: Model whose results are shown; empty means any.
    """

    video_id: str
    speed: float = 1.0
    model: str = ""


class StreamNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The stream to stop, by one of both.

    Attributes:
        video_id: UUID of the video whose stream it is.
        stream_id: Names the stream.
    """

    video_id: str = ""
    stream_id: str = ""


class SeekWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The position at which a stream should continue.

    Attributes:
        position_s: Seconds after the video's first frame.
    """

    position_s: float


def stream_of(feed: Feed) -> StreamOfVideo:
    """Return the API's answer for a stream."""
    return answer_of(
        StreamOfVideo,
        (feed, feed.told),
        stream_id=feed.id,
        reason=problem_text(feed.reason) or None,
        model=feed.model or None,
        websocket=f"/ws/stream?video_id={feed.video_id}",
    )
