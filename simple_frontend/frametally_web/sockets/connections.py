"""A WebSocket's connection: reads the client's messages at once where possible."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeAlias

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

Take: TypeAlias = Callable[[bytes], bool]
"""Takes in a text, of a whole message; False: it is to come by `receive`."""

_NAME = "frametally_connection"
_MOST_UNSENT_BYTES = 256 * 1024
"""What the system holds for a client that takes nothing: by itself it holds megabytes of old pictures."""


class SocketConnection(WebSocketsSansIOProtocol):
    """A connection whose messages wake no task, where a caller takes them in as they are read.

    By ASGI alone reading stops with each message, which waits in a queue until a task has it, and then begins
    again: with an acknowledgement for each frame that is a third of what a viewer costs.
    """

    take: Take | None = None

    def handle_connect(self, event: Request) -> None:
        """Begin, so that `take_at_once` finds it."""
        super().handle_connect(event)
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_UNSENT_BYTES)
        if hasattr(self, "scope"):  # else it was refused
            self.scope["state"][_NAME] = self

    def send_receive_event_to_app(self) -> None:
        """Have a message taken in, or wait for its turn."""
        if self.take is not None and self.curr_msg_data_type == "text" and self.queue.empty():
            data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
            if not self.close_sent and self.take(data):
                self.frames = []
                return
        super().send_receive_event_to_app()


def take_at_once(socket: WebSocket, take: Take) -> None:
    """Call `take` with every later message, unless it comes by another server's connection."""
    connection = getattr(socket.state, _NAME, None)
    if isinstance(connection, SocketConnection):
        connection.take = take
