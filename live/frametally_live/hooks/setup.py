"""What the live book needs of its database: tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from frametally.settings.loading import Settings
from frametally_live.opening import open_live_book


def setup(settings: Settings, _: Sequence[str], check_only: bool) -> Iterator[str]:
    """Make the tables in the catalogue's database, which says that it has them. Raises as a book does."""
    if not settings.catalogue_url.startswith("sqlite:"):
        open_live_book(settings).close()
    yield from ()
