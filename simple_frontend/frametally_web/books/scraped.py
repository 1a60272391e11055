"""`/metrics`: figures of this dashboard and of the processes that it starts, and the last-read books."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from frametally.actions.problems import Problem
from frametally.books.figures import BooksCollector, GrowingSums, LastReading
from frametally.errors import Retryable
from frametally.settings.loading import Settings
from frametally.telemetry.exposition import Scraped
from frametally_web.books.reader import BooksReader
from frametally_web.requests.native import NativeRoute

PATH = "/metrics"


class MetricsRoute:
    """Answers requests for metrics; one at a time, because each has the same answer."""

    def __init__(self, books: BooksReader, settings: Settings) -> None:
        """Show the books that `books` has read; a request triggers a reading, but only the first waits."""
        self._books = books
        collector = BooksCollector(self._read, GrowingSums(settings.data_dir))
        self._scraped = Scraped(settings.data_dir, [collector])
        self._turn = asyncio.Lock()

    def routes(self) -> list[NativeRoute]:
        """Return the route."""
        return [NativeRoute(PATH, ("GET",), self.answer)]

    async def answer(self, request: Request) -> Response:
        """Answer in the format of Prometheus, or of OpenMetrics if the client prefers it."""
        accept = request.headers.get("Accept", "")
        async with self._turn:
            figures = await asyncio.to_thread(self._scraped.answer, accept)
        headers = {"Content-Type": figures.content_type, "Cache-Control": "no-store"}
        return Response(figures.body, headers=headers)

    def _read(self) -> LastReading:
        try:
            return self._books.reading()
        except Problem as problem:  # the books are being read for the first time
            raise Retryable(problem.detail) from problem
