"""Answers about cameras, and the request that adds one."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlencode

import msgspec

from frametally.actions.answers import Answer, answer_of
from frametally_live.feed_records import Feed, FeedState, FeedWanted
from frametally_live.feeds.detection_lag import is_late
from frametally_web.translations.texts import problem_text


class LiveCamera(Answer, frozen=True, kw_only=True):
    """A camera and its state; its other fields are those of `StreamOfVideo`.

    Attributes:
        source: Slug of its source; use it in addresses.
        name: Name of the source.
        address: Its address, without user and password.
        simulated: Whether it shows a stored video in a loop; nothing of it is counted.
        sample_fps: Frames that it stores a second, or `all`; null for those of the setting.
        wanted: The last request: `run` or `stop`.
        taken_per_s: Recent rate of stored frames; null until it is known.
        offered_per_s: Recent rate of frames that the camera sends, or the sampling rate if that is lower;
            null until it is known.
        leaves_out: Whether it stores fewer frames than the camera offers.
        lag_ms: Recent delay between capture (event time minus `drift_ms`) and announcement; null until it is
            known.
        shown_lag_ms: Recent delay between capture and detections, which is how old the picture is that you
            see; null until it is known.
        late: Whether it runs, and either delay is more than 5 s.
        drift_ms: How far its clock is ahead of the server's; null if it sends no time.
        frame_url: Address of that frame on this server; null before the first frame.
        away_since_ms: Last contact with the camera; null while it is connected.
        frames_announced: Frames announced since it was added.
        frames_lost: Frames that the camera sent and frametally could not store.
        packets_lost: Packets that the network lost.
        trial: For a camera that you have just added or changed: what it showed in its trial, or why it
            showed nothing, as one sentence; otherwise null.
    """

    source: str
    name: str
    address: str
    simulated: bool
    sample_fps: str | None
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
        live_allowed: Whether you can add, start, stop and remove cameras here.
        remedy: What to do if you cannot; null if you can.
    """

    cameras: list[LiveCamera]
    live_allowed: bool
    remedy: str | None


class CameraPreview(Answer, frozen=True, kw_only=True):
    """The streams of a camera that is not added yet.

    Attributes:
        trial: What it showed in its trial, or why it showed nothing, as one sentence.
        picture: Its newest frame, a JPEG in base64; null if it showed nothing.
    """

    trial: str
    picture: str | None


class OfferedStream(Answer, frozen=True, kw_only=True):
    """A stream of a device that a search found.

    Attributes:
        name: Name of its profile.
        address: Its address, without user and password.
        code: Its codec as the device says it, such as `H264`; empty if unknown.
        width_px: Width of its pictures; 0 if unknown.
        height_px: Height of its pictures; 0 if unknown.
    """

    name: str
    address: str
    code: str
    width_px: int
    height_px: int


class OfferedCamera(Answer, frozen=True, kw_only=True):
    """A device that a search found.

    Attributes:
        host: Its IP address.
        name: Its name, or else its model or IP address.
        source: Suggested name for its source.
        maker: Its manufacturer; empty if unknown.
        model: Its model; empty if unknown.
        streams: Its streams; empty if there is a problem.
        snapshot: Address of a picture that it makes; empty if it has none.
        cameras: Names of the cameras at its IP address that are added already.
        problem: Why it cannot be used now, in one line; null if it can be used.
    """

    host: str
    name: str
    source: str
    maker: str
    model: str
    streams: list[OfferedStream]
    snapshot: str
    cameras: list[str]
    problem: str | None


class CameraSearch(Answer, frozen=True, kw_only=True):
    """The result of a search of the local network.

    Attributes:
        cameras: Usable devices first, by name.
        has_more: Whether more devices answered than are listed.
    """

    cameras: list[OfferedCamera]
    has_more: bool


class CameraWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The camera to add.

    Attributes:
        address: Its address, such as `rtsp://192.168.1.20:554/stream`, without user and password.
        source: Its name.
        transport: Transport of RTSP pictures.
    """

    address: str
    source: str
    transport: Literal["tcp", "udp"] = "tcp"


class CameraChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The change of a camera; without any field it is only tried.

    Attributes:
        address: Its new address, without user and password.
        transport: Transport of RTSP pictures.
        sample_fps: Frames to store a second, such as `10`, or `all`; empty for those of the setting.
    """

    address: str | None = None
    transport: Literal["tcp", "udp"] | None = None
    sample_fps: str | None = None


def camera_of(feed: Feed, shown_lag_ms: int | None) -> LiveCamera:
    """Return the API's answer for a camera, with the delay of its detections; see `LiveCamera`."""
    path = feed.told.image_path
    return answer_of(
        LiveCamera,
        (feed, feed.told),
        simulated=feed.is_simulated,
        sample_fps=feed.sample_fps or None,
        reason=problem_text(feed.reason) or None,
        shown_lag_ms=shown_lag_ms,
        late=is_late(feed.told, shown_lag_ms),
        frame_url=f"/api/v1/frames/image?{urlencode({'path': path})}" if path else None,
        trial=None,
        websocket=f"/ws/stream?{urlencode({'source': feed.source})}",
    )
