"""Opens the live book, in the catalogue's database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from frametally.settings.loading import Settings

if TYPE_CHECKING:
    from frametally_live.book import LiveBook


def open_live_book(settings: Settings) -> LiveBook:
    """Open the live book; create its tables, and SQLite's file, if they are missing.

    Raises:
        Misconfigured: The database cannot be opened.
    """
    from frametally_live.book import LiveBook

    return LiveBook(settings.catalogue_url, settings.catalogue_access)


@contextmanager
def feeds_to_look(settings: Settings) -> Iterator[LiveBook]:
    """Open the live book if a feed has created it; close it at the end."""
    from frametally.openers.look_openers import database_to_look
    from frametally_live.book import LiveBook

    with database_to_look(settings, LiveBook, makes=("put_camera", "start_stream")) as book:
        yield book
