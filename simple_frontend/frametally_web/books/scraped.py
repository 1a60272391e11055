"""`/metrics`: figures of this dashboard and of the processes it starts, and the last-read books."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from frametally.books.figures import BooksCollector, GrowingSums, LastReading
from frametally.errors import Retryable
from frametally.settings.loading import Settings
from frametally.telemetry.exposition import Scraped
from frametally_web.books.reader import BooksReader
from frametally_web.requests.native import NativeRoute
from frametally_web.requests.problems import Problem

PATH = "/metrics"


class MetricsRoute:
    """Answers requests for metrics; one at a time, because each has the same answer."""

    def __init__(self, books: BooksReader, settings: Settings) -> None:
        """Show what `books` has read; a question makes it read on, and waits for it the first time alone."""
        self._books = books
        collector = BooksCollector(self._read, GrowingSums(settings.data_dir))
        self._scraped = Scraped(settings.data_dir, [collector])
        self._turn = asyncio.Lock()

    def routes(self) -> list[NativeRoute]:
        """Return its route."""
        return [NativeRoute(PATH, ("GET",), self.answer)]

    async def answer(self, request: Request) -> Response:
        """Answer in the form of Prometheus, or of OpenMetrics where that is preferred."""
        accept = request.headers.get("Accept", "")
        async with self._turn:
            figures = await asyncio.to_thread(self._scraped.answer, accept)
        headers = {"Content-Type": figures.content_type, "Cache-Control": "no-store"}
        return Response(figures.body, headers=headers)

    def _read(self) -> LastReading:
        try:
            return self._books.reading()
        except Problem as problem:  # they are being read for the first time
            raise Retryable(problem.detail) from problem
