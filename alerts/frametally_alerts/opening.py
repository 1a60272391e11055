"""Opens the alert book by its URL's scheme; see `frametally.opening`."""

from __future__ import annotations

from frametally.opening import adapter
from frametally.settings.access import ServerAccess
from frametally_alerts.book import SqlAlertBook

_WORDS = (
    "FRAMETALLY_CATALOGUE_URL",
    "alert book",
    "sqlite:////absolute/file.sqlite or postgresql://host/database",
)


def open_alert_book(url: str, access: ServerAccess | None = None) -> SqlAlertBook:
    """Open the alert book in the catalogue's database, which `url` names.

    Its tables are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    book: SqlAlertBook = adapter("alert_book", url, _WORDS)(url, access=access)
    return book
