"""The answers about cameras, and what is sent to add one."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlencode

import msgspec

from frametally_live.feed_records import Feed, FeedState, FeedWanted
from frametally_live.feeds.detection_lag import is_late
from frametally_web.requests.answers import Answer


class LiveCamera(Answer, frozen=True, kw_only=True):
    """A camera, and how it stands.

    Attributes:
        source: Slug of its source, by which it is asked for.
        name: The source as it is written.
        address: Where it is, without any log-in.
        wanted: What was asked of it last: `run` or `stop`.
        state: `requested`, `starting`, `running`, `waiting`, `paused`, `stopping`, `ended` or `failed`.
        reason: Why, as one sentence; null where there is nothing to say.
        frames_per_s: Frames announced a second, of late; null before it can be told.
        taken_per_s: Frames a second that are kept, of late; null before it can be told.
        offered_per_s: Frames a second that it sends, of late, or those that sampling asks for if they are
            fewer; null before it can be told.
        leaves_out: Whether fewer are kept than it offers.
        lag_ms: By how much they are announced after their event time, of late; null before it can be told.
        shown_lag_ms: By how much what is found in them comes after their event time: so old is what people
            see. Null before it can be told.
        late: Whether it runs, and either is more than 5 s.
        drift_ms: By how much its clock is ahead of the server's; null where it tells none.
        captured_at_ms: Event time of its newest frame; null before there is one.
        frame_url: Where this server has that frame; null before there is one.
        away_since_ms: When it was heard last; null while it is there.
        frames_announced: Frames announced since it was added.
        frames_lost: Frames that it sent and that could be kept nowhere.
        packets_lost: Packets that the network lost.
        websocket: Where it can be watched.
        trial: Of a camera that was added just now: what it showed when it was tried, or why nothing, as one
            sentence; else null.
    """

    source: str
    name: str
    address: str
    wanted: FeedWanted
    state: FeedState
    reason: str | None
    frames_per_s: float | None
    taken_per_s: float | None
    offered_per_s: float | None
    leaves_out: bool
    lag_ms: int | None
    shown_lag_ms: int | None
    late: bool
    drift_ms: int | None
    captured_at_ms: int | None
    frame_url: str | None
    away_since_ms: int | None
    frames_announced: int
    frames_lost: int
    packets_lost: int
    websocket: str
    trial: str | None = None


class LiveCameras(Answer, frozen=True, kw_only=True):
    """`/api/cameras`: all cameras, by name.

    Attributes:
        cameras: At most a thousand.
        live_allowed: Whether cameras may be added, started, stopped and removed here.
        remedy: What to do where they may not; null where they may.
    """

    cameras: list[LiveCamera]
    live_allowed: bool
    remedy: str | None


class CameraWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A camera that is to be added.

    Attributes:
        address: Where it is, such as `rtsp://192.168.1.20:554/stream`, without any log-in.
        source: Its name, as people write it.
        transport: How RTSP brings its pictures.
    """

    address: str
    source: str
    transport: Literal["tcp", "udp"] = "tcp"


def camera_of(feed: Feed, shown_lag_ms: int | None) -> LiveCamera:
    """Return a camera as it is answered, with how late what is found in it is; see `LiveCamera`."""
    told = feed.told
    return LiveCamera(
        source=feed.source,
        name=feed.name,
        address=feed.address,
        wanted=feed.wanted,
        state=told.state,
        reason=feed.reason or None,
        frames_per_s=told.frames_per_s,
        taken_per_s=told.taken_per_s,
        offered_per_s=told.offered_per_s,
        leaves_out=told.leaves_out,
        lag_ms=told.lag_ms,
        shown_lag_ms=shown_lag_ms,
        late=is_late(told, shown_lag_ms),
        drift_ms=told.drift_ms,
        captured_at_ms=told.captured_at_ms,
        frame_url=f"/api/v1/frames/image?{urlencode({'path': told.image_path})}" if told.image_path else None,
        away_since_ms=told.away_since_ms,
        frames_announced=told.frames_announced,
        frames_lost=told.frames_lost,
        packets_lost=told.packets_lost,
        websocket=f"/ws/stream?{urlencode({'source': feed.source})}",
    )
