"""The file under the embedded log: how it is opened, locked, laid out, and what its failures mean.

Several processes write to it at once: WAL, so that readers never wait; BEGIN IMMEDIATE, so that a writer
waits for its turn at the start and never fails half-way; synchronous=FULL, so that what was committed
survives power loss.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from frametally.errors import FrametallyError, Misconfigured, Retryable

BUSY_TIMEOUT_S = 30.0

_APPLICATION_ID = 0x46544C47  # "FTLG", in the file's header: this is a frametally log
_SCHEMA_VERSION = 1
_MOUNTS = Path("/proc/mounts")
_NETWORK_FILE_SYSTEMS = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ceph|lustre|glusterfs|gpfs|beegfs|ocfs2|gfs2"
    r"|fuse\.(sshfs|glusterfs|ceph|rclone|s3fs|smb\w*)"
)

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
    """One connection to a log file. Threads may share it; each call holds it for itself."""

    def __init__(self, url: str) -> None:
        """Open the file, making it and its folder if they are missing.

        Args:
            url: `sqlite:////absolute/file.sqlite`.

        Raises:
            Misconfigured: No absolute path, a network file system, another program's file, a damaged one,
                or one that may not be written.
            Retryable: Another process kept the file locked for the whole busy time-out.
        """
        path = Path(url.removeprefix("sqlite:///"))
        if not path.is_absolute() or "\0" in url:
            raise Misconfigured(
                f"FRAMETALLY_LOG_URL={url!r}: no absolute path; use sqlite:////absolute/file.sqlite"
            )
        self.path = path
        self._lock = threading.RLock()
        kind = network_file_system(path.parent, _MOUNTS.read_text() if _MOUNTS.exists() else "")
        if kind:
            raise Misconfigured(
                f"log file {path} is on a network file system ({kind}), where SQLite's locks do not hold; "
                "set FRAMETALLY_LOG_URL or FRAMETALLY_DATA_DIR to a folder on a local disk"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of one SELECT."""
        with self._lock, self._translated():
            return self._connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed at the end of the block, rolled back if it raises."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def shrink(self) -> None:
        """Give the pages of removed messages back to the file system."""
        with self._lock, self._translated():
            # Not by execute(): that would stop after the first page.
            self._connection.executescript("PRAGMA incremental_vacuum")

    def close(self) -> None:
        """Close the connection; again is no error."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        connection = self._connection
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
        self._switch_to_wal()
        connection.execute("PRAGMA synchronous = FULL")
        if self._version() == 0:
            with self.write():
                if self._version() == 0:  # no other process was faster
                    self._lay_out()
        if self._version() != _SCHEMA_VERSION:
            raise Misconfigured(
                f"log file {self.path} has layout {self._version()}, this frametally knows only "
                f"{_SCHEMA_VERSION}; use the version that made it, or set FRAMETALLY_LOG_URL to a new file"
            )

    def _version(self) -> int:
        version: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    def _lay_out(self) -> None:
        for statement in _SCHEMA.split(";"):
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        self._connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _switch_to_wal(self) -> None:
        # SQLite does not wait for its turn here, so the first openers of a new file would fail one another.
        deadline_s = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                    raise
            time.sleep(0.01)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # our own fault, such as a use after close
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> FrametallyError:
        match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Retryable(
                    f"log file {self.path} was locked by another process for {BUSY_TIMEOUT_S:g} s; "
                    "try again, or stop the process that holds it"
                )
            case sqlite3.SQLITE_FULL:
                return Retryable(
                    f"no room left for log file {self.path}: free some space on its disk, "
                    "or set FRAMETALLY_LOG_URL to a file on another one"
                )
            case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_PROTOCOL:
                return Retryable(f"log file {self.path}: {error}; check its disk and try again")
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                return self._unwritable(str(error))
            case _:
                return Misconfigured(
                    f"log file {self.path} is damaged or no SQLite file ({error}); "
                    "move it away, or set FRAMETALLY_LOG_URL to another file"
                )

    def _unwritable(self, reason: str) -> Misconfigured:
        return Misconfigured(
            f"log file {self.path}: {reason}; give this user the right to write it and its folder, "
            "or set FRAMETALLY_LOG_URL or FRAMETALLY_DATA_DIR to another place"
        )


def network_file_system(folder: Path, mounts: str) -> str | None:
    """The type of the network file system that `folder` is on, None if it is on a local one.

    Args:
        folder: A folder, which need not exist yet.
        mounts: The mount table, as Linux gives it in /proc/mounts; empty where there is none.
    """
    folder = folder.resolve()
    best_depth, best_kind = -1, ""
    for line in mounts.splitlines():
        _, point, kind = line.split(" ")[:3]
        mount = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point))
        if folder.is_relative_to(mount) and len(mount.parts) >= best_depth:  # a later mount hides an earlier
            best_depth, best_kind = len(mount.parts), kind
    return best_kind if _NETWORK_FILE_SYSTEMS.fullmatch(best_kind) else None
