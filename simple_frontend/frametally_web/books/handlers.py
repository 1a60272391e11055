"""The handlers' shared state: the ports, and data read in the background."""

from __future__ import annotations

from dataclasses import dataclass

from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.books.reader import BooksReader


@dataclass(frozen=True)
class Handlers:
    """The handlers of one application, over its ports and the data read in the background."""

    settings: Settings
    ports: DashboardPorts
    books: BooksReader
