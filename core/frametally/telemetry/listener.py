"""Serves `/metrics` and `/healthz` over HTTP for commands that have no other server."""

from __future__ import annotations

import http.server
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from frametally.errors import Misconfigured
from frametally.telemetry.exposition import Scraped
from frametally.telemetry.family import family

_MOST_AT_ONCE = 4
_ANSWER_WITHIN_S = 5.0


@contextmanager
def metrics_shown(data_dir: Path, address: str, port: int) -> Iterator[None]:
    """Serve `/metrics` and `/healthz` at `address` during the block; do nothing if the port is 0.

    A child of a process that shows metrics reports its figures to the parent and does not listen.

    Raises:
        Misconfigured: The port is in use or not permitted, or this machine has no such address.
    """
    if not port:
        yield
        return
    with family() as is_first, listening(Scraped(data_dir), address, port) if is_first else nullcontext():
        yield


@contextmanager
def listening(scraped: Scraped, address: str, port: int) -> Iterator[int]:
    """Serve `/metrics` in separate threads, and yield the port; 0 picks any free one.

    Raises:
        Misconfigured: As `metrics_shown`.
    """
    try:
        server = _Server((address, port), _handler_of(scraped))
    except OSError as error:
        raise Misconfigured(
            f"/metrics cannot listen on {address}:{port} ({error.strerror}): "
            "change FRAMETALLY_METRICS_ADDRESS"
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A server that answers a few requests at once; it closes further connections, which may retry."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, place: tuple[str, int], handler: Callable[..., Any]) -> None:
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(place, handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's looks up its own name, which may be slow
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnected."""


def _handler_of(scraped: Scraped) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = _ANSWER_WITHIN_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                answer = scraped.answer(self.headers.get("Accept", ""))
                self._send(answer.content_type, answer.body)
            elif path == "/healthz":
                self._send("application/json", b'{"status": "running"}')
            else:
                self.send_error(404, "Request /metrics or /healthz")

        def _send(self, content_type: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing, as requests come every few seconds."""

    return Handler
