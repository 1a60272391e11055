"""The sources that cameras name."""

from __future__ import annotations

from frametally.naming.known import NamesPart
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_live.opening import feeds_to_look


def known_names(settings: Settings, _: ObjectStore | None) -> NamesPart:
    """Return how the sources of cameras are written. Raises as the database does."""
    with feeds_to_look(settings) as book:
        return NamesPart({feed.source: feed.name or feed.source for feed in book.feeds("camera")})
