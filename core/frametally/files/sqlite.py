"""Opens SQLite files, and explains their failures, for the log, the index, the ledger and caches.

WAL, so that readers never wait; a busy time-out, so that writers wait for their turn; no network file system,
because SQLite's locks do not work there.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from frametally.errors import Damaged, DiskFull, FrametallyError, Misconfigured, Retryable
from frametally.files.synced import make_folders
from frametally.files.temporary import TemporaryFolder, folder_with_room
from frametally.process.time_limit import patient, seconds_left

BUSY_TIMEOUT_S = 30.0

_LEAST_FREE_BYTES = 256 * 1024
"""With less, there is no room for SQLite's `-wal`, and its `-shm` of 32 kB and more."""

_MARGIN_BYTES = 1_000_000
"""Free space for what a copy gains."""

_MOUNTS = Path("/proc/mounts")
_NETWORK_FILE_SYSTEMS = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ceph|lustre|glusterfs|gpfs|beegfs|ocfs2|gfs2"
    r"|fuse\.(sshfs|glusterfs|ceph|rclone|s3fs|smb\w*)"
)


class ReadingConnection(sqlite3.Connection):
    """Reads a file on a full disk; close it soon: while it is open, this process cannot write the file."""


class _StandIn(NamedTuple):
    """A copy of a file on a full disk; `free_bytes` were free on that disk when it was made."""

    folder: TemporaryFolder
    free_bytes: int


class SqliteOpener:
    """Opens connections to one file, and turns SQLite's errors into frametally's."""

    def __init__(
        self,
        path: Path,
        *,
        part: str,
        setting: str,
        refill: str = "",
        has_secrets: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        """Open nothing yet.

        Args:
            path: Absolute path of the file.
            part: Its name for people, such as `ledger`.
            setting: The setting that names it.
            refill: The command that fills it again after a loss; empty if there is none.
            has_secrets: Whether only its owner may read the file.
            busy_timeout_s: Seconds to wait for another process's lock.
        """
        self.path = path
        self._has_secrets = has_secrets
        self._part = part
        self._name = f"{part} {path}"
        self._setting = setting
        self._refill = f" and run `{refill}`" if refill else ""
        self._busy_timeout_s = busy_timeout_s
        self._stand_in: _StandIn | None = None

    @property
    def place(self) -> Path:
        """The file that `connect` opens: `path`, or its copy."""
        return Path(self._stand_in.folder.name, self.path.name) if self._stand_in else self.path

    @property
    def is_copy(self) -> bool:
        """Whether `use_copy` is in effect, so that writes are lost."""
        return self._stand_in is not None

    def use_copy(self) -> None:
        """Connect to a copy in a temporary folder from now on, because the disk of the file is full.

        Without a file, the copy is empty. It is removed with this object, or by `use_file`.

        Raises:
            DiskFull: There is no space for the copy either.
            sqlite3.Error: Any error of SQLite; see `translated`.
        """
        if self._stand_in is not None:
            return
        size_bytes = self.path.stat().st_size if self.path.is_file() else 0
        parent = folder_with_room(2 * size_bytes + _MARGIN_BYTES)
        if parent is None:
            raise self._full()
        folder = TemporaryFolder(parent)
        if size_bytes:
            with (
                closing(self.connect()) as source,
                closing(self._connect(Path(folder.name, self.path.name))) as copy,
            ):
                source.backup(copy)
        self._stand_in = _StandIn(folder, shutil.disk_usage(self.path.parent).free)

    def has_space_again(self) -> bool:
        """Return whether a copy is in use although the disk of the file has space again."""
        if self._stand_in is None:
            return False
        return shutil.disk_usage(self.path.parent).free > self._stand_in.free_bytes + _LEAST_FREE_BYTES

    def use_file(self) -> None:
        """Connect to the file again, and remove its copy."""
        if self._stand_in is not None:
            self._stand_in.folder.cleanup()
            self._stand_in = None

    def check_kept(self) -> None:
        """Raise `DiskFull` if the next write would go to a copy and be lost."""
        if self._stand_in is not None:
            raise self._full()

    def prepare_folder(self) -> None:
        """Create the file's folder if missing; let only the owner read the folder, and a file with secrets.

        Raises:
            Misconfigured: It is on a network file system, or cannot be created.
        """
        kind = network_file_system(self.path.parent)
        if kind:
            raise Misconfigured(
                f"{self._name} is on a network file system ({kind}), where SQLite's locks do not work; set "
                f"{self._setting} or FRAMETALLY_DATA_DIR to a folder on a local disk"
            )
        try:
            make_folders(self.path.parent)
            if self._has_secrets:
                self._keep_private()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._full() from error
            raise self.unwritable(error.strerror or str(error)) from error

    def _keep_private(self) -> None:
        """Remove other users' rights to the file and SQLite's files next to it."""
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        for path in map(self.beside, ("", "-wal", "-shm")):
            with suppress(FileNotFoundError):
                about = path.stat()
                if stat.S_IMODE(about.st_mode) & 0o077 and about.st_uid == os.geteuid():
                    path.chmod(0o600)

    def beside(self, suffix: str) -> Path:
        """Return the path of SQLite's `-wal` or `-shm` file; an empty suffix returns the file's own path."""
        return self.path.with_name(self.path.name + suffix)

    def connect(self) -> sqlite3.Connection:
        """Open a connection that threads may share and that does not begin transactions itself.

        It is a `ReadingConnection` if the disk has no space for the files that a writer needs.

        Raises:
            sqlite3.Error: Any error of SQLite; see `translated`.
            TookTooLong: The caller's time limit is over; another process's lock is waited for until then.
        """
        left_s = seconds_left()
        connection = self._connect(self.place)
        try:
            with patient(connection, left_s):
                connection.execute("PRAGMA user_version")
                connection.execute("PRAGMA secure_delete = ON")  # some builds leave deleted rows in the file
        except sqlite3.Error as error:
            connection.close()
            if self._code(error) != sqlite3.SQLITE_FULL:
                raise
            # SQLite has just made a `-shm` that is too short, which only a reader accepts.
            look_only = f"{self.place.as_uri()}?mode=ro&readonly_shm=1"
            return self._connect(look_only, uri=True, factory=ReadingConnection)
        return connection

    def _connect(self, database: Path | str, **how: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(
            database, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False, **how
        )
        return connection

    def switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Set the file's journal mode to WAL, which is permanent. Raises as `connect`."""
        # SQLite does not wait for its turn here, so openers of a new file would make each other fail.
        left_s = seconds_left()
        deadline_s = time.monotonic() + (
            self._busy_timeout_s if left_s is None else min(left_s, self._busy_timeout_s)
        )
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                    raise
            time.sleep(0.01)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise SQLite's errors as frametally's; see `failure`."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # our own fault, such as a use after close
        except sqlite3.Error as error:
            raise self.failure(error) from error
        except UnicodeDecodeError as error:
            raise self.failure(not_utf8(error)) from error

    def failure(self, error: sqlite3.Error) -> FrametallyError:
        """Return SQLite's error as ours: `Retryable` if temporary, `Misconfigured` if a person must act.

        `Damaged` is a kind of `Misconfigured`.
        """
        match self._code(error):
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Retryable(
                    f"another process locked {self._name} for {self._busy_timeout_s:g} s; try again, or "
                    "stop that process",
                    part=self._part,
                )
            case sqlite3.SQLITE_FULL:
                return self._full()
            case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_PROTOCOL:
                return Retryable(f"{self._name}: {error}; check its disk and try again", part=self._part)
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                return self.unwritable(str(error))
            case _:
                return Damaged(
                    f"{self._name} is damaged or not a SQLite file ({error})",
                    f"move it away{self._refill}, or set {self._setting} to another file",
                )

    def _full(self) -> DiskFull:
        return DiskFull(
            f"no space left for {self._name}: free some space on its disk, or set {self._setting} to a file "
            "on another disk",
            part=self._part,
        )

    def _code(self, error: sqlite3.Error) -> int:
        """Return SQLite's error code, or "full" if the disk is, which SQLite may report as another error."""
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            with suppress(OSError):
                if shutil.disk_usage(self.path.parent).free < _LEAST_FREE_BYTES:
                    return sqlite3.SQLITE_FULL
        return code

    def unwritable(self, reason: str) -> Misconfigured:
        """Return the error about a file that may not be created or written."""
        return Misconfigured(
            f"{self._name}: {reason}; give this user permission to write it and its folder, or set "
            f"{self._setting} or FRAMETALLY_DATA_DIR to another place"
        )


def drop_deleted_rows(url: str) -> None:
    """Remove rows that were deleted from the SQLite file of a URL also from its `-wal`; a server has neither.

    While another process has the file open, its `-wal` keeps earlier pages.

    Raises:
        Retryable: Another process has been reading the file for too long.
        Misconfigured: The file is damaged or may not be written.
    """
    if not url.startswith("sqlite:") or not (path := Path(url.removeprefix("sqlite:///"))).is_file():
        return
    opener = SqliteOpener(path, part="database", setting="FRAMETALLY_DATA_DIR")
    with opener.translated(), closing(opener.connect()) as connection:
        is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise Retryable(f"{path}: another process is reading it, so rows deleted from it stay; try again")


def sqlite_path(url: str, setting: str) -> Path:
    """Return the path in `sqlite:////absolute/file.sqlite`. Raises `Misconfigured` naming `setting`."""
    path = Path(url.removeprefix("sqlite:///"))
    if not path.is_absolute() or "\0" in url:
        raise Misconfigured(f"{setting}={url!r} is not an absolute path; use sqlite:////absolute/file.sqlite")
    return path


def network_file_system(folder: Path, mounts: str | None = None) -> str | None:
    """Return the type of the network file system that `folder` is on, or None if it is on a local one.

    Takes the arguments of `file_system`.
    """
    kind = file_system(folder, mounts)
    return kind if _NETWORK_FILE_SYSTEMS.fullmatch(kind) else None


def file_system(folder: Path, mounts: str | None = None) -> str:
    """Return the type of the file system that `folder` is on, or "" if unknown.

    Args:
        folder: A folder, which need not exist yet.
        mounts: The mount table in the form of /proc/mounts; None means this machine's, if it has one.
    """
    if mounts is None:
        mounts = _MOUNTS.read_text() if _MOUNTS.exists() else ""
    folder = folder.resolve()
    around = {str(folder), *map(str, folder.parents)}
    deepest, best_kind = "", ""
    for line in mounts.splitlines():
        _, point, kind = line.split(" ")[:3]
        mount = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
        if mount in around and len(mount) >= len(deepest):  # a later mount hides an earlier
            deepest, best_kind = mount, kind
    return best_kind


def not_utf8(error: UnicodeDecodeError) -> sqlite3.DatabaseError:
    """Return an explanation: SQLite's message quotes damaged bytes, which Python cannot decode."""
    return sqlite3.DatabaseError(f"text in it is not UTF-8: {error.reason}")
