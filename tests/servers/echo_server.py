"""`echo_server.py PORT`: answers every request with the received headers and number of bytes, as JSON."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """Echoes the request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with path and headers."""
        self._answer(0)

    def do_POST(self) -> None:
        """Answer once the whole body has arrived, with its length as well."""
        left = length = int(self.headers["Content-Length"])
        while left and (piece := self.rfile.read1(left)):
            left -= len(piece)
        self._answer(length - left)

    def _answer(self, received: int) -> None:
        said = {"path": self.path, "headers": dict(self.headers), "bytes": received}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the tests query it."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
