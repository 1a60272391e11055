"""Sends a process's events to a remote receiver, within limits and without delaying its work."""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from frametally.process.retrying import OnceAMinute

if TYPE_CHECKING:
    import http.client

_LOG = logging.getLogger(__name__)
_WITHIN_S = 5.0
"""The time limit for one message, whatever the receiver does."""
_MOST_WAITING = 200
_MOST_BYTES = 1_000_000


class Poster:
    """Posts messages to one address, one after the other, in a separate thread.

    Messages that cannot be sent are dropped and reported, at most once a minute; only `flush` waits.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Send to `url`, which the settings have checked, with these headers."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        self._host, self._port, self._is_tls = host, port, parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._name = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
        self._headers = dict(headers)
        self._say = OnceAMinute(_LOG.warning)
        self._waiting: queue.Queue[bytes] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, body: bytes) -> None:
        """Queue a message, or drop it if too many are waiting."""
        if len(body) > _MOST_BYTES:
            self._trouble("a message is too large")
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(body)
        except queue.Full:
            self._trouble("it is too slow")

    def flush(self, within_s: float) -> None:
        """Wait until all messages are sent or dropped, at most `within_s` seconds."""
        until_s = time.monotonic() + within_s
        while self._waiting.unfinished_tasks and time.monotonic() < until_s:
            time.sleep(0.01)

    def _run(self) -> None:
        import http.client  # with TLS; most processes send nothing

        while True:
            body = self._waiting.get()
            try:
                self._post(body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._trouble(str(error).splitlines()[0][:200] if str(error) else type(error).__name__)
            finally:
                self._waiting.task_done()

    def _post(self, body: bytes) -> None:
        import http.client

        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=_WITHIN_S)
        end = threading.Timer(_WITHIN_S, _cut, [connection])
        end.daemon = True
        end.start()
        try:
            connection.request("POST", self._path, body=body, headers=self._headers)
            # The body of the response is not read, and redirects are not followed.
            status = connection.getresponse().status
        finally:
            end.cancel()
            connection.close()
        if not 200 <= status < 300:
            self._trouble(f"it answered {status}")

    def _trouble(self, problem: str) -> None:
        self._say(
            "sending", f"{self._name}: frametally dropped messages to it ({problem}); nothing else is lost"
        )


def _cut(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
