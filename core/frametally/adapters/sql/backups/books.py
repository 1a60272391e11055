"""Reads and writes the rows of the catalogue's books that nothing else can restore: SQLite and PostgreSQL.

All books lie in one database, so one transaction reads them as they stand at one moment, and one writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby, islice
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Row,
    Table,
    column,
    delete,
    func,
    insert,
    select,
    table,
    update,
)

from frametally.adapters.sql.clock import note_change
from frametally.adapters.sql.engine import SqlDatabase
from frametally.adapters.sql.migration import Layout
from frametally.backup_records import KeptRow, in_words
from frametally.errors import Misconfigured, Poison
from frametally.settings.access import ServerAccess
from frametally_accounts import book as accounts
from frametally_accounts import tables as access_tables
from frametally_accounts.audit import book as audit
from frametally_accounts.audit import tables as audit_tables
from frametally_alerts import book as alerts
from frametally_alerts import tables as alert_tables
from frametally_videos import tables as video_tables
from frametally_videos.sql import catalogue_book

_AT_ONCE = 500


class _Book(NamedTuple):
    """One book: its layout, its tables that are kept by what people call their rows, those that are emptied.

    Of `about` the columns `noted` are kept, too.
    """

    layout: Layout
    kept: Mapping[str, Table]
    noted: tuple[str, ...]
    emptied: tuple[Table, ...] = ()


_BOOKS = {
    "access": _Book(
        accounts.LAYOUT,
        {"accounts": access_tables.accounts, "tokens": access_tables.tokens},
        ("signing_key",),
        # A link that was used would open again, and a log-in that was ended.
        (access_tables.links, access_tables.sessions, access_tables.attempts),
    ),
    "alerts": _Book(
        alerts.LAYOUT,
        {
            "alert rules": alert_tables.rules,
            "scheduled reports": alert_tables.reports,
            "marks of rules": alert_tables.marks,
            "alerts": alert_tables.told,
            "messages": alert_tables.messages,
        },
        ("next_number",),
    ),
    "audit": _Book(audit.LAYOUT, {"audit records": audit_tables.records}, ("next_number", "head")),
    "videos": _Book(
        catalogue_book.LAYOUT,
        {
            "jobs": video_tables.jobs,
            "notices": video_tables.notices,
            "cameras and streams": video_tables.feeds,
        },
        ("next_number",),
    ),
}
_KEPT = {kept.name: (words, kept) for book in _BOOKS.values() for words, kept in book.kept.items()}
_ABOUT = {book.layout.about.name: book for book in _BOOKS.values()}


class SqlKeptBooks:
    """The books in the database that a URL names; see `KeptBooks`."""

    def __init__(self, url: str, *, access: ServerAccess | None = None) -> None:
        """Open the database, making tables that are missing and upgrading older ones; see `SqlDatabase`."""
        self.url = url
        for book in [*_BOOKS.values()][1:]:
            SqlDatabase(url, book.layout, access=access).close()
        self._database = SqlDatabase(url, _BOOKS["access"].layout, access=access)

    def layouts(self) -> dict[str, int]:
        """Return the layout of each book, by its name."""
        return {name: book.layout.schema_version for name, book in _BOOKS.items()}

    def held(self) -> dict[str, int]:
        """Return how many rows the books hold, by what people call them; without what there is none of."""
        with self._database.reading() as connection:
            return _held(connection)

    def named(self, numbers: Mapping[str, int]) -> dict[str, int]:
        """Return numbers of rows by table as `held` does."""
        return {words: numbers[name] for name, (words, _) in _KEPT.items() if numbers.get(name)}

    @contextmanager
    def rows(self) -> Iterator[Iterator[KeptRow]]:
        """Hold all rows as they stand at one moment; see `KeptBooks.rows`."""
        with self._database.reading() as connection:
            yield _rows(connection)

    def restore(self, rows: Iterable[KeptRow], *, replace: bool) -> None:
        """Write rows in one transaction; see `KeptBooks.restore`."""
        with self._database.writing() as connection:
            for book in _BOOKS.values():  # whoever writes to another book waits, too
                connection.execute(select(book.layout.about.c.schema_version).with_for_update()).scalar_one()
            held = _held(connection)
            if held and not replace:
                raise Misconfigured(
                    f"{self.url} is not empty ({in_words(held)}): give --replace to remove all of that, "
                    "or name another catalogue by FRAMETALLY_CATALOGUE_URL"
                )
            _empty(connection)
            _write(connection, rows)
            note_change(connection)

    def close(self) -> None:
        """Release connections."""
        self._database.close()


def _held(connection: Connection) -> dict[str, int]:
    numbers = {
        words: int(connection.execute(select(func.count()).select_from(kept)).scalar_one())
        for words, kept in _KEPT.values()
    }
    return {words: number for words, number in numbers.items() if number}


def _rows(connection: Connection) -> Iterator[KeptRow]:
    for book in _BOOKS.values():
        about = book.layout.about
        noted = connection.execute(select(*(about.c[name] for name in book.noted))).one()
        yield KeptRow(str(about.name), _values(noted))
        for kept in book.kept.values():
            every = select(kept).order_by(*kept.primary_key).execution_options(yield_per=_AT_ONCE)
            for row in connection.execute(every):
                yield KeptRow(str(kept.name), _values(row))


def _values(row: Row[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row._mapping.items()}  # names are SQLAlchemy's own texts


def _empty(connection: Connection) -> None:
    """Remove all rows, also of the audit log, which refuses that from everybody else."""
    on_sqlite = connection.dialect.name == "sqlite"
    triggers = f"ALTER TABLE {audit_tables.records.name} %s TRIGGER USER"
    connection.exec_driver_sql(
        "DROP TRIGGER IF EXISTS frametally_audit_no_delete" if on_sqlite else triggers % "DISABLE"
    )
    for book in _BOOKS.values():
        for every in (*book.kept.values(), *book.emptied):
            connection.execute(delete(every))
    connection.exec_driver_sql(audit_tables.APPEND_ONLY["sqlite"][-1] if on_sqlite else triggers % "ENABLE")


def _write(connection: Connection, rows: Iterable[KeptRow]) -> None:
    for (name, columns), together in groupby(rows, key=lambda row: (row.table, tuple(row.values))):
        if name in _ABOUT:
            for row in together:
                _note(connection, _ABOUT[name], dict(row.values))
            continue
        if name not in _KEPT or {*columns} != {*_KEPT[name][1].columns.keys()}:
            raise Poison(f"the backup has rows of {name[:100]!r} that are none of its layout")
        into = table(name, *map(column, columns))
        while batch := [row.values for row in islice(together, _AT_ONCE)]:
            connection.execute(insert(into), batch)


def _note(connection: Connection, book: _Book, values: dict[str, Any]) -> None:
    about = book.layout.about
    if about is video_tables.about:  # of the videos' rows, which stay, none may have a number twice
        before = connection.execute(select(about.c.next_number)).scalar_one()
        values["next_number"] = max(before, values["next_number"])
    connection.execute(update(about).values(**values))
