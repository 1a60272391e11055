"""`/api/events`: server-sent events, so that a page grows with the work and does not ask in vain.

A stream holds one thread of the server, so there are only so many, and each ends after a while: browsers
connect again by themselves. An event carries the whole state: whoever missed one has lost nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import msgspec
from flask import Response

from frametally.settings.loading import Settings
from frametally_web.books import status
from frametally_web.books.reader import BooksReader, Reading, Seen
from frametally_web.requests.problems import Problem

_HEARTBEAT_S = 5.0
_RECONNECT_MS = 2000
_OTHER_THREADS = 2


class Streams:
    """Gives out streams, as many as the setting allows."""

    def __init__(self, books: BooksReader, settings: Settings) -> None:
        """None is open yet."""
        self._books = books
        self._settings = settings
        # Some threads stay for everything else, whatever is set.
        self._most = min(settings.web_max_streams, settings.web_threads - _OTHER_THREADS)
        self._free = threading.Semaphore(max(0, self._most))

    def open(self) -> Response:
        """Open a stream.

        Raises:
            Problem: 503, if there are as many as are allowed.
        """
        if not self._free.acquire(blocking=False):
            raise Problem(
                503,
                f"{self._most} streams are open already "
                "(FRAMETALLY_WEB_MAX_STREAMS, FRAMETALLY_WEB_THREADS).",
                remedy="Ask /api/status from time to time instead.",
            )
        stream = _Stream(self._books, self._settings.web_stream_s, self._free)
        response = Response(stream, mimetype="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # a proxy must pass each event on at once
        return response


class _Stream:
    """One stream; the server closes it when the browser has gone, which gives its place free."""

    def __init__(self, books: BooksReader, seconds: float, place: threading.Semaphore) -> None:
        self._events = _events(books, seconds)
        self._place: threading.Semaphore | None = place

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.release()


def _events(books: BooksReader, seconds: float) -> Iterator[bytes]:
    ends_s = time.monotonic() + seconds
    told = Seen(None, None)
    yield f"retry: {_RECONNECT_MS}\n\n".encode()
    while time.monotonic() < ends_s and not books.is_closed:
        seen = books.watch(told, min(_HEARTBEAT_S, max(0.0, ends_s - time.monotonic())))
        chunks = []
        if seen.version is not None and seen.version != told.version:
            chunks.append(_event("index", {"version": seen.version}))
        if seen.reading is not None and _is_news(seen.reading, told.reading):
            chunks.append(_event("status", status.answer(seen.reading)))
        told = seen
        yield b"".join(chunks) or b": still here\n\n"


def _is_news(reading: Reading, told: Reading | None) -> bool:
    return told is None or reading.status != told.status


def _event(kind: str, data: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
