"""The route of a number's history, and its page."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from frametally.books.history import MOST_FRAMES
from frametally.process.time_limit import time_limit
from frametally.rules.times import local_time
from frametally_web.charts.scope import check_names
from frametally_web.history import answers
from frametally_web.history.number_history import tell_history
from frametally_web.pages import page
from frametally_web.proof.picture_links import image_url
from frametally_web.requests.endpoints import Routes
from frametally_web.requests.handlers import Handlers
from frametally_web.requests.parameters import Args, page_limit
from frametally_web.requests.query import (
    BASE,
    FROM,
    LABEL,
    MODEL,
    SOURCE,
    TIMEZONE,
    TO,
    read_selection,
    read_zone,
)

HISTORY = Routes("Proof", by_source=True)
_FRAMES = page_limit(6, MOST_FRAMES, "Maximum number of added frames, and of removed frames, for each run")


class HistoryRoutes(Handlers):
    """The handlers, over the ports and what is read in the background."""

    @HISTORY.route(
        "GET history",
        "Show why a number changed: the runs that counted its days, with the frames added or removed.",
        LABEL,
        SOURCE,
        FROM,
        TO,
        MODEL,
        TIMEZONE,
        BASE,
        _FRAMES,
    )
    def history(self, args: Args) -> answers.NumberHistory:
        """Return the history of a number."""
        return self.tell(args, image_url)

    def tell(self, args: Args, image_url: Callable[[str], str]) -> answers.NumberHistory:
        """Return it with frames at the addresses that `image_url` gives."""
        selection, frames = read_selection(args, self.settings), _FRAMES.read(args)
        check_names(self.ports.index, selection, lambda: self.books.media().sources())
        self.books.ensure_ledger()
        return tell_history(
            self.ports,
            selection,
            frames=frames,
            name_of=self.books.media().name,
            image_url=image_url,
        )


def create_blueprint(handlers: HistoryRoutes, add_timezone: Callable[[Args], None]) -> Blueprint:
    """Return the route of the page; `add_timezone` gives a query the time zone that it leaves open."""
    pages = Blueprint("history", __name__)

    @pages.get("/history")
    def history() -> Response:
        args: Args = MultiDict(request.args)
        with time_limit(handlers.settings.web_query_timeout_s):
            add_timezone(args)
            history_answer = handlers.tell(args, _picture)
        zone = read_zone(args, handlers.settings).tzinfo

        def at(time_ms: int) -> str:
            return local_time(time_ms, zone).strftime("%Y-%m-%d %H:%M:%S")

        name_of = handlers.books.media().name
        asked = {"labels": LABEL.read(args), "sources": [*map(name_of, SOURCE.read(args))]}
        return page("history.html", told=history_answer, asked=asked, at=at, name_of=name_of)

    return pages


def _picture(path: str) -> str:
    return f"/api/v1/frames/image?path={quote(path, safe='')}"
