"""What a viewer is told, and may say; a picture comes behind its header: 4 bytes of length, JSON, JPEG."""

from __future__ import annotations

import base64
import struct
from typing import NamedTuple

import msgspec

from frametally.records import FrameDetections
from frametally_live.feed_records import FeedState
from frametally_web.requests.answers import Answer

ShownBox = tuple[str, float, float, float, float, float, int | None]
"""Label, confidence, left, top, width, height, number of its track (null: it is not tracked)."""


class FrameShown(Answer, frozen=True, kw_only=True, tag_field="type", tag="frame"):
    """A frame in which something was looked for: the header of its JPEG.

    Attributes:
        stream_id: Names the stream, or the camera.
        n: Number of the frame; `ack` names it.
        image_path: Key of the frame's JPEG in the store.
        captured_at_ms: Event time of the frame.
        position_s: Of a video: seconds after its first frame; null of a camera.
        sent_at_ms: When it was sent, by the server's clock.
        due_at_ms: When it was to be seen, by that clock: of a camera its event time, of a video as its speed
            has it; null where that is not known.
        width_px: Of the frame.
        height_px: Of the frame.
        model: Id of the model that looked.
        boxes: Those that count: label, confidence, left, top, width, height in pixels of the frame, and the
            number of its track, null where it is not tracked.
        left_out: Frames that came since this viewer did, and were not sent to it.
        image: The JPEG in base64; only where `format=json` was asked for.
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
    """How what is watched stands: at once, at every change, and every 5 s.

    Attributes:
        state: `requested`, `starting`, `running`, `waiting` (its frames, or what is found in them, do not
            come for now), `paused`, `stopping`, `ended` or `failed`.
        position_s: Of a video: seconds that have been reached; null before that, and of a camera.
        duration_s: Of a video: its length; null where it states none, and of a camera.
        fps: Frames a second that are announced, of late; null before it can be told.
        behind_ms: How long ago the newest frame that is shown was announced, to half a second: so far is
            detection behind. Null before a frame is shown.
        viewers: How many watch it here.
        reason: Why, as one sentence; null where there is nothing to say.
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
        n: Of the frame.
    """

    n: int


class Pause(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="pause"
):
    """This viewer, and no other, wants no frames for now."""


class Resume(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="resume"
):
    """It wants them again."""


NO_VIDEO, NO_STREAM = 4404, 4409

_LENGTH = struct.Struct(">I")

CLOSED_BECAUSE = {
    1000: "what was watched has ended, as the last `state` says",
    1003: "the viewer said what is none of its messages, or acknowledged what was never sent",
    1008: "it may not watch (a page of another site, another name of this server), asks for what there is "
    "not in the address, or says too much",
    1009: "what it said is larger than anything that is taken in",
    1013: "too many watch already, in all or from its address, or the catalogue does not answer for now",
    NO_VIDEO: "there is no such video, or no camera of that source",
    NO_STREAM: "nothing streams it: start that",
}
"""By what code a viewer's socket is closed, and why."""


class PicturedResult(NamedTuple):
    """A result and its picture, as all viewers get them.

    Attributes:
        n: Counts what came of its feed, also what nobody was shown.
        result: What was found.
        jpeg: The picture.
    """

    n: int
    result: FrameDetections
    jpeg: bytes


class EncodedFrame:
    """A frame as a message: what all viewers are told of it is encoded once."""

    def __init__(self, header: FrameShown, jpeg: bytes) -> None:
        """Take all of it but `sent_at_ms` and `left_out`, which each viewer has its own of."""
        told = msgspec.to_builtins(header)
        del told["sent_at_ms"], told["left_out"]
        self._told = msgspec.json.encode(told)[:-1]
        self._jpeg = jpeg

    def as_bytes(self, *, sent_at_ms: int, left_out: int) -> bytes:
        """Return it as one binary message."""
        head = b'%b,"sent_at_ms":%d,"left_out":%d}' % (self._told, sent_at_ms, left_out)
        return b"".join((_LENGTH.pack(len(head)), head, self._jpeg))

    def as_text(self, *, sent_at_ms: int, left_out: int) -> str:
        """Return it as one text message."""
        image = base64.b64encode(self._jpeg)
        text = b'%b,"sent_at_ms":%d,"left_out":%d,"image":"%b"}' % (self._told, sent_at_ms, left_out, image)
        return text.decode()
