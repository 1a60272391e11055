"""A test's receiver: it keeps the requests, and misbehaves on request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from tests.kit.http_server import Answers, answering

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

    class Handler(Answers):
        def do_POST(self) -> None:  # noqa: N802 - as the library has it
            receiver.came.append((self.path, dict(self.headers), self.read()))
            with suppress(OSError):
                self.respond()

        def respond(self) -> None:
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

    with answering(Handler) as url:
        receiver = Receiver(url)
        try:
            yield receiver
        finally:
            receiver.over.set()
