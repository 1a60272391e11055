"""Opens, locks and recognises the database of an index or a ledger, and explains its failures.

SQLite: WAL, so that readers never wait; BEGIN IMMEDIATE, so that a writer waits for its turn at the start;
synchronous=FULL for what people made (`Layout.is_kept`), so that commits survive power loss; NORMAL for
what can be read again from the object store.

PostgreSQL: readers see one snapshot (REPEATABLE READ), and a row's lock admits one writer at a time.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from frametally.adapters.sql import migration as sql_migration
from frametally.adapters.sql.migration import Layout
from frametally.errors import (
    FIRST_LAYOUT,
    Damaged,
    DiskFull,
    FrametallyError,
    Misconfigured,
    Poison,
    Retryable,
    RowDamaged,
    TooOld,
    unknown_host,
)
from frametally.files.sqlite import BUSY_TIMEOUT_S, ReadingConnection, SqliteOpener, not_utf8, sqlite_path
from frametally.process.time_limit import TookTooLong, patient, seconds_left
from frametally.settings.access import ServerAccess

_CONNECT_TIMEOUT_S = 10
_LOCK_TIMEOUT_S = 60
_SECRETS_IN_QUERY = ("password", "passfile", "sslpassword")
_CONNECT_ARGUMENTS = {
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "application_name": "frametally",
    # Otherwise a database without an encoding (SQL_ASCII) would answer in bytes.
    "client_encoding": "utf8",
    # Notice a vanished server within a minute, not after the system's two hours.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# Messages of libpq when a connection fails: it gives no code, only the server's words.
_REFUSED_BY_NAME = (
    ("no password supplied", "set {user} and {password}"),
    ("password authentication failed", "correct {user} and {password}"),
    ("no pg_hba.conf entry", "allow this user to connect from here in the server's pg_hba.conf"),
    ("is not permitted to log in", "correct {user}, or give the role the attribute LOGIN"),
    ("permission denied for database", "give this user the permission CONNECT"),
    ("certificate verify failed", "correct {ca_file}, or the server's certificate"),
    ("server certificate for", "use the name in the server's certificate in {url}"),
    ("root certificate file", "correct {ca_file}"),
    ("could not read root certificate", "correct {ca_file}"),
    ("does not support SSL", "turn on TLS on the server, or leave out {ca_file}"),
)
_UNKNOWN_HOST = ("Name or service not known", "nodename nor servname", "No address associated with hostname")
_NO_SUCH_THING = ("3D000", "42P01", "42703", "3F000")
_NO_RIGHT = ("42501", "25006")


PART = "PostgreSQL server"
"""The name that people see; the place where it runs is only logged."""


class SqlServer:
    """The server side of one database: how to open it, and how to explain its failures."""

    def __init__(self, url: str, access: ServerAccess | None, *, part: str, setting: str) -> None:
        """Read the URL from the setting `setting`; open nothing yet.

        Raises:
            Misconfigured: Not such a URL, one with a password in it, or one whose `sslmode` is weaker than
                the CA file requires.
        """
        self._part = part
        # The catalogue uses the ledger's login; except for the index, the URL names the user.
        stem = setting.removesuffix("_URL").replace("_CATALOGUE", "_LEDGER")
        has_ca_file = stem in ("FRAMETALLY_INDEX", "FRAMETALLY_LEDGER")
        self._names = {
            "url": setting,
            "user": "FRAMETALLY_INDEX_USER" if stem == "FRAMETALLY_INDEX" else f"the name in {setting}",
            "password": f"{stem}_PASSWORD",
            "ca_file": f"{stem}_CA_FILE" if has_ca_file else f"sslrootcert in {setting}",
        }
        self._url = self._parsed(url, access or ServerAccess())
        where = URL.create(
            "postgresql", host=self._url.host, port=self._url.port, database=self._url.database
        )
        self.name = where.render_as_string()

    def open(self) -> Engine:
        """Return an engine that tests connections before use, so that a server's restart causes no error.

        Raises:
            Misconfigured: The driver is not installed.
        """
        # Anything that it would log about a lost connection is also raised as an error.
        logging.getLogger("psycopg").addHandler(logging.NullHandler())
        try:
            engine = create_engine(self._url, pool_pre_ping=True, connect_args=_CONNECT_ARGUMENTS)
        except (ArgumentError, ImportError) as error:
            raise Misconfigured(
                f"{self._names['url']}: this database cannot be opened ({error}); "
                'install the driver with pip install "frametally[postgres]"'
            ) from error
        event.listen(engine, "do_connect", _connect_in_time)
        return engine

    def lock_layout(self, connection: Connection) -> None:
        """Lock the layout until the end of the transaction: only one process may create or change tables."""
        self.bound_waiting(connection)
        # Index and ledger may share a database: each has a separate lock, by its name.
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"frametally {self._part}"}
        )

    def bound_waiting(self, connection: Connection) -> None:
        """Wait at most a minute for other transactions, until the end of this one."""
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_S}s'"))

    def failure(self, error: DBAPIError) -> FrametallyError | None:
        """Return the explanation of a failure, or None if it is not the server's."""
        message = " ".join(str(error.orig).split())
        code = str(getattr(error.orig, "sqlstate", None) or "")
        name = f"{self._part} {self.name}"
        if code in _NO_SUCH_THING or ("database" in message and "does not exist" in message):
            return Misconfigured(f"{name}: {message}; create it, or correct {self._names['url']}")
        if code in _NO_RIGHT:
            return Misconfigured(f"{name}: {message}; give this user that permission")
        for words, remedy in _REFUSED_BY_NAME:
            if words in message:
                return Misconfigured(f"{name}: {message}; {remedy.format(**self._names)}")
        if any(words in message for words in _UNKNOWN_HOST):
            return unknown_host(name, self._names["url"], message, part=PART)
        if isinstance(error, DataError):
            return Poison(f"{name} cannot store this: {message}")
        # 53: disk or memory full. 55: no lock in time. 57: stopped by a person, or starting up.
        if isinstance(error, OperationalError | InterfaceError | InternalError):
            return Retryable(f"{name}: {message}; check the server and try again", part=PART)
        if isinstance(error, ProgrammingError):
            return Misconfigured(f"{name}: {message}; it may belong to another program or version")
        return None

    def _parsed(self, url: str, access: ServerAccess) -> URL:
        setting = self._names["url"]
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise Misconfigured(f"{setting} is not a URL; use postgresql://host/database") from error
        if parsed.password is not None or any(name in parsed.query for name in _SECRETS_IN_QUERY):
            raise Misconfigured(
                f"{setting} contains a password, but frametally shows and logs URLs: leave the password "
                f"out, and set {self._names['password']}"
            )
        if not parsed.database:
            raise Misconfigured(f"{setting}={url!r} does not name a database; use postgresql://host/database")
        parsed = parsed.set(drivername="postgresql+psycopg")
        if access.user:
            parsed = parsed.set(username=access.user)
        if access.password.get_secret_value():
            parsed = parsed.set(password=access.password.get_secret_value())
        if access.ca_file is not None:
            # A configured authority means that the server's identity matters.
            if (mode := parsed.query.get("sslmode", "verify-full")) != "verify-full":
                raise Misconfigured(
                    f"{setting} has sslmode={mode}, but {self._names['ca_file']} is set, so the server "
                    "must prove its identity: leave sslmode out of the URL, or do not set the file"
                )
            trust = {"sslmode": "verify-full", "sslrootcert": str(access.ca_file)}
            parsed = parsed.update_query_dict({**dict(parsed.query), **trust})
        return parsed


def _connect_in_time(_dialect: object, _record: object, args: Any, options: dict[str, Any]) -> object:
    """Wait for a new connection no longer than the caller waits: whole seconds, at least two."""
    from frametally.adapters.sql.timed_connection import TimedConnection

    left_s = seconds_left()
    if left_s is not None:
        options["connect_timeout"] = max(2, min(int(left_s), _CONNECT_TIMEOUT_S))
    return TimedConnection.connect(*args, **options)


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
        """Open the database, creating missing tables and upgrading those of an older frametally.

        Args:
            url: `sqlite:////absolute/file.sqlite` or `postgresql://host/database`.
            layout: Its tables.
            access: How to log in to a server.
            busy_timeout_s: Seconds that SQLite waits for another process's lock.

        Raises:
            Misconfigured: Another program's database, one of a newer version, or one that cannot be opened.
            Retryable: It is locked or unavailable for now.
        """
        self._name = url
        self._layout = layout
        self._part = layout.part
        self._another = f"set {layout.setting} to another file"
        self._server: SqlServer | None = None
        self._file: SqliteOpener | None = None
        self._opened_file: tuple[int, int] | None = None
        self._opened_wal: tuple[int, int] | None = None
        self._reopening = threading.Lock()
        if url.startswith("sqlite:"):
            self._engine = self._open_sqlite(url, busy_timeout_s)
        elif url.partition("://")[0] != "postgresql":
            raise Misconfigured(
                f"{layout.setting}={url!r}: this kind of {layout.part} is not supported; use "
                "sqlite:////absolute/file.sqlite or postgresql://host/database"
            )
        else:
            self._server = SqlServer(url, access, part=layout.part, setting=layout.setting)
            self._name = self._server.name
            self._another = f"set {layout.setting} to another database"
            self._engine = self._server.open()
        try:
            self.prepare()
        except BaseException:
            self.close()
            raise
        self._keep_identity()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Hold a transaction that sees one state of the database, whatever is published in the meantime."""
        self._follow_file()
        with self._translated(), self._engine.connect() as connection:
            if self._server is not None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hold the only writer's transaction: committed at the end, rolled back if the block raises."""
        self._follow_file()
        self.check_kept()
        with self._translated(), self._engine.connect() as plain:
            connection = plain.execution_options(frametally_writes=True)
            with connection.begin():
                if self._server is not None:
                    self._server.bound_waiting(connection)
                # This lets one writer into PostgreSQL; in SQLite, BEGIN IMMEDIATE has done so.
                about = select(self._layout.about.c.schema_version).with_for_update()
                layout = connection.execute(about).scalar()
                if layout != self._layout.schema_version:
                    raise Misconfigured(
                        f"another version of frametally changed {self._part} {self._name} to layout "
                        f"{layout} while this one was running: restart this one with that version"
                    )
                yield connection

    def check_kept(self) -> None:
        """Raise `DiskFull` if the tables are only in a copy, because the disk of the file is full."""
        if self._file is not None:
            self._file.check_kept()

    def close(self) -> None:
        """Close all connections, and remove the copy that a full disk made necessary."""
        self.close_connections()
        if self._file is not None:
            self._file.use_file()

    def close_connections(self) -> None:
        """Close all connections; the next transaction opens one."""
        self._engine.dispose()

    def _open_sqlite(self, url: str, busy_timeout_s: float) -> Engine:
        layout = self._layout
        path = sqlite_path(url, layout.setting)
        self._name = str(path)
        self._file = file = SqliteOpener(
            path,
            part=layout.part,
            setting=layout.setting,
            refill=layout.refill,
            has_secrets=layout.has_secrets,
            busy_timeout_s=busy_timeout_s,
        )
        file.prepare_folder()
        # Build the URL from parts: a path may contain characters with a meaning in a URL.
        engine = create_engine(URL.create("sqlite", database=str(path)), creator=file.connect)
        event.listen(engine, "connect", partial(_configure, "FULL" if layout.is_kept else "NORMAL"))
        event.listen(engine, "checkin", _close_reading)
        event.listen(engine, "begin", _begin)
        return engine

    def _follow_file(self) -> None:
        """Open SQLite's file again if it was replaced or removed, or a copy was used: the pool holds that."""
        if self._file is None or self._is_followed(self._file):
            return
        with self._reopening:
            if self._is_followed(self._file):
                return  # another thread has done it
            left_behind = self._opened_wal is not None and self._file_now("-wal") == self._opened_wal
            self._opened_wal = None  # once closed, its number can become another file's
            self._engine.dispose()
            if left_behind:  # SQLite would take the old file's log for the new one's
                for suffix in ("-wal", "-shm"):
                    self._file.beside(suffix).unlink(missing_ok=True)
            self._file.use_file()
            self._file.prepare_folder()
            self.prepare()
            self._keep_identity()

    def _is_followed(self, file: SqliteOpener) -> bool:
        return self._file_now() == self._opened_file and not file.has_space_again()

    def _keep_identity(self) -> None:
        self._opened_file, self._opened_wal = self._file_now(), self._file_now("-wal")

    def _file_now(self, suffix: str = "") -> tuple[int, int] | None:
        """Return the identity of SQLite's file, or the one with `suffix`, or None if there is none."""
        if self._file is None:
            return None
        try:
            status = Path(f"{self._name}{suffix}").stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._file.unwritable(error.strerror or str(error)) from error
        return status.st_dev, status.st_ino

    def prepare(self) -> None:
        """Create or upgrade the tables; on a full disk in a copy, which can be read and refuses writers."""
        try:
            self._lay_out()
        except DiskFull:
            if self._file is None or self._file.is_copy:
                raise
            self._engine.dispose()
            with self._file.translated():
                self._file.use_copy()
            self._lay_out()

    def _lay_out(self) -> None:
        layout = self._layout
        with self._translated():
            if self._file is not None:
                self._check_kind()
                with self._file.translated(), closing(self._file.connect()) as raw:
                    self._file.switch_to_wal(raw)
            with self._engine.connect() as plain:
                # Most openings find everything in order, and so need not wait for a writer.
                is_current = sql_migration.is_current(plain, layout)
                plain.rollback()
                if is_current:
                    return
                connection = plain.execution_options(frametally_writes=True)
                try:
                    with connection.begin():
                        if self._server is not None:
                            self._server.lock_layout(connection)
                        sql_migration.bring_up(connection, layout)
                except sql_migration.UnknownLayout as error:
                    raise self._unknown(error.number) from error

    def _unknown(self, number: int) -> Misconfigured:
        layout = self._layout
        instead = f"{self._another} and run `{layout.refill}`"
        if number < FIRST_LAYOUT:
            return TooOld(f"{self._part} {self._name}", instead)
        return Misconfigured(
            f"{self._part} {self._name} has layout {number}; this version of frametally knows "
            f"{layout.schema_version}: use the version that created it, or {instead}"
        )

    def _check_kind(self) -> None:
        with self._engine.connect() as connection:
            names = inspect(connection).get_table_names()
        if names and not {self._layout.about.name, *self._layout.former} & {*names}:
            raise Misconfigured(
                f"{self._name} is a SQLite file of another kind (it has a table {names[0]!r}), not a "
                f"{self._part}; {self._another}"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise Retryable(
                f"{self._part} {self._name}: too many queries at once; try again", part=self._part
            ) from error
        except RowDamaged as error:
            damage = f"{self._part} {self._name} is damaged ({error})"
            raise Damaged(damage, f"run `{self._layout.refill}`") from error
        except (DBAPIError, UnicodeDecodeError) as error:
            original = not_utf8(error) if isinstance(error, UnicodeDecodeError) else error.orig
            if self._file is not None and isinstance(original, sqlite3.Error):
                failure = self._file.failure(original)
                if isinstance(failure, Misconfigured):
                    self._opened_wal = None
                    self._engine.dispose()  # their caches would hide the damage from the next query
                raise failure from error
            if self._server is not None and isinstance(error, DBAPIError):
                refusal = self._server.failure(error)
                if refusal is not None:
                    raise refusal from error
            raise


def _configure(synchronous: str, connection: Any, _: object) -> None:
    with patient(connection, seconds_left()):
        connection.execute(f"PRAGMA synchronous = {synchronous}")


def _close_reading(connection: Any, record: ConnectionPoolEntry) -> None:
    if isinstance(connection, ReadingConnection):
        record.invalidate()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("frametally_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine: about a millisecond
_QUERY_CANCELED = "57014"  # PostgreSQL's SQLSTATE


@contextmanager
def limited(connection: Connection) -> Iterator[None]:
    """End queries of `connection` in the block with `TookTooLong` at the time limit, if there is one."""
    left_s = seconds_left()
    if left_s is None:
        yield
        return
    raw = connection.connection.driver_connection
    try:
        if isinstance(raw, sqlite3.Connection):
            deadline_s = time.monotonic() + left_s
            with patient(raw, left_s):
                raw.set_progress_handler(lambda: time.monotonic() > deadline_s, _STEPS_BETWEEN_LOOKS)
                try:
                    yield
                finally:
                    raw.set_progress_handler(None, 0)
            return
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(left_s * 1000))}")
        yield
    except DBAPIError as error:
        if _was_ended(error.orig):
            raise TookTooLong("the count index took longer than the query's time limit") from error
        raise


def _was_ended(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT
    return getattr(error, "sqlstate", None) == _QUERY_CANCELED
