"""The page of a number's history."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from frametally.process.time_limit import time_limit
from frametally.rules.times import local_time
from frametally.settings.loading import Settings
from frametally_web.api.history_routes import HistoryRoutes
from frametally_web.books.reader import BooksReader
from frametally_web.pages import page
from frametally_web.requests.parameters import Args
from frametally_web.requests.query import LABEL, SOURCE, read_zone


def create_blueprint(
    settings: Settings, handlers: HistoryRoutes, books: BooksReader, add_timezone: Callable[[Args], None]
) -> Blueprint:
    """Return the route of the page; `add_timezone` gives a query the time zone that it leaves open."""
    pages = Blueprint("history", __name__)

    @pages.get("/history")
    def history() -> Response:
        args: Args = MultiDict(request.args)
        with time_limit(settings.web_query_timeout_s):
            add_timezone(args)
            history_answer = handlers.tell(args, _picture)
        zone = read_zone(args, settings).tzinfo

        def at(time_ms: int) -> str:
            return local_time(time_ms, zone).strftime("%Y-%m-%d %H:%M:%S")

        return page(
            "history.html",
            told=history_answer,
            asked={
                "labels": LABEL.read(args),
                "sources": [*map(books.media().name, SOURCE.read(args))],
            },
            at=at,
            name_of=books.media().name,
        )

    return pages


def _picture(path: str) -> str:
    return f"/api/v1/frames/image?path={quote(path, safe='')}"
