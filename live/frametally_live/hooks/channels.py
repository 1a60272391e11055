"""What the WebSocket of a viewer says."""

from __future__ import annotations

from frametally_live.viewers.viewer_messages import CLOSED_BECAUSE, Ack, FrameShown, Pause, Resume, StreamTold
from frametally_web.api.asyncapi import AsyncChannel, AsyncChannels, Message, Operation, codes

_SHOWN = (
    Message(
        "frame",
        FrameShown,
        "A frame: binary, 4 bytes of length (the highest first), this, and the JPEG; with `format=json` "
        "this as text.",
    ),
    Message("state", StreamTold, "How it stands: at once, at every change, and every 5 s."),
)
_HEARD = (
    Message("ack", Ack, "A frame was drawn; from the first of these on at most two wait for that."),
    Message("pause", Pause, "No frames for now, for this viewer alone."),
    Message("resume", Resume, "Frames again."),
)

CHANNELS = AsyncChannels(
    [
        AsyncChannel(
            "stream",
            "/ws/stream",
            "Live frames and what is found in them",
            "A WebSocket for one viewer of a video that is streamed, or of a camera: "
            "`/ws/stream?video_id=...` or `/ws/stream?source=...`, with `&format=json` frames as text. "
            f"{codes(CLOSED_BECAUSE)}",
            [
                Operation("show", "send", "The server shows frames.", _SHOWN),
                Operation("hear_viewer", "receive", "All that a viewer may say.", _HEARD),
            ],
        )
    ]
)
