"""What the WebSocket of a client says, and that the library has changed."""

from __future__ import annotations

from frametally_videos.sockets.client_messages import CLOSED_BECAUSE, Hello, JobTold, Ping, Pong, VideoTold
from frametally_web.api.asyncapi import AsyncChannel, AsyncChannels, Message, Operation, codes
from frametally_web.requests.answers import Answer


class NewVideos(Answer, frozen=True, kw_only=True):
    """Something has changed that the library of videos shows.

    Attributes:
        version: Another one than before.
    """

    version: str


_TOLD = (
    Message("hello", Hello, "The first message: all videos and jobs of the client."),
    Message("job", JobTold, "A job that has changed, as it is now; twice a second at most."),
    Message("video", VideoTold, "A video that has changed, as it is now; twice a second at most."),
    Message("ping", Ping, "After 20 s (or what is set) in which there was nothing to tell."),
)
_HEARD = (Message("pong", Pong, "An answer to `ping`, which need not come."),)

CHANNELS = AsyncChannels(
    channels=[
        AsyncChannel(
            "client",
            "/ws/{client_id}",
            "What becomes of a client's videos",
            "A WebSocket for whoever uploads with a `client_id`; it is told of its own videos alone. "
            f"{codes(CLOSED_BECAUSE)}",
            [
                Operation("tell_client", "send", "The server tells a client of its videos.", _TOLD),
                Operation("hear_client", "receive", "All that a client may say.", _HEARD),
            ],
            {
                "client_id": {
                    "description": "What the uploads name: 1 to 64 letters, digits, `-` and `_`, but "
                    "not `stream`.",
                    "examples": ["client-1234"],
                }
            },
        )
    ],
    events=[
        Message(
            "videos",
            NewVideos,
            "The version of the library of videos: at the beginning, and when it changes.",
        )
    ],
)
