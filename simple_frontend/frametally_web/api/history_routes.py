"""The route of a number's history."""

from __future__ import annotations

from collections.abc import Callable

from frametally.books.history import MOST_FRAMES
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.books.reader import BooksReader
from frametally_web.charts.scope import check_names
from frametally_web.history import answers
from frametally_web.history.number_history import tell_history
from frametally_web.proof.picture_links import image_url
from frametally_web.requests.endpoints import Routes
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
)

HISTORY = Routes("Proof", by_source=True)
_FRAMES = page_limit(6, MOST_FRAMES, "Maximum number of added frames, and of removed frames, for each run")


class HistoryRoutes:
    """The handlers, over the ports and what is read in the background."""

    def __init__(self, settings: Settings, ports: DashboardPorts, books: BooksReader) -> None:
        """Make the handlers of one application."""
        self._settings = settings
        self._ports = ports
        self._books = books

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
        selection, frames = read_selection(args, self._settings), _FRAMES.read(args)
        check_names(self._ports.index, selection, lambda: self._books.media().sources())
        self._books.ensure_ledger()
        return tell_history(
            self._ports,
            selection,
            frames=frames,
            name_of=self._books.media().name,
            image_url=image_url,
        )
