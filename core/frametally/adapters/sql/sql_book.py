"""The shared part of every book in a SQL database: opens its tables, tests them, and closes them."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import select

from frametally.adapters.sql import catalogue
from frametally.adapters.sql.engine import SqlDatabase
from frametally.adapters.sql.migration import Layout
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.settings.access import ServerAccess


class SqlBook:
    """A book in the SQLite file or the PostgreSQL database that a URL names; processes may share it.

    All methods may raise `Retryable` (the database is unavailable for now).
    """

    layout: ClassVar[Layout]

    def __init__(
        self, url: str, access: ServerAccess | None = None, *, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, creating missing tables; see `SqlDatabase`."""
        self.url = url
        self._database = SqlDatabase(url, self.layout, access=access, busy_timeout_s=busy_timeout_s)

    def check(self) -> None:
        """Read a row of every table. Raises `FrametallyError` if it does not answer, or is damaged."""
        self._database.close_connections()  # their connections' caches would hide damage
        if self.layout.declare is not None:
            self.layout.declare()
            self._database.prepare()
        with self._database.reading() as connection:
            for table in self.layout.tables.sorted_tables:
                connection.execute(select(table).limit(1)).first()

    def close(self) -> None:
        self._database.close()


class CatalogueBook(SqlBook):
    """What a capability keeps in the catalogue's database, next to what others keep there."""

    layout = catalogue.LAYOUT

    def version(self) -> str:
        """Return a text that changes whenever anything that a page shows changes."""
        with self._database.reading() as connection:
            return str(connection.execute(select(catalogue.about.c.changed)).scalar_one())
