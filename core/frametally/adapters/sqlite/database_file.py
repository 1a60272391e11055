"""Opens, locks and lays out the file of the embedded log, and explains its failures.

Several processes write to it at once: WAL, so that readers never wait; BEGIN IMMEDIATE, so that a writer
waits for its turn at the start and never fails half-way; synchronous=FULL, so that commits survive power
loss.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from frametally.errors import Misconfigured
from frametally.files.sqlite import BUSY_TIMEOUT_S, ReadingConnection, SqliteOpener, sqlite_path

_SETTING = "FRAMETALLY_LOG_URL"
_APPLICATION_ID = 0x46544C47  # "FTLG" in the file's header identifies a frametally log
_SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE topic (
    topic_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, log_id TEXT NOT NULL, partitions INTEGER NOT NULL
);
CREATE TABLE span (
    topic_id INTEGER, partition INTEGER, begin_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL,
    PRIMARY KEY (topic_id, partition)
) WITHOUT ROWID;
CREATE TABLE message (
    topic_id INTEGER, partition INTEGER, offset INTEGER, key BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (topic_id, partition, offset)
) WITHOUT ROWID;
CREATE TABLE committed (
    topic_id INTEGER, consumer_group TEXT, partition INTEGER, offset INTEGER NOT NULL,
    PRIMARY KEY (topic_id, consumer_group, partition)
) WITHOUT ROWID;
CREATE TABLE consumer_group (
    topic_id INTEGER, consumer_group TEXT, epoch INTEGER NOT NULL,
    PRIMARY KEY (topic_id, consumer_group)
) WITHOUT ROWID;
CREATE TABLE member (
    topic_id INTEGER, consumer_group TEXT, member TEXT, renewed_at_s REAL NOT NULL, lease_s REAL NOT NULL,
    PRIMARY KEY (topic_id, consumer_group, member)
) WITHOUT ROWID;
CREATE TABLE assignment (
    topic_id INTEGER, consumer_group TEXT, partition INTEGER, member TEXT, generation INTEGER NOT NULL,
    PRIMARY KEY (topic_id, consumer_group, partition)
) WITHOUT ROWID;
"""


class SqliteFile:
    """One connection to a log file. Threads may share it; each call holds it exclusively."""

    def __init__(self, url: str) -> None:
        """Open the file, creating it and its folder if missing.

        Args:
            url: `sqlite:////absolute/file.sqlite`.

        Raises:
            Misconfigured: No absolute path, a network file system, another program's file, a damaged file, or
                one that may not be written.
            Retryable: Another process kept the file locked for the whole busy time-out.
        """
        self.path = sqlite_path(url, _SETTING)
        self._lock = threading.RLock()
        self._opener = SqliteOpener(
            self.path, part="log file", setting=_SETTING, busy_timeout_s=BUSY_TIMEOUT_S
        )
        self._opener.prepare_folder()
        self._connection: sqlite3.Connection | None = None
        with self._connected():
            pass

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one SELECT."""
        with self._connected() as connection:
            return connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Hold a write transaction: committed at the end of the block, rolled back if the block raises."""
        with self._connected() as connection, _writing(connection):
            yield connection

    def shrink(self) -> None:
        """Return the pages of removed messages to the file system."""
        with self._connected() as connection:
            # Not by execute(), which would stop after the first page.
            connection.executescript("PRAGMA incremental_vacuum")

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection; while the disk is full, a separate one that is closed at once."""
        with self._lock, self._opener.translated(), contextlib.ExitStack() as stack:
            connection = self._connection
            if connection is None:
                connection = stack.enter_context(contextlib.closing(self._opener.connect()))
                self._prepare(connection)
                if not isinstance(connection, ReadingConnection):
                    stack.pop_all()
                    self._connection = connection
            yield connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        application_id, tables = connection.execute(
            "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_master)"
        ).fetchone()
        if application_id != _APPLICATION_ID:
            if application_id or tables:
                raise Misconfigured(
                    f"{self.path} is a SQLite file of another kind, not a frame log; "
                    "set FRAMETALLY_LOG_URL to another file"
                )
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._opener.switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        if _version(connection) == 0:
            with _writing(connection):
                if _version(connection) == 0:  # no other process was faster
                    _lay_out(connection)
        if (version := _version(connection)) != _SCHEMA_VERSION:
            raise Misconfigured(
                f"log file {self.path} has layout {version}, but this version of frametally only "
                f"knows {_SCHEMA_VERSION}; use the version that created it, or set FRAMETALLY_LOG_URL to a "
                "new file"
            )


@contextlib.contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _lay_out(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
