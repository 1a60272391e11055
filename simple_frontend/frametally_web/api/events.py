"""`/api/events`: server-sent events, so that a page updates without polling.

One thread watches for all streams, which wait without threads, so hundreds are possible. Each ends after a
while, and browsers connect again. An event carries the whole state, so a missed message loses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from frametally.actions.endpoints import Routes
from frametally.actions.parameters import check_known
from frametally.actions.problems import Problem
from frametally_web.books.reader import BooksReader, Seen
from frametally_web.books.routes import answer_books
from frametally_web.translations.readers import request_language

EVENTS = Routes("Books", native=True)
_MOST_STREAMS = 200
"""One stream for each open page."""
_LONGEST_S = 300.0
"""Browsers then connect again."""
_HEARTBEAT_S = 2.0
_RECONNECT_MS = 2000
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy must pass on each event at once
}


class Streams:
    """Opens streams: at most `most` at once, each for `longest_s` at most."""

    def __init__(self, books: BooksReader) -> None:
        self._books = books
        self.most, self.longest_s = _MOST_STREAMS, _LONGEST_S
        self._seen = Seen(None, None)
        self._turn: asyncio.Future[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self.open = 0

    @EVENTS.route(
        "GET events",
        "Stream server-sent events: what changed.",
        operation="events",
        media_types=("text/event-stream",),
    )
    async def answer(self, request: Request) -> Response:
        """Open a stream; answer HEAD with headers only.

        Raises:
            Problem: 503 if the maximum of streams is open; 400 if the request has parameters.
        """
        check_known(request.query_params, [])
        if request.method == "HEAD":
            return Response(headers=_HEADERS, media_type="text/event-stream")
        if self.open >= self.most:
            raise Problem(
                503,
                f"{self.most} streams are already open, the maximum.",
                remedy="Poll /api/status instead.",
            )
        return _Stream(self, request_language(request))

    async def events(self, language: str) -> AsyncIterator[bytes]:
        """Yield the events of one reader's stream, until its time is over or the server stops."""
        ends_s = time.monotonic() + self.longest_s
        last_seen = Seen(None, None)
        yield f"retry: {_RECONNECT_MS}\n\n".encode()
        while time.monotonic() < ends_s and not self._books.is_closed:
            current = self._seen
            news = _news(current, last_seen, language)
            if not news:
                await self._next_turn(ends_s - time.monotonic())
                current = self._seen
                news = _news(current, last_seen, language)
            # A page that misses beats asks `/healthz` for the reason.
            beat = b"event: beat\ndata: {}\n\n" if self._books.index_answers else b": still here\n\n"
            yield b"".join([*news, beat])
            last_seen = current

    async def _next_turn(self, most_s: float) -> None:
        """Wait until the watching thread returns once more, for at most `most_s`."""
        if self._watching is None or self._watching.done():
            self._turn = asyncio.get_running_loop().create_future()
            self._watching = asyncio.create_task(self._watch())
        if self._turn is not None:
            await asyncio.wait([self._turn], timeout=max(0.0, most_s))

    async def _watch(self) -> None:
        while self.open and not self._books.is_closed:
            self._seen = await asyncio.to_thread(self._books.watch, self._seen, _HEARTBEAT_S)
            turn, self._turn = self._turn, asyncio.get_running_loop().create_future()
            if turn is not None:
                turn.set_result(None)
        self._seen = Seen(None, None)  # what it saw may be outdated when the next client comes
        if self._turn is not None:
            self._turn.set_result(None)


class _Stream(StreamingResponse):
    """One stream; its slot is freed as soon as the browser has gone."""

    def __init__(self, streams: Streams, language: str) -> None:
        super().__init__(streams.events(language), headers=_HEADERS, media_type="text/event-stream")
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.open += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.open -= 1


def _news(current: Seen, last_seen: Seen, language: str) -> list[bytes]:
    """Return the events for the changes since `last_seen`, in the reader's language."""
    events = []
    if current.version is not None and current.version != last_seen.version:
        events.append(_event("index", {"version": current.version}))
    for kind, version in current.others.items():
        if version != last_seen.others.get(kind):
            events.append(_event(kind, {"version": version}))
    reading, before = current.reading, last_seen.reading
    if reading is not None and (before is None or reading.status != before.status):
        events.append(_event("status", answer_books(reading, language)))
    return events


def _event(kind: str, data: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
