"""How the count index's database is opened, locked and recognised, and what its failures mean.

SQLite: WAL, so that readers never wait; BEGIN IMMEDIATE, so that a writer waits for its turn at the start;
synchronous=NORMAL, as all that an index holds can be published again from the part files.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from frametally.adapters import sql_tables as tables
from frametally.errors import FrametallyError, Misconfigured, Retryable

BUSY_TIMEOUT_S = 30.0
_ANOTHER = "set FRAMETALLY_INDEX_URL to another file"


class IndexDatabase:
    """The database of one index: transactions for readers and writers, failures as frametally's errors."""

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open it, making the tables if they are missing.

        Args:
            url: `sqlite:////absolute/file.sqlite`, or any other URL that SQLAlchemy knows.
            busy_timeout_s: Seconds that SQLite waits for another process's lock.

        Raises:
            Misconfigured: Another program's database, one of another version, or one that cannot be opened.
            Retryable: It is locked or away for now.
        """
        self._name = url
        self._busy_timeout_s = busy_timeout_s
        self._engine = self._open_sqlite(url) if url.startswith("sqlite:") else self._open_server(url)
        try:
            self._prepare()
        except BaseException:
            self._engine.dispose()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that sees one state of the database, whatever is published meanwhile."""
        with self._translated(), self._engine.connect() as connection:
            if self._engine.dialect.name != "sqlite":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction of the only writer: committed at the end, rolled back if the block raises."""
        with self._translated(), self._engine.connect() as plain:
            connection = plain.execution_options(frametally_writes=True)
            with connection.begin():
                # PostgreSQL's way of letting one writer in; in SQLite BEGIN IMMEDIATE has done so.
                connection.execute(select(tables.about.c.next_number).with_for_update())
                yield connection

    def close(self) -> None:
        """Release connections."""
        self._engine.dispose()

    def _open_sqlite(self, url: str) -> Engine:
        path = Path(url.removeprefix("sqlite:///"))
        if not path.is_absolute() or "\0" in url:
            raise Misconfigured(
                f"FRAMETALLY_INDEX_URL={url!r}: no absolute path; use sqlite:////absolute/file.sqlite"
            )
        self._name = str(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        # Not from the text of the URL: a path may hold what has a meaning there.
        engine = create_engine(
            URL.create("sqlite", database=str(path)), connect_args={"timeout": self._busy_timeout_s}
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        return engine

    def _open_server(self, url: str) -> Engine:
        try:
            return create_engine(make_url(url), pool_pre_ping=True)
        except (ArgumentError, ImportError) as error:
            raise Misconfigured(f"FRAMETALLY_INDEX_URL: no database can be opened by it ({error})") from error

    def _prepare(self) -> None:
        is_sqlite = self._engine.dialect.name == "sqlite"
        with self._translated():
            if is_sqlite:
                self._check_kind()
                self._switch_to_wal()
            with self._engine.connect() as plain:
                connection = plain.execution_options(frametally_writes=True)
                found = inspect(connection).has_table(tables.about.name)
                connection.rollback()
                with connection.begin():
                    if not found:
                        tables.ALL.create_all(connection)
                        if connection.execute(select(tables.about)).first() is None:
                            first = {"schema_version": tables.SCHEMA_VERSION, "next_number": 1}
                            connection.execute(insert(tables.about).values(first))
                    version = connection.execute(select(tables.about.c.schema_version)).scalar_one()
        if version != tables.SCHEMA_VERSION:
            raise Misconfigured(
                f"count index {self._name} has layout {version}; this frametally knows "
                f"{tables.SCHEMA_VERSION}: use the version that made it, or {_ANOTHER} and index again"
            )

    def _check_kind(self) -> None:
        with self._engine.connect() as connection:
            names = inspect(connection).get_table_names()
        if names and tables.about.name not in names:
            raise Misconfigured(
                f"{self._name} is a SQLite file of another kind (it has a table {names[0]!r}), "
                f"not a count index; {_ANOTHER}"
            )

    def _switch_to_wal(self) -> None:
        # SQLite does not wait for its turn here, so the first openers of a new file would fail one another.
        deadline_s = time.monotonic() + self._busy_timeout_s
        connection = self._engine.raw_connection()
        try:
            while True:
                try:
                    connection.cursor().execute("PRAGMA journal_mode = WAL")
                    return
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                        raise self._failure(error) from error
                time.sleep(0.01)
        finally:
            connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise Retryable(f"count index {self._name}: too many queries at once; try again") from error
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                raise self._failure(error.orig) from error
            if isinstance(error, OperationalError | InterfaceError):
                raise Retryable(
                    f"count index {self._name}: {error.orig}; check the server and try again"
                ) from error
            raise

    def _failure(self, error: sqlite3.Error) -> FrametallyError:
        match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Retryable(
                    f"count index {self._name} was locked by another process for {self._busy_timeout_s:g} s; "
                    "try again, or stop the process that holds it"
                )
            case sqlite3.SQLITE_FULL:
                return Retryable(f"no room left for count index {self._name}: free some space on its disk")
            case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_PROTOCOL:
                return Retryable(f"count index {self._name}: {error}; check its disk and try again")
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                return self._unwritable(str(error))
            case _:
                return Misconfigured(
                    f"count index {self._name} is damaged or no SQLite file ({error}); move it away and run "
                    f"`frametally index`, or {_ANOTHER}"
                )

    def _unwritable(self, reason: str) -> Misconfigured:
        return Misconfigured(
            f"count index {self._name}: {reason}; give this user the right to write it and its folder, "
            "or set FRAMETALLY_INDEX_URL or FRAMETALLY_DATA_DIR to another place"
        )


def _configure(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says, not where pysqlite guesses
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("frametally_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
