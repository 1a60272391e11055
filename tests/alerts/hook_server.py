"""A webhook receiver: it answers as a test says, correctly or not, and keeps the requests."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

OK = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Posted(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Hook:
    """The received requests, and how to answer the next: bytes, or a function that writes to the
    connection."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answers: list[bytes | Callable[[socket.socket], None]] = []
        self.stopped = threading.Event()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head, _, body = self._read_head(connection)
            lines = head.decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:])
            while len(body) < int(headers.get("Content-Length", "0")):
                body += connection.recv(65536)
            self.posted.append(Posted(lines[0].split()[1], headers, body))
            answer = self.answers.pop(0) if self.answers else OK
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)

    def _read_head(self, connection: socket.socket) -> tuple[bytes, bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                raise OSError("gone")
            data += more
        return data.partition(b"\r\n\r\n")


@contextmanager
def hook_server(hook: Hook, *, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Its port on 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if context is not None:
                try:
                    connection = context.wrap_socket(connection, server_side=True)
                except OSError:
                    continue
            threads.append(threading.Thread(target=hook.serve, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        hook.stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()
