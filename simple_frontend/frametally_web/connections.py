"""Limits for client connections: slow or greedy clients must not block the server.

uvicorn leaves these to a proxy in front; frametally may run without one.
"""

from __future__ import annotations

import asyncio
import http
import os
import re
import select
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from frametally.actions.calls import MOST_BODY_BYTES
from frametally_web.requests.native import SEND_FILE
from frametally_web.security import HEADERS

if TYPE_CHECKING:
    from frametally_web.asgi import Application

IDLE_S = 30
# Browsers keep connections open, and so can anybody: enough for many streams, fewer than a process may open.
_MOST_CONNECTIONS = 800
_MOST_SOCKETS = 1200
"""WebSockets that are served or being refused; refusing takes 10 s if the client does not listen. More are
not even opened."""
MOST_FILES = 4096
"""Files that a server must be able to open: connections, WebSockets, and what it reads and writes."""
_MOST_HEAD_BYTES = 64 * 1024
_SMALL_BODY_BYTES = 64 * 1024
_MOST_LARGE_BODIES = 64
"""Number of larger bodies that may wait for their answer: anybody can send them, and they fill memory."""

_FILE_PIECE_BYTES, _ROOM_MS = 8 * 2**20, 20
"""Most of a file that a thread sends at once, and its longest wait for room: other requests wait for it."""

_NEXT_BYTES_S = 5.0
_WHOLE_BODY_S = 30.0
"""Time limits for the next bytes of a body, and for all of it: 1 MB in 30 s is 270 kbit/s."""
_MOST_UNWANTED_BYTES = 1_000_000
_UNWANTED_S = 5.0
"""How much more is read of a body, and how long of an upload, after the answer was sent: the sender has yet
to read that answer, and would never see it if we hung up at once."""


class Connection(HttpToolsProtocol):
    """A connection whose client is waited for, and read from, only within limits."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request; if there are too many connections, close the one that has waited longest."""
        super().connection_made(transport)
        self._bytes = 0
        self._body_bytes = 0
        self._takes_any_length = False
        self._is_message_open = False
        self._waits_since_s: float | None = None
        self._request_due: asyncio.TimerHandle | None = None
        self._reading_due: asyncio.TimerHandle | None = None
        self._body_due: asyncio.TimerHandle | None = None
        self._wait_for_request()
        if len(self.connections) > _MOST_CONNECTIONS:
            # Not counting WebSockets.
            every = [connection for connection in self.connections if isinstance(connection, Connection)]
            open_ones = [connection for connection in every if not connection.transport.is_closing()]
            if len(open_ones) > _MOST_CONNECTIONS:
                waiting = [connection for connection in open_ones if connection._waits_since_s is not None]
                min(waiting, key=lambda connection: connection._waits_since_s or 0.0).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        self._stop_waiting_for_body()
        self.resume_writing()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Hang up once the current answer is sent, or at once during an upload."""
        if self._is_message_open and self._takes_any_length:
            self.transport.close()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Continue reading, unless the data exceed any allowed request."""
        self._bytes += len(data)  # reset to 0 when a head is complete
        super().data_received(data)
        if self._waits_since_s is not None:
            if self._is_message_open:
                if self._bytes > _MOST_UNWANTED_BYTES and not self._takes_any_length:
                    self.transport.close()
            elif self._bytes > _MOST_HEAD_BYTES:
                self._refuse(431)
        elif self._bytes > MOST_BODY_BYTES and not self._takes_any_length:
            self._refuse(413)

    def on_headers_complete(self) -> None:
        """Pass on the request, unless its declared body is too large."""
        if self.transport.is_closing():
            return
        self._stop_waiting()
        self._bytes = 0
        self._body_bytes = 0
        self._is_message_open = True
        self._takes_any_length = self._asks_for_upload()
        if (status := self._misdirected()) is not None:
            self._refuse(status)
        elif not self._takes_any_length and any(
            name == b"content-length" and int(value) > MOST_BODY_BYTES for name, value in self.headers
        ):
            self._refuse(413)
        else:
            if not self._takes_any_length:
                self._wait_for_body(0, self.loop.time() + _WHOLE_BODY_S)
            super().on_headers_complete()
            self.scope["extensions"] = cast(Any, {SEND_FILE: partial(self._send_file, self.cycle)})

    def handle_websocket_upgrade(self) -> None:
        """Open a WebSocket, unless there are too many."""
        if self.transport.is_closing():
            return
        if sum(not isinstance(connection, Connection) for connection in self.connections) < _MOST_SOCKETS:
            super().handle_websocket_upgrade()
        else:
            self._refuse(503)

    async def _send_file(self, cycle: Any, path: Path, first_byte: int, next_byte: int) -> int:
        """Let the kernel send the next bytes of an answer from a file, as many as there is room for now.

        Returns:
            Their number; 0 if none could be sent, for any reason.
        """
        await self.flow.drain()
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            return 0
        # A duplicate: the connection may be closed in the meantime, and its number reused.
        client = self.transport.get_extra_info("socket").dup()
        # It must not be cancelled before it begins, because it closes that socket.
        sending = self.loop.run_in_executor(None, _send_file, client, path, first_byte, next_byte)
        count = await asyncio.shield(sending)
        cycle.expected_content_length -= count
        return count

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, unless it was refused, or is one of too many large ones."""
        was_small = self._body_bytes <= _SMALL_BODY_BYTES
        self._body_bytes += len(body)
        if was_small and self._is_large() and self._large_bodies() > _MOST_LARGE_BODIES:
            self._refuse(503)
        if not self.transport.is_closing():
            cycle: Any = self.cycle
            if cycle is not None and not (cycle.body and isinstance(cycle.body, bytearray)):
                # uvicorn would append to a copy, and Python returns bytes after an empty body as they are.
                cycle.body = bytearray(cycle.body) or b""
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request, unless it was refused."""
        self._is_message_open = False
        self._stop_waiting_for_body()
        self._bytes = 0
        if self._waits_since_s is not None:
            self._wait_for_request()
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it has come: a browser may have the whole answer before us."""
        super().on_response_complete()
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            self._bytes = 0
            self._body_bytes = 0
            self._wait_for_request()

    def pause_writing(self) -> None:
        """Wait for the client to read its answer."""
        super().pause_writing()
        self._look_whether_it_reads(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Continue: the client has read it."""
        super().resume_writing()
        if self._reading_due is not None:
            self._reading_due.cancel()
            self._reading_due = None

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request."""
        self._refuse(400)

    def _is_large(self) -> bool:
        return self._body_bytes > _SMALL_BODY_BYTES and not self._takes_any_length

    def _large_bodies(self) -> int:
        return sum(
            isinstance(connection, Connection) and connection._is_large() for connection in self.connections
        )

    def _wait_for_request(self) -> None:
        self._stop_waiting()
        self._waits_since_s = self.loop.time()
        longest_s = _UNWANTED_S if self._is_message_open else IDLE_S
        self._request_due = self.loop.call_later(longest_s, self.transport.close)

    def _stop_waiting(self) -> None:
        self._waits_since_s = None
        if self._request_due is not None:
            self._request_due.cancel()
            self._request_due = None

    def _wait_for_body(self, before: int, until_s: float) -> None:
        """Check again soon that more than `before` bytes of the body have arrived."""
        self._body_due = self.loop.call_later(_NEXT_BYTES_S, self._look_whether_it_sends, before, until_s)

    def _look_whether_it_sends(self, before: int, until_s: float) -> None:
        if self._bytes > before and self.loop.time() < until_s:
            self._wait_for_body(self._bytes, until_s)
        else:
            self._refuse(408)

    def _stop_waiting_for_body(self) -> None:
        if self._body_due is not None:
            self._body_due.cancel()
            self._body_due = None

    def _look_whether_it_reads(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if self._reading_due is not None and left >= before:
            self.transport.abort()
        else:
            self._reading_due = self.loop.call_later(IDLE_S, self._look_whether_it_reads, left)

    def _asks_for_upload(self) -> bool:
        """Return whether the request, whose head has arrived, is for a route that takes any length."""
        application = cast("Application", self.app)
        method = self.parser.get_method().decode("ascii")
        try:
            path = httptools.parse_url(self.url).path or b""
        except httptools.HttpParserInvalidURLError:
            return False
        return application.native.takes_any_length(method, unquote(path.decode("ascii")))

    def _misdirected(self) -> int | None:
        """Return the status for a request that names two hosts, different ones in target and header, or none.

        A server that checks only the header would answer for the other host. HTTP/1.1 requires one.
        """
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() != "1.0"):
            return 400
        if self.url.startswith(b"/") or self.url == b"*":
            return None
        scheme, _, rest = self.url.partition(b"://")
        target_host = re.split(rb"[/?#]", rest, maxsplit=1)[0]
        is_own = scheme.lower() in (b"http", b"https") and [target_host.lower()] == [
            host.lower() for host in hosts
        ]
        return None if is_own else 421

    def _refuse(self, status: int) -> None:
        """Answer without the application, unless an answer has started, and hang up."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            reason = http.HTTPStatus(status).phrase
            headers: dict[str, Any] = {
                **HEADERS,
                "Content-Type": "text/plain; charset=utf-8",
                "Content-Length": len(reason),
                "Connection": "close",
            }
            lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
            self.transport.write("\r\n".join([*lines, "", reason]).encode())
        self.transport.close()


def _send_file(client: socket.socket, path: Path, first_byte: int, next_byte: int) -> int:
    position, until = first_byte, min(first_byte + _FILE_PIECE_BYTES, next_byte)
    room = select.poll()
    with suppress(OSError), client, path.open("rb", buffering=0) as file:
        room.register(client, select.POLLOUT)
        while position < until and room.poll(_ROOM_MS):
            count = os.sendfile(client.fileno(), file.fileno(), position, until - position)
            if not count:  # the file has been truncated
                break
            position += count
    return position - first_byte
