"""Reads and writes the rows of the catalogue that nothing else can restore: SQLite and PostgreSQL.

All are in one database, so one transaction reads a consistent state of them, and one writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import groupby, islice
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Row, Table, column, delete, func, insert, select, table, update

from frametally.adapters.sql import catalogue
from frametally.adapters.sql.sql_book import CatalogueBook
from frametally.backups import KeptRow, encode_backup, in_words
from frametally.errors import Misconfigured, Poison
from frametally.media.kept_data import KeptKind
from frametally.settings.access import ServerAccess

_AT_ONCE = 500
_FORMER_NAMES = {
    "frametally_access": "frametally_signing_keys",
    "frametally_accuracy": catalogue.about.name,
    "frametally_alerts": catalogue.about.name,
    "frametally_audit": "frametally_audit_ends",
}
"""Where the rows of version tables in a backup of 0.4.0 are now."""


def place_of(name: str, tables: ModuleType, text: str) -> KeptKind:
    """Return the tables of a module as a place of data, for the hook `data_places`; see `KeptKind`."""
    names = tuple(value.name for value in vars(tables).values() if isinstance(value, Table))
    return KeptKind(name, place="catalogue", files=names, text=text)


class KeptBooks(CatalogueBook):
    """What the store cannot rebuild: accounts, alerts, the audit log, cameras, jobs, accuracy checks."""

    def __init__(self, url: str, access: ServerAccess | None = None) -> None:
        """Open the database, creating missing tables and upgrading older ones; see `SqlDatabase`.

        Raises `DiskFull` if that needs space that the disk of a file does not have.
        """
        tables = catalogue.all_tables().sorted_tables
        self._tables = {str(table.name): table for table in tables if "kept" in table.info}
        self._emptied = [*self._tables.values(), *(table for table in tables if "emptied" in table.info)]
        super().__init__(url, access)
        self._database.check_kept()

    def row_counts(self) -> dict[str, int]:
        """Return the number of rows in the books, by their display names, without empty tables."""
        with self._database.reading() as connection:
            return self._count_rows(connection)

    def translate_counts(self, numbers: Mapping[str, int]) -> dict[str, int]:
        """Return numbers of rows by table in the form of `row_counts`."""
        return {
            words: numbers[name]
            for name, stored in self._tables.items()
            if (words := stored.info["kept"]) and numbers.get(name)
        }

    @contextmanager
    def rows(self) -> Iterator[Iterator[KeptRow]]:
        """Hold a snapshot of all rows, without blocking writers."""
        with self._database.reading() as connection:
            yield self._rows(connection)

    def restore(self, rows: Iterable[KeptRow], *, replace: bool) -> None:
        """Replace all rows with `rows` of this layout or of 0.4.0, in one transaction.

        Logins, password links and records of login attempts end.

        Raises:
            Misconfigured: The books are not empty, and `replace` is false.
            Poison: A row is of another layout.
        """
        with self._database.writing() as connection:
            row_counts = self._count_rows(connection)
            if row_counts and not replace:
                raise Misconfigured(
                    f"{self.url} is not empty ({in_words(row_counts)}): add --replace to delete all of it, "
                    "or set FRAMETALLY_CATALOGUE_URL to another catalogue"
                )
            for every in self._emptied:
                with every.info.get("unlocked", nullcontext)(connection):
                    connection.execute(delete(every))
            self._write(connection, rows)
            catalogue.note_change(connection)

    def backup(self, *, made_at_ms: int, key: str) -> bytes | None:
        """Return a backup of the current books, or None if they are empty.

        `key` is the secret that encrypts it, or empty for no encryption.
        """
        if not self.row_counts():
            return None
        with self.rows() as rows:
            return encode_backup(rows, self.layout.schema_version, made_at_ms=made_at_ms, key=key)

    def _count_rows(self, connection: Connection) -> dict[str, int]:
        numbers = {
            name: int(connection.execute(select(func.count()).select_from(stored)).scalar_one())
            for name, stored in self._tables.items()
        }
        return self.translate_counts(numbers)

    def _rows(self, connection: Connection) -> Iterator[KeptRow]:
        about = connection.execute(select(catalogue.about.c.next_number)).one()
        yield KeptRow(str(catalogue.about.name), _values(about))
        for name, stored in self._tables.items():
            every = select(stored).order_by(*stored.primary_key).execution_options(yield_per=_AT_ONCE)
            for row in connection.execute(every):
                yield KeptRow(name, _values(row))

    def _write(self, connection: Connection, rows: Iterable[KeptRow]) -> None:
        for (former, columns), together in groupby(rows, key=lambda row: (row.table, tuple(row.values))):
            name = _FORMER_NAMES.get(former, former)
            if name == catalogue.about.name and columns == ("next_number",):
                for row in together:
                    _continue_at(connection, row.values["next_number"])
                continue
            if name not in self._tables or {*columns} != {*self._tables[name].columns.keys()}:
                raise Poison(
                    f"the backup has rows of {former[:100]!r} that do not match this version's layout: "
                    "restore it with the version that created it"
                )
            into = table(name, *map(column, columns))
            while batch := [row.values for row in islice(together, _AT_ONCE)]:
                connection.execute(insert(into), batch)


def _values(row: Row[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row._mapping.items()}  # SQLAlchemy has its own type for names


def _continue_at(connection: Connection, number: Any) -> None:
    """Give no number below `number` from here on; videos keep theirs."""
    next_number = catalogue.about.c.next_number
    connection.execute(update(catalogue.about).where(next_number < number).values(next_number=number))
