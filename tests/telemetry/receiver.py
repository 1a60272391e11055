"""A test's receiver: it keeps the requests, and misbehaves on request."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

Manner = Literal["well", "refuses", "redirects", "endless", "silent", "drips"]


class Receiver:
    """The received requests, and their paths."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        self.sent_bytes = 0
        self.over = threading.Event()


@contextmanager
def receiving(manner: Manner = "well") -> Iterator[Receiver]:
    """On any free port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.came.append((self.path, dict(self.headers), body))
            with suppress(OSError):
                self.answer()

        def answer(self) -> None:
            if manner == "silent":
                receiver.over.wait(60)
                self.close_connection = True
                return
            if manner == "drips":
                while not receiver.over.wait(0.2):
                    self.wfile.write(b"H")
                return
            self.send_response({"refuses": 500, "redirects": 307}.get(manner, 200))
            if manner == "redirects":
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", str(10 * 1024**3 if manner == "endless" else 0))
            self.end_headers()
            while manner == "endless":
                self.wfile.write(bytes(1 << 16))
                receiver.sent_bytes += 1 << 16

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
