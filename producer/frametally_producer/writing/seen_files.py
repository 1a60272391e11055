"""Remembers the files that a producer has read, so that a later call need not read them again.

This is a cache in the data folder, `seen-files.sqlite`; losing it only costs time. The record of a file is
valid only while the file's stamp (device, inode, size, modification and status change times) is the same, and
finished files are checked against the manifest. A file that changed only moments ago is not recorded, because
it could change again within the same tick of the file system's clock.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.files.sqlite import SqliteOpener

FILE_NAME = "seen-files.sqlite"
_VERSION = 1
_SETTLED_NS = 2_000_000_000
_BUSY_S, _FLUSH_EVERY_S = 5.0, 1.0
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS file (path TEXT PRIMARY KEY, stamp TEXT, sha256 TEXT, asked TEXT, picture TEXT);
CREATE TABLE IF NOT EXISTS rate (
    kind TEXT, asked TEXT, pixels INTEGER, seconds REAL, frames INTEGER, stored_bytes INTEGER,
    PRIMARY KEY (kind, asked)
);
PRAGMA user_version = {_VERSION};
"""


class SeenFile(NamedTuple):
    """The record of a file.

    Attributes:
        sha256: SHA-256 of its bytes, hex.
        asked: The request (`asked_of`) with which it was finished, or empty.
        picture: The name of a finished picture in its manifest and, after a space, the manifest's identity,
            or empty.
    """

    sha256: str
    asked: str
    picture: str


class Rate(NamedTuple):
    """How fast footage was produced here, as sums over files."""

    pixels: int
    seconds: float
    frames: int
    stored_bytes: int


def stamp_of(status: os.stat_result) -> str:
    """Return a file's stamp, which changes with the file's bytes."""
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


class SeenFiles:
    """The cache; if anything is wrong with its file, it remembers nothing and raises nothing."""

    def __init__(
        self, data_dir: Path, *, writing: bool = True, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Open the cache in `data_dir`; create missing files only if `writing`.

        `clock_ns` returns the file system's time in nanoseconds since 1970 UTC.
        """
        self._clock_ns = clock_ns
        self._pending: list[tuple[str, ...]] = []
        self._flushed_at_s = time.monotonic()
        path = data_dir / FILE_NAME
        self._connection = _open_to_write(path) if writing else _open_to_read(path)

    def find(self, path: Path, stamp: str) -> SeenFile | None:
        """Return the record of the file at `path` if the file still has the stamp, or None."""
        rows = self._read("SELECT stamp, sha256, asked, picture FROM file WHERE path = ?", (_name(path),))
        if not rows or rows[0][0] != _checked(stamp, rows[0][1:]):
            return None
        return SeenFile(*rows[0][1:])

    def note_file(
        self,
        path: Path,
        *,
        before: os.stat_result,
        after: os.stat_result,
        sha256: str,
        request: str = "",
        picture: str = "",
    ) -> None:
        """Record a file whose bytes were read between `before` and `after`."""
        changed_ns = max(before.st_mtime_ns, before.st_ctime_ns)
        if stamp_of(before) == stamp_of(after) and changed_ns + _SETTLED_NS <= self._clock_ns():
            fields = (sha256, request, picture)
            self._pending.append((_name(path), _checked(stamp_of(after), fields), *fields))
            if time.monotonic() - self._flushed_at_s >= _FLUSH_EVERY_S:
                self.flush()

    def flush(self) -> None:
        """Write the pending records at once, as each write waits for the disk."""
        pending, self._pending = self._pending, []
        self._flushed_at_s = time.monotonic()
        with self._harmless():
            if self._connection is not None and pending:
                with self._connection:
                    self._connection.execute("BEGIN IMMEDIATE")
                    self._connection.executemany(
                        "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", pending
                    )

    def rate(self, kind: str, request: str) -> Rate | None:
        """Return how fast media of a kind were produced here with a request, or None."""
        rows = self._read(
            "SELECT pixels, seconds, frames, stored_bytes FROM rate WHERE kind = ? AND asked = ?",
            (kind, request),
        )
        return Rate(*rows[0]) if rows else None

    def note_rate(self, kind: str, request: str, rate: Rate) -> None:
        """Add to a rate."""
        with self._harmless():
            if self._connection is not None:
                self._connection.execute(
                    "INSERT INTO rate VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                    " pixels = pixels + excluded.pixels, seconds = seconds + excluded.seconds,"
                    " frames = frames + excluded.frames, stored_bytes = stored_bytes + excluded.stored_bytes",
                    (kind, request, *rate),
                )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self.flush()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, sql: str, parameters: tuple[object, ...]) -> list[tuple]:  # type: ignore[type-arg]
        with self._harmless():
            if self._connection is not None:
                return self._connection.execute(sql, parameters).fetchall()
        return []

    @contextlib.contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError:
            pass  # locked or no space: do not remember
        except sqlite3.DatabaseError:
            if self._connection is not None:
                self._connection.close()
            self._connection = None


def _open_to_write(path: Path) -> sqlite3.Connection | None:
    opener = SqliteOpener(
        path.absolute(), part="cache", setting="FRAMETALLY_DATA_DIR", busy_timeout_s=_BUSY_S
    )
    for _ in range(2):
        try:
            opener.prepare_folder()
            return _prepared(opener.connect())
        except (Misconfigured, OSError, sqlite3.OperationalError):
            return None  # no permission, no space or locked: the file may be good
        except sqlite3.DatabaseError:  # damaged or of another version: start again
            with contextlib.suppress(OSError):
                path.unlink()
    return None


def _open_to_read(path: Path) -> sqlite3.Connection | None:
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
    except sqlite3.Error:
        return None


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("another version")
        if version == 0:
            connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _checked(stamp: str, fields: Sequence[str]) -> str:
    """Return the stamp with a checksum of the record, because a damaged one would change the medium."""
    return f"{stamp} {zlib.crc32(repr(tuple(fields)).encode()):08x}"


def _name(path: Path) -> str:
    return repr(str(path.absolute()))  # names need not be UTF-8
