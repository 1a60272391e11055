"""How the database of an index or a ledger is opened, locked and recognised, and what its failures mean.

SQLite: WAL, so that readers never wait; BEGIN IMMEDIATE, so that a writer waits for its turn at the start;
synchronous=NORMAL, as all that they hold can be read again from the object store.

PostgreSQL: readers see one snapshot (REPEATABLE READ), writers come one after the other by a row's lock.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    event,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from frametally.adapters.sql import migration as sql_migration
from frametally.adapters.sql.server import SqlServer
from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.process.time_limit import seconds_left
from frametally.settings.access import ServerAccess

BUSY_TIMEOUT_S = 30.0


class Layout(NamedTuple):
    """What a database is for, and its tables.

    Attributes:
        what: What people call it.
        setting: The setting that names it.
        refill: How it is filled again after it was lost.
        tables: All of them, with `about` among them.
        about: The table of one row, `schema_version` and `next_number`, by which a database is recognised.
        schema_version: Of these tables.
        migrations: Folder of the revisions that lead to it.
    """

    what: str
    setting: str
    refill: str
    tables: MetaData
    about: Table
    schema_version: int
    migrations: str


class SqlDatabase:
    """One database: transactions for readers and writers, failures as frametally's errors."""

    def __init__(
        self,
        url: str,
        layout: Layout,
        *,
        access: ServerAccess | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        """Open it, making the tables if they are missing and upgrading those of an older frametally.

        Args:
            url: `sqlite:////absolute/file.sqlite` or `postgresql://host/database`.
            layout: Its tables.
            access: How to log in to a server.
            busy_timeout_s: Seconds that SQLite waits for another process's lock.

        Raises:
            Misconfigured: Another program's database, one of a newer version, or one that cannot be opened.
            Retryable: It is locked or away for now.
        """
        self._name = url
        self._layout = layout
        self._what = layout.what
        self._another = f"set {layout.setting} to another file"
        self._server: SqlServer | None = None
        self._busy_timeout_s = busy_timeout_s
        self._path: Path | None = None  # of SQLite's file
        self._opened_file: tuple[int, int] | None = None
        self._opened_wal: tuple[int, int] | None = None
        self._reopening = threading.Lock()
        if url.startswith("sqlite:"):
            self._engine = self._open_sqlite(url)
        else:
            self._server = SqlServer(url, access, what=layout.what, setting=layout.setting)
            self._name = self._server.name
            self._another = f"set {layout.setting} to another database"
            self._engine = self._server.open()
        try:
            self._prepare()
        except BaseException:
            self._engine.dispose()
            raise
        self._keep_identity()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that sees one state of the database, whatever is published meanwhile."""
        self._follow_file()
        with self._translated(), self._engine.connect() as connection:
            if self._server is not None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction of the only writer: committed at the end, rolled back if the block raises."""
        self._follow_file()
        with self._translated(), self._engine.connect() as plain:
            connection = plain.execution_options(frametally_writes=True)
            with connection.begin():
                if self._server is not None:
                    self._server.bound_waiting(connection)
                # PostgreSQL's way of letting one writer in; in SQLite BEGIN IMMEDIATE has done so.
                about = select(self._layout.about.c.schema_version).with_for_update()
                found = connection.execute(about).scalar()
                if found != self._layout.schema_version:
                    raise Misconfigured(
                        f"{self._what} {self._name} was changed to layout {found} by another frametally "
                        "while this one was at work: restart this one, with the same version"
                    )
                yield connection

    def close(self) -> None:
        """Release connections."""
        self._engine.dispose()

    def _open_sqlite(self, url: str) -> Engine:
        path = Path(url.removeprefix("sqlite:///"))
        if not path.is_absolute() or "\0" in url:
            raise Misconfigured(
                f"{self._layout.setting}={url!r}: no absolute path; use sqlite:////absolute/file.sqlite"
            )
        self._name = str(path)
        self._path = path
        self._make_folder(path)
        # Not from the text of the URL: a path may hold what has a meaning there.
        engine = create_engine(
            URL.create("sqlite", database=str(path)), connect_args={"timeout": self._busy_timeout_s}
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        return engine

    def _make_folder(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error

    def _follow_file(self) -> None:
        """Open SQLite's file anew if another, or none, stands in its place: the pool holds the old one."""
        if self._path is None or self._file_now() == self._opened_file:
            return
        with self._reopening:
            if self._file_now() == self._opened_file:
                return  # another thread has done it
            left_behind = self._opened_wal is not None and self._file_now("-wal") == self._opened_wal
            self._opened_wal = None  # once closed, its number can become another file's
            self._engine.dispose()
            if left_behind:  # SQLite would take the log of the old file for the new one's
                for suffix in ("-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._make_folder(self._path)
            self._prepare()
            self._keep_identity()

    def _keep_identity(self) -> None:
        self._opened_file, self._opened_wal = self._file_now(), self._file_now("-wal")

    def _file_now(self, suffix: str = "") -> tuple[int, int] | None:
        """Identity of SQLite's file or of that beside it; None if there is none."""
        if self._path is None:
            return None
        try:
            found = self._path.with_name(self._path.name + suffix).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        return found.st_dev, found.st_ino

    def _prepare(self) -> None:
        layout = self._layout
        with self._translated():
            if self._server is None:
                self._check_kind()
                self._switch_to_wal()
            with self._engine.connect() as plain:
                # Most openings find all as it should be, and so need not wait for a writer.
                found = sql_migration.layout_of(plain, layout.about)
                plain.rollback()
                if found == layout.schema_version:
                    return
                connection = plain.execution_options(frametally_writes=True)
                try:
                    with connection.begin():
                        if self._server is not None:
                            self._server.lock_layout(connection)
                        sql_migration.bring_up(
                            connection,
                            tables=layout.tables,
                            about=layout.about,
                            head=layout.schema_version,
                            folder=layout.migrations,
                        )
                except sql_migration.NewerLayout as error:
                    raise Misconfigured(
                        f"{self._what} {self._name} has layout {error.found}; this frametally knows "
                        f"{layout.schema_version}: use the version that made it, or {self._another} and run "
                        f"`{layout.refill}`"
                    ) from error

    def _check_kind(self) -> None:
        with self._engine.connect() as connection:
            names = inspect(connection).get_table_names()
        if names and self._layout.about.name not in names:
            raise Misconfigured(
                f"{self._name} is a SQLite file of another kind (it has a table {names[0]!r}), "
                f"not a {self._what}; {self._another}"
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
            raise Retryable(f"{self._what} {self._name}: too many queries at once; try again") from error
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                failure = self._failure(error.orig)
                if isinstance(failure, Misconfigured):
                    self._opened_wal = None
                    self._engine.dispose()  # what its connections have cached would hide it from the next
                raise failure from error
            if self._server is not None and (refusal := self._server.failure(error)) is not None:
                raise refusal from error
            raise

    def _failure(self, error: sqlite3.Error) -> FrametallyError:
        match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Retryable(
                    f"{self._what} {self._name} was locked by another process for "
                    f"{self._busy_timeout_s:g} s; try again, or stop the process that holds it"
                )
            case sqlite3.SQLITE_FULL:
                return Retryable(f"no room left for {self._what} {self._name}: free some space on its disk")
            case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_PROTOCOL:
                return Retryable(f"{self._what} {self._name}: {error}; check its disk and try again")
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                return self._unwritable(str(error))
            case _:
                return Misconfigured(
                    f"{self._what} {self._name} is damaged or no SQLite file ({error}); move it away and run "
                    f"`{self._layout.refill}`, or {self._another}"
                )

    def _unwritable(self, reason: str) -> Misconfigured:
        return Misconfigured(
            f"{self._what} {self._name}: {reason}; give this user the right to write it and its folder, "
            f"or set {self._layout.setting} or FRAMETALLY_DATA_DIR to another place"
        )


@contextmanager
def patient(connection: Any, left_s: float | None) -> Iterator[None]:
    """SQLite's `connection` waits for others' locks for `left_s` at most; None: as it did."""
    (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    if left_s is not None:
        connection.execute(f"PRAGMA busy_timeout = {min(max(1, int(left_s * 1000)), patience_ms)}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience_ms}")


def _configure(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says, not where pysqlite guesses
    with patient(connection, seconds_left()):
        connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("frametally_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
