"""Opens the live book, in the catalogue's database, and finds feeds that need attention."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from frametally.books.verdict import Need
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

_DEAD_AFTER_MS = 30_000  # a camera that answers again sooner needs no attention


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


def needs(settings: Settings, _: ObjectStore) -> list[Need]:
    """Return cameras that have failed or do not answer. Raises as the database does."""
    silent_ms = time.time() * 1000 - _DEAD_AFTER_MS
    with feeds_to_look(settings) as book:
        return [
            Need("camera", 1, f"{feed.name}: {feed.reason}", f"/live?camera={feed.source}", feed.name)
            for feed in book.feeds("camera")
            if feed.told.state == "failed"
            or (feed.wanted == "run" and (feed.told.away_since_ms or silent_ms) < silent_ms)
        ]
