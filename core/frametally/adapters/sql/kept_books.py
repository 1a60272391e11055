"""Reads and writes the rows of the catalogue's books that nothing else can restore: SQLite and PostgreSQL.

All books are in one database, so one transaction reads a consistent state of them, and one writes them.
Plug-ins name their books by the hook `tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import groupby, islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Table, column, delete, func, insert, select, table, update

from frametally.adapters.sql.clock import note_change
from frametally.adapters.sql.engine import SqlDatabase
from frametally.adapters.sql.migration import Layout
from frametally.backups import KeptRow, encode_backup, in_words
from frametally.errors import Misconfigured, Poison
from frametally.media.kept_data import KeptKind
from frametally.plugins import hooks
from frametally.settings.access import ServerAccess


class KeptTables(NamedTuple):
    """One book in the catalogue's database.

    Attributes:
        book: Its name in backups.
        tables: The tables that are saved, by what people call their rows.
        about_columns: The columns of its `about` that are saved as well.
        emptied: Other tables that a restore empties.
        has_others: Whether it has other rows, which stay and must not get the same number.
        unlocked: Allows the removal of rows that the database protects otherwise.
    """

    book: str
    layout: Layout
    tables: Mapping[str, Table]
    about_columns: tuple[str, ...] = ()
    emptied: tuple[Table, ...] = ()
    has_others: bool = False
    unlocked: Callable[[Connection], AbstractContextManager[None]] = lambda _: nullcontext()

    def as_place(self, name: str, text: str) -> KeptKind:
        """Return all its tables as a place of data, for the hook `data_places`; see `KeptKind`."""
        return KeptKind(name, place="catalogue", files=tuple(self.layout.tables.tables), text=text)


_AT_ONCE = 500


class KeptBooks:
    """The catalogue's books that cannot be rebuilt from the store: accounts, alerts, audit log, cameras."""

    def __init__(self, url: str, access: ServerAccess | None = None) -> None:
        """Open the database, creating missing tables and upgrading older ones; see `SqlDatabase`.

        Raises `DiskFull` if that needs space that the disk of a file does not have.
        """
        self.url = url
        books: list[KeptTables] = [book for books in hooks("tables") for book in books]
        self._books = sorted(books, key=lambda book: book.book)
        self._tables = {
            table.name: (words, table) for book in self._books for words, table in book.tables.items()
        }
        self._database = None
        for book in self._books:
            if self._database is not None:
                self._database.close()
            self._database = SqlDatabase(url, book.layout, access=access)
            self._database.check_kept()

    def layouts(self) -> dict[str, int]:
        """Return the layout of each book, by its name."""
        return {book.book: book.layout.schema_version for book in self._books}

    def row_counts(self) -> dict[str, int]:
        """Return the number of rows in the books, by their display names, without empty tables."""
        if self._database is None:
            return {}
        with self._database.reading() as connection:
            return self._count_rows(connection)

    def translate_counts(self, numbers: Mapping[str, int]) -> dict[str, int]:
        """Return numbers of rows by table in the form of `row_counts`."""
        return {words: numbers[name] for name, (words, _) in self._tables.items() if numbers.get(name)}

    @contextmanager
    def rows(self) -> Iterator[Iterator[KeptRow]]:
        """Hold a snapshot of all rows, without blocking writers."""
        if self._database is None:
            yield iter(())
            return
        with self._database.reading() as connection:
            yield self._rows(connection)

    def restore(self, rows: Iterable[KeptRow], *, replace: bool) -> None:
        """Replace all rows with `rows`, which have `layouts()`, in one transaction.

        Logins, password links and records of login attempts end.

        Raises:
            Misconfigured: The books are not empty, and `replace` is false.
            Poison: A row is of another layout.
        """
        if self._database is None:
            raise Misconfigured("no installed plug-in has data to back up")
        with self._database.writing() as connection:
            for book in self._books:  # writers to other books wait as well
                connection.execute(select(book.layout.about.c.schema_version).with_for_update()).scalar_one()
            row_counts = self._count_rows(connection)
            if row_counts and not replace:
                raise Misconfigured(
                    f"{self.url} is not empty ({in_words(row_counts)}): add --replace to delete all of it, "
                    "or set FRAMETALLY_CATALOGUE_URL to another catalogue"
                )
            self._empty(connection)
            self._write(connection, rows)
            for book in self._books:
                if "changed" in book.layout.about.c:
                    note_change(connection, book.layout.about)

    def backup(self, *, made_at_ms: int, key: str) -> bytes | None:
        """Return a backup of the current books, or None if they are empty.

        `key` is the secret that encrypts it, or empty for no encryption.
        """
        if not self.row_counts():
            return None
        with self.rows() as rows:
            return encode_backup(rows, self.layouts(), made_at_ms=made_at_ms, key=key)

    def close(self) -> None:
        if self._database is not None:
            self._database.close()

    def _count_rows(self, connection: Connection) -> dict[str, int]:
        numbers = {
            words: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for words, table in self._tables.values()
        }
        return {words: number for words, number in numbers.items() if number}

    def _rows(self, connection: Connection) -> Iterator[KeptRow]:
        for book in self._books:
            about = book.layout.about
            if book.about_columns:
                note = connection.execute(select(*(about.c[name] for name in book.about_columns))).one()
                yield KeptRow(str(about.name), _values(note))
            for stored_table in book.tables.values():
                every = (
                    select(stored_table)
                    .order_by(*stored_table.primary_key)
                    .execution_options(yield_per=_AT_ONCE)
                )
                for row in connection.execute(every):
                    yield KeptRow(str(stored_table.name), _values(row))

    def _empty(self, connection: Connection) -> None:
        """Remove all rows that a backup has."""
        for book in self._books:
            with book.unlocked(connection):
                for every in (*book.tables.values(), *book.emptied):
                    connection.execute(delete(every))

    def _write(self, connection: Connection, rows: Iterable[KeptRow]) -> None:
        by_about = {book.layout.about.name: book for book in self._books}
        for (name, columns), together in groupby(rows, key=lambda row: (row.table, tuple(row.values))):
            if name in by_about:
                for row in together:
                    _note(connection, by_about[name], dict(row.values))
                continue
            if name not in self._tables or {*columns} != {*self._tables[name][1].columns.keys()}:
                raise Poison(f"the backup has rows of {name[:100]!r} that do not match this version's layout")
            into = table(name, *map(column, columns))
            while batch := [row.values for row in islice(together, _AT_ONCE)]:
                connection.execute(insert(into), batch)


def _values(row: Row[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row._mapping.items()}  # SQLAlchemy has its own type for names


def _note(connection: Connection, book: KeptTables, values: dict[str, Any]) -> None:
    about = book.layout.about
    if book.has_others:
        before = connection.execute(select(about.c.next_number)).scalar_one()
        values["next_number"] = max(before, values["next_number"])
    connection.execute(update(about).values(**values))
