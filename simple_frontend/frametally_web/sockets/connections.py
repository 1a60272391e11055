"""A WebSocket's connection: reads the client's messages at once where possible."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeAlias

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

Take: TypeAlias = Callable[[bytes], bool]
"""Handles the text of a whole message; returns False to leave it to `receive`."""

_NAME = "frametally_connection"
_MOST_UNSENT_BYTES = 256 * 1024
"""What the system buffers for a client that reads nothing: by default, megabytes of old pictures."""


class SocketConnection(WebSocketsSansIOProtocol):
    """A connection whose messages wake no task, if a caller handles them as they are read.

    With ASGI alone, reading stops with each message, which waits in a queue for a task, and then starts
    again. With an acknowledgement for each frame, that is a third of the cost of a viewer.
    """

    take: Take | None = None

    def handle_connect(self, event: Request) -> None:
        """Register the connection, so that `take_at_once` finds it."""
        super().handle_connect(event)
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_UNSENT_BYTES)
        if hasattr(self, "scope"):  # otherwise it was refused
            self.scope["state"][_NAME] = self

    def send_receive_event_to_app(self) -> None:
        """Handle a message at once, or queue it."""
        if self.take is not None and self.curr_msg_data_type == "text" and self.queue.empty():
            data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
            if not self.close_sent and self.take(data):
                self.frames = []
                return
        super().send_receive_event_to_app()


def take_at_once(socket: WebSocket, take: Take) -> None:
    """Call `take` with every later message, unless the socket comes from another server's connection."""
    connection = getattr(socket.state, _NAME, None)
    if isinstance(connection, SocketConnection):
        connection.take = take
