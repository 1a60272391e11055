"""Messages to and from a viewer; a picture follows its header: 4 bytes of length, JSON, JPEG."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import NamedTuple

import msgspec

from frametally.actions.answers import Answer
from frametally.records import FrameDetections
from frametally_live.feed_records import FeedState
from frametally_web.api.asyncapi import AsyncChannel, AsyncChannels, Message, Operation, codes

ShownBox = tuple[str, float, float, float, float, float, int | None]
"""Label, confidence, left, top, width, height, number of its track (null if not tracked)."""


class FrameShown(Answer, frozen=True, kw_only=True, tag_field="type", tag="frame"):
    """The header of the JPEG of an analysed frame.

    Attributes:
        stream_id: ID of the stream or camera.
        n: Number of the frame; use it in `ack`.
        image_path: Key of the frame's JPEG in the store.
        captured_at_ms: Event time of the frame.
        position_s: For a video, seconds after its first frame; null for a camera.
        sent_at_ms: Time of sending, by the server's clock.
        due_at_ms: Time at which it was due, by that clock: for a camera its event time, corrected by
            `drift_ms`, for a video by its speed; null if not known.
        width_px: Width of the frame.
        height_px: Height of the frame.
        model: ID of the model that detected the objects.
        boxes: Boxes that count: label, confidence, left, top, width, height in pixels of the frame, and the
            number of its track, null if not tracked.
        left_out: Frames since this viewer connected that were not sent to it.
        image: The JPEG in base64; only with `format=json`.
    """

    stream_id: str
    n: int
    image_path: str
    captured_at_ms: int
    position_s: float | None
    sent_at_ms: int
    due_at_ms: int | None
    width_px: int
    height_px: int
    model: str
    boxes: list[ShownBox]
    left_out: int
    image: str | msgspec.UnsetType = msgspec.UNSET


class StreamTold(Answer, frozen=True, kw_only=True, tag_field="type", tag="state"):
    """The state of the watched feed: sent at once, at every change, and every 5 s.

    Attributes:
        state: `requested`, `starting`, `running`, `waiting` (its frames or detections are missing for now),
            `paused`, `stopping`, `ended` or `failed`.
        position_s: For a video, the position in seconds; null before the first frame, and for a camera.
        duration_s: For a video, its length; null if the file does not state it, and for a camera.
        fps: Recent rate of announced frames; null until it is known.
        behind_ms: Age of the newest frame shown since its announcement, to half a second: the delay of
            detection. Null before a frame is shown.
        viewers: Number of viewers here.
        reason: Reason for the state, as one sentence; null if there is nothing to say.
    """

    state: FeedState
    position_s: float | None
    duration_s: float | None
    fps: float | None
    behind_ms: int | None
    viewers: int
    reason: str | None


class Ack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="ack"):
    """A frame was drawn, and all that were sent before it; two may be open.

    Attributes:
        n: Number of the frame.
    """

    n: int


class Pause(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="pause"
):
    """This viewer alone wants no frames until it resumes."""


class Resume(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="resume"
):
    """The viewer wants frames again."""


NO_VIDEO, NO_STREAM = 4404, 4409

_LENGTH = struct.Struct(">I")

CLOSED_BECAUSE = {
    1000: "the stream has ended, as the last `state` says",
    1003: "the viewer sent an unknown message, or acknowledged a frame that was never sent",
    1008: "this viewer, site or server name is not allowed, a parameter is unknown, or it sent too many "
    "messages",
    1009: "the message is too large",
    1013: "too many viewers, in all or from this address, or the catalogue is not responding",
    NO_VIDEO: "the video or camera does not exist",
    NO_STREAM: "the video is not being streamed: start a stream first",
}
"""Codes with which a viewer's socket is closed, and their reasons."""


class PicturedResult(NamedTuple):
    """A result and its picture, shared by all viewers; `n` counts the results of its feed."""

    n: int
    result: FrameDetections
    jpeg: bytes


class EncodedFrame:
    """A frame as a message, encoded once for all viewers."""

    def __init__(self, header: FrameShown, jpeg: bytes) -> None:
        """Store everything except `sent_at_ms` and `left_out`, which differ between viewers."""
        fields = msgspec.to_builtins(header)
        del fields["sent_at_ms"], fields["left_out"]
        self._fields_json = msgspec.json.encode(fields)[:-1]
        self._jpeg = jpeg

    def as_bytes(self, *, sent_at_ms: int, left_out: int) -> bytes:
        """Return the frame as one binary message."""
        head = b'%b,"sent_at_ms":%d,"left_out":%d}' % (self._fields_json, sent_at_ms, left_out)
        return b"".join((_LENGTH.pack(len(head)), head, self._jpeg))

    def as_text(self, *, sent_at_ms: int, left_out: int) -> str:
        """Return the frame as one text message."""
        image = base64.b64encode(self._jpeg)
        text = b'%b,"sent_at_ms":%d,"left_out":%d,"image":"%b"}' % (
            self._fields_json,
            sent_at_ms,
            left_out,
            image,
        )
        return text.decode()


class Wake:
    """Like `asyncio.Event`, for one task of the loop in which it was created.

    `asyncio.Event` looks up its loop with each wait, a system call: a twentieth of a viewer's cost.
    """

    def __init__(self) -> None:
        """Start unset."""
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_set = False

    def set(self) -> None:
        """Wake the task, or let its next wait return at once."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Reset before the next wait."""
        self._is_set = False

    async def wait(self) -> None:
        """Return once `set` is called."""
        if not self._is_set:
            self._waiter = self._loop.create_future()
            await self._waiter


_SHOWN = (
    Message(
        "frame",
        FrameShown,
        "A frame: binary, 4 bytes of length (big-endian), this header, and the JPEG; with `format=json` "
        "this object as text.",
    ),
    Message("state", StreamTold, "State of the feed: at once, at every change, and every 5 s."),
)
_HEARD = (
    Message(
        "ack", Ack, "The viewer has drawn a frame; after the first `ack` at most two frames wait for one."
    ),
    Message("pause", Pause, "Stop sending frames to this viewer."),
    Message("resume", Resume, "Send frames again."),
)

CHANNELS = AsyncChannels(
    [
        AsyncChannel(
            "stream",
            "/ws/stream",
            "Live frames and their detections",
            "A WebSocket for one viewer of a streamed video or a camera: "
            "`/ws/stream?video_id=...` or `/ws/stream?source=...`; `&format=json` sends frames as text. "
            f"{codes(CLOSED_BECAUSE)}",
            [
                Operation("show", "send", "The server sends frames.", _SHOWN),
                Operation("hear_viewer", "receive", "Messages that a viewer may send.", _HEARD),
            ],
        )
    ]
)
