"""An HTTP proxy on the loopback address in front of an S3 server that spoils some of its calls."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["", "500", "503", "refused", "lost answer", "cut short"]
FAULTS: tuple[Fault, ...] = ("500", "503", "refused", "lost answer", "cut short")
"""A server's error, its request to slow down, a connection closed before or after the call was forwarded, and
half a body."""

Choose = Callable[[str, str], Fault]
"""Return the fault for a call with this method and path; empty for none."""

_NOT_PASSED_ON = {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"}


def some_of(share: float, seed: int) -> Choose:
    """Spoils this share of all calls, each in one of the ways."""
    chance, lock = random.Random(seed), threading.Lock()  # noqa: S311 - no secret

    def choose(method: str, path: str) -> Fault:
        with lock:
            return chance.choice(FAULTS) if chance.random() < share else ""

    return choose


class FaultProxy:
    """Passes calls on to `upstream`, except those that `choose` spoils; `url` is its address.

    Attributes:
        spoilt: How many calls were spoilt, by fault.
        calls: Method and path of every call, in order.
    """

    def __init__(self, upstream: str, choose: Choose, *, headers: Mapping[str, str] | None = None) -> None:
        """`headers` replace the caller's own."""
        self.spoilt: dict[str, int] = {}
        self.calls: list[tuple[str, str]] = []
        address = urlsplit(upstream)
        lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = choose(self.command, self.path)
                with lock:
                    proxy.calls.append((self.command, self.path))
                    if fault:
                        proxy.spoilt[fault] = proxy.spoilt.get(fault, 0) + 1
                if fault == "refused":
                    self.close_connection = True
                elif fault in ("500", "503"):
                    code = "InternalError" if fault == "500" else "SlowDown"
                    self.answer(int(fault), {}, f"<Error><Code>{code}</Code></Error>".encode())
                else:
                    self.answer_of_upstream(body, fault)

            def answer_of_upstream(self, body: bytes, fault: Fault) -> None:
                connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                given = dict(self.headers.items())
                for name, value in (given | dict({} if headers is None else headers)).items():
                    connection.putheader(name, value)
                connection.endheaders(body or None)
                response = connection.getresponse()
                data = response.read()
                connection.close()
                if fault == "lost answer" or (fault == "cut short" and not data):
                    self.close_connection = True
                    return
                passed = {k: v for k, v in response.getheaders() if k.lower() not in _NOT_PASSED_ON}
                length = response.getheader("Content-Length") if self.command == "HEAD" else None
                self.answer(response.status, passed, data, length=length, whole=fault != "cut short")

            def answer(
                self,
                status: int,
                passed: Mapping[str, str],
                data: bytes,
                *,
                length: str | None = None,
                whole: bool = True,
            ) -> None:
                self.send_response(status)
                for name, value in passed.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", length or str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data if whole else data[: len(data) // 2])
                if not whole:
                    self.close_connection = True

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = pass_on  # noqa: N815 - http.server's names

            def log_message(self, *arguments: object) -> None:
                """Log nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments: object) -> None:
                """The client may have gone."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> FaultProxy:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
