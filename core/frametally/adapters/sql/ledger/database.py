"""Opens a ledger's database, and runs statements in it, each group within one transaction.

SQLite's file is read and written by Python's own module: importing SQLAlchemy takes longer than planning does
when nothing is new. SQLAlchemy creates and upgrades the tables, and connects to PostgreSQL. Statements are
the same text for both databases, with `?` for each value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from frametally.errors import Damaged, DiskFull, Misconfigured, RowDamaged
from frametally.files.sqlite import SqliteOpener, sqlite_path
from frametally.settings.access import ServerAccess

if TYPE_CHECKING:
    from sqlalchemy import Connection as ServerConnection

    from frametally.adapters.sql.engine import SqlDatabase
    from frametally.adapters.sql.migration import Layout

PART, SETTING, REFILL = "ledger", "FRAMETALLY_LEDGER_URL", "frametally ledger rebuild"
SCHEMA_VERSION = 10
DIGESTS = 2**62
NUMBER_OF_NAME = "(SELECT number FROM frametally_ledger_names WHERE name = ?)"
MOST_IN = 500  # values in one IN (...): SQLite allows 32,766, others fewer

_SEGMENT = "number key model size_bytes version put_at_ms problem"
_HEADER = "log_id topic partition first_offset next_offset frames dead_letters is_read"
_LINES = "first_ms last_ms first_byte next_byte crc32 pictures_crc32 digest_0 digest_1"
COLUMNS = {
    "objects": ["key", "kind", "model", "size_bytes", "version", "put_at_ms", "record", "problem"],
    "segments": f"{_SEGMENT} {_HEADER}".split(),
    "hours": f"model source hour segment is_own {_LINES}".split(),
    "hour_sums": ["model", "source", "hour", "segments", "own", "digest_0", "digest_1"],
    "stretches": [
        "first_key",
        "model",
        "last_key",
        "first_offset",
        "next_offset",
        "frames",
        "dead_letters",
        "crc32",
    ],
    "listing": ["listed_at_ms"],
    "frames": ["model", "source", "media", "captured_at_ms", "frame", "dead"],
    "tallies": ["model", "day", "source", "media", "detected", "dead_lettered"],
    "dead_letters": ["segment", "at_offset", "model", "source", "media", "captured_at_ms", "frame", "cause"],
    "run_frames": ["key", "source", "frames"],
    "names": ["name", "number"],
}
"""The columns of each table, in the order of `insert_rows`; `tables` describes them."""

_ValueT = TypeVar("_ValueT")


class LedgerConnection(Protocol):
    """A transaction's connection: SQLite's own, or one to PostgreSQL that takes the same statements."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Any:
        """Run a statement; return a cursor over its rows."""

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Any:
        """Run a statement for each row of values."""


class _Server:
    """A transaction in PostgreSQL."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        return self._connection.exec_driver_sql(_for_server(sql), tuple(values))

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Any:
        return self._connection.exec_driver_sql(_for_server(sql), [tuple(row) for row in rows])


def _for_server(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def ledger_layout() -> Layout:
    """Return the layout of the ledger's tables."""
    from frametally.adapters.sql.ledger import tables
    from frametally.adapters.sql.migration import MIGRATIONS, Layout

    return Layout(
        part=PART,
        setting=SETTING,
        refill=REFILL,
        about=tables.about,
        schema_version=SCHEMA_VERSION,
        migrations=MIGRATIONS / "ledger",
    )


class LedgerDatabase:
    """The database of a URL: transactions for readers and writers, failures as frametally's errors."""

    def __init__(self, url: str, access: ServerAccess | None, busy_timeout_s: float) -> None:
        """Open the database, creating missing tables and upgrading older ones; see `SqlDatabase`."""
        self._url, self._access, self._busy_timeout_s = url, access, busy_timeout_s
        self._server: SqlDatabase | None = None
        self._file: SqliteOpener | None = None
        if url.startswith("sqlite:"):
            self._file = SqliteOpener(
                sqlite_path(url, SETTING),
                part=PART,
                setting=SETTING,
                refill=REFILL,
                busy_timeout_s=busy_timeout_s,
            )
            self._prepare_file(self._file)
        else:
            self._server = self._open()

    def close(self) -> None:
        """Release the connections to a server, and remove the copy of a file."""
        if self._server is not None:
            self._server.close()
        if self._file is not None:
            self._file.use_file()

    @contextmanager
    def reading(self) -> Iterator[LedgerConnection]:
        """Hold a transaction that sees one state of the database, whatever is written meanwhile."""
        if self._file is not None:
            with self._transaction(self._file, "BEGIN") as connection:
                yield connection
        elif self._server is not None:
            with self._server.reading() as of_server:
                yield _Server(of_server)

    @contextmanager
    def writing(self, *, must_stay: bool = False) -> Iterator[LedgerConnection]:
        """Hold the only writer's transaction: committed at the end, rolled back if the block raises.

        Raises `DiskFull` if what is written `must_stay`, and the disk is full.
        """
        if self._file is not None:
            self._follow_space(self._file)
            if must_stay:
                self._file.check_kept()
            with self._transaction(self._file, "BEGIN IMMEDIATE") as connection:
                (layout,) = connection.execute("SELECT schema_version FROM frametally_ledger").fetchone()
                if layout != SCHEMA_VERSION:
                    raise Misconfigured(
                        f"another version of frametally changed {PART} {self._file.path} to layout {layout} "
                        "while this one was running: restart this one with that version"
                    )
                yield connection
        elif self._server is not None:
            with self._server.writing() as of_server:
                yield _Server(of_server)

    def use_copy(self) -> None:
        """Work on a copy of the file while its disk is full. Raises `DiskFull` if it has no room either."""
        if self._file is not None:
            with self._file.translated():
                self._file.use_copy()
            self._prepare_file(self._file)

    def _open(self) -> SqlDatabase:
        from frametally.adapters.sql.engine import SqlDatabase

        url = self._url if self._file is None else f"sqlite:///{self._file.place}"
        return SqlDatabase(url, ledger_layout(), access=self._access, busy_timeout_s=self._busy_timeout_s)

    def _prepare_file(self, file: SqliteOpener) -> None:
        file.prepare_folder()
        if not _is_ready(file):
            try:
                with closing(self._open()) as database:  # creates or upgrades it, or says what is wrong
                    database.check_kept()
            except DiskFull:
                if file.is_copy:
                    raise
                self.use_copy()
        self._opened = _identity_of(file)

    def _follow_space(self, file: SqliteOpener) -> None:
        if file.has_space_again():
            file.use_file()
            self._prepare_file(file)

    @contextmanager
    def _transaction(self, file: SqliteOpener, begin: str) -> Iterator[sqlite3.Connection]:
        """Hold a transaction in its own connection, so that a replaced file is noticed."""
        self._follow_space(file)
        if _identity_of(file) != self._opened:
            self._prepare_file(file)
        try:
            with file.translated(), closing(file.connect()) as connection:
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")  # unless reached, closing the connection rolls back
        except RowDamaged as error:
            raise Damaged(f"{PART} {file.path} is damaged ({error})", f"run `{REFILL}`") from error


def _identity_of(file: SqliteOpener) -> tuple[int, int] | None:
    try:
        status = file.path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file.unwritable(error.strerror or str(error)) from error
    return status.st_dev, status.st_ino


def _is_ready(file: SqliteOpener) -> bool:
    """Return whether a file has the tables of this version, in the journal mode that we use."""
    if not file.place.is_file():
        return False
    try:
        with closing(file.connect()) as connection:
            mode = connection.execute("PRAGMA journal_mode").fetchone()
            version = connection.execute("SELECT schema_version FROM frametally_ledger").fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return False
    return (mode, version) == (("wal",), (SCHEMA_VERSION,))


def insert_rows(connection: LedgerConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows with all columns of a table, in the order of `COLUMNS`."""
    if rows:
        names = ", ".join(f'"{name}"' for name in COLUMNS[table])
        values = marks(len(COLUMNS[table]))
        connection.executemany(f"INSERT INTO frametally_ledger_{table} ({names}) VALUES ({values})", rows)  # noqa: S608


def marks(count: int) -> str:
    """Return `count` placeholders for values."""
    return ", ".join("?" * count)


def by(size: int, values: Sequence[_ValueT]) -> Iterable[Sequence[_ValueT]]:
    """Split values into batches of at most `size`."""
    return (values[start : start + size] for start in range(0, len(values), size))


def execute_in(
    connection: LedgerConnection, sql: str, values: Sequence[Any], before: Sequence[Any] = ()
) -> list[Any]:
    """Run a statement that ends with `IN `, for each batch of values; return the rows of all.

    `before` has the values of the statement's own placeholders.
    """
    rows: list[Any] = []
    for batch in by(MOST_IN, values):
        cursor = connection.execute(f"{sql}({marks(len(batch))})", [*before, *batch])
        if sql.lstrip().startswith("SELECT"):
            rows += cursor.fetchall()
    return rows
