"""What a host gives to the handlers of actions: the settings, the ports, the books, and what they share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from frametally.actions.endpoints import Endpoint, Route
from frametally.actions.parameters import Args
from frametally.settings.loading import Settings

if TYPE_CHECKING:  # a command that needs none of them starts without them
    from frametally_web.access.seen_index import DashboardPorts
    from frametally_web.books.reader import BooksReader
    from frametally_web.charts.answers import Counts
    from frametally_web.charts.question import Question
    from frametally_web.requests.query import ChartQuery

SharedT = TypeVar("SharedT")


@dataclass(frozen=True, kw_only=True)
class ActionContext:
    """One application, or one command, as seen by the handlers of its actions.

    Attributes:
        settings: The settings of this process.
        ports: The readable ports, limited to the sources that the visitor may see.
        whole: The ports of all sources.
        books: The contents of the store and the log, read in the background.
        counts: Returns a chart's counts for the parameters of `/api/v1/counts`.
        remedy: What to do if nothing may be changed here; None if it may.
        parts: What plug-ins open for it, by name; see `Plugin.serving`.
    """

    settings: Settings
    ports: DashboardPorts
    whole: DashboardPorts
    books: BooksReader
    counts: Callable[[Args], Counts]
    remedy: str | None
    parts: Mapping[str, Any]
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _shared: dict[object, Any] = field(default_factory=dict)

    def shared(self, make: Callable[[Any], SharedT]) -> SharedT:
        """Return what `make` makes of this context: once, and closed with it if it has `close`."""
        with self._lock:
            if make not in self._shared:
                self._shared[make] = make(self)
            return cast(SharedT, self._shared[make])

    def ask(self, query: ChartQuery, *, by_second: bool = False) -> Question:
        """Return the question of a query, about what the visitor may see; with the seconds of short ranges.

        Raises:
            Problem: 400 if it names something that does not exist; see `question.resolve`.
        """
        from frametally_web.charts import question  # slow to import

        ensure_ledger = self.books.ensure_ledger if by_second else None
        return question.ask(self.ports, self.settings, self.books.media(), query, ensure_ledger)

    def route(self, endpoint: Endpoint) -> Route:
        """Return an action, bound to its class of handlers over this context."""
        return Route(endpoint, endpoint.handler.__get__(self.shared(endpoint.holder)))

    def close(self) -> None:
        """Close what it shares, the newest first."""
        with self._lock:
            while self._shared:
                close = getattr(self._shared.popitem()[1], "close", None)
                if close is not None:
                    close()


class Handlers:
    """Handlers over the ports and the data read in the background."""

    def __init__(self, context: ActionContext) -> None:
        """Take the settings, the ports that the visitor may see, and the books from the context."""
        self.context = context
        self.settings, self.ports, self.books = context.settings, context.ports, context.books
