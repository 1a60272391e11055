"""Objects as files in one folder: `file:///absolute/folder`.

Reads, listings, and puts that need not survive power loss before `sync`, use obstore. It does not fsync, so
this module does durable puts itself, in this order:

1. Write the bytes to a staging file in the object's own folder, and fsync it.
2. Give the staging file the final name, by link (fails if there is an object) or by rename (replaces it). So
   a name never stands for a partial object, and exactly one of several racing creators wins.
3. Fsync the folder, and every folder above it that this store has not yet seen on disk.

A crash leaves at most a staging file. Its name ends in `#` and digits, like those of obstore's staging files;
listings leave such names out, and keys may not end like this. Listing a folder removes staging files older
than a day; a writer that was suspended for so long finds its file gone, and tries again. Where pictures or
videos are deleted, staging files go after 10 s, because they show the same. Folders of videos and pictures
are removed with their last object; others stay, because processes remember them as synced.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from obstore.exceptions import AlreadyExistsError, BaseError, InvalidPathError
from obstore.store import LocalStore

from frametally.adapters.files.growing import GrowingFile
from frametally.adapters.files.listing import (
    CONTROL,
    STAGING_NAME,
    in_key_order,
    info_of,
    remove_leftovers,
    unknown_objects,
)
from frametally.errors import DiskFull, FrametallyError, Misconfigured, Poison, Retryable
from frametally.files.sqlite import file_system
from frametally.files.synced import make_folders, sync_file_system, sync_folder
from frametally.files.work_lock import locked
from frametally.keys import BACKUPS, BRIEF_FOLDER
from frametally.ports.object_store import Change, KeyRanges, ObjectInfo, ObjectMissing, change_alone
from frametally.rules.times import DAY_S
from frametally.settings.access import StoreAccess

_PART = "frame store"
_RESERVED_NAME = re.compile(rf"{STAGING_NAME.pattern}|.*[A-Za-z][:|]")  # second part: a drive, to obstore
_ORDINARY_KEY = re.compile(r"(?:[\w=][\w=.-]*/)*[\w=][\w=.-]*", re.ASCII)  # a quick check for valid keys
_OS_ERROR = re.compile(r"\(os error (\d+)\)")

_LOCK_PATIENCE_S, _LOCK_LOOK_UP_S = 30.0, 0.005
_UNFINISHED_S = 10.0
"""No object of a video or a frame takes as long to be written; a writer whose file is gone tries again."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EOPNOTSUPP}
_NO_LINK = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
_NO_OBJECT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
_NO_SUCH_NAME = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR}


class FileStore:
    """An object store of plain files, for one machine; safe for several threads and processes at once."""

    def __init__(self, url: str, access: StoreAccess | None = None) -> None:
        """Open the folder, creating it if missing; decode percent-escapes in `url`.

        Raises:
            Misconfigured: The URL does not name an absolute folder, or the folder cannot be created or read.
        """
        self.url = url
        folder = unquote(url.removeprefix("file://"))
        if not folder.startswith("/") or "\0" in folder:
            raise Misconfigured(
                f"FRAMETALLY_STORE_URL={url!r} is not an absolute folder; use file:///absolute/folder"
            )
        self._root = Path(folder)
        try:
            make_folders(self._root)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        if not os.access(self._root, os.R_OK | os.X_OK):  # an archive need not be writable
            raise self._unusable("this user does not have permission to read it")
        self._store = LocalStore(self._root)
        self._folders_on_disk: set[Path] = set()
        self._deleted_in: set[Path] = set()

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        check_key(key)
        try:
            if durable:
                is_stored = self._put_durably(self._root / key, data, if_absent=if_absent)
            else:
                is_stored = self._put_fast(key, data, if_absent=if_absent)
        except (OSError, BaseError) as error:
            raise self._failure(error, "written", key) from error
        if not is_stored and (self._root / key).is_dir():
            raise Poison(f"key {key[:200]!r}: a folder has that name; choose another key")
        return is_stored

    def _put_fast(self, key: str, data: bytes, *, if_absent: bool) -> bool:
        try:
            self._store.put(key, data, mode="create" if if_absent else "overwrite", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def _put_durably(self, final: Path, data: bytes, *, if_absent: bool) -> bool:
        staging = final.with_name(f"put#{secrets.randbelow(10**18)}")
        try:
            self._write_synced(staging, data)
            is_stored = _give_name(staging, final, if_absent=if_absent)
        finally:
            staging.unlink(missing_ok=True)
        # The loser also syncs: its caller builds on the winner's object, which may not be synced yet.
        self._sync_folders(final.parent)
        return is_stored

    def _write_synced(self, staging: Path, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        # Backups contain the accounts' secrets, unless they are encrypted.
        mode = 0o600 if staging.is_relative_to(self._root / BACKUPS) else 0o666
        try:
            handle = os.open(staging, flags, mode)
        except FileNotFoundError:
            self._folders_on_disk.clear()
            staging.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(staging, flags, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)

    def _sync_folders(self, folder: Path) -> None:
        sync_folder(folder)
        fresh: list[Path] = []
        while folder != self._root and folder not in self._folders_on_disk:
            fresh.append(folder)
            folder = folder.parent
            sync_folder(folder)
        self._folders_on_disk.update(fresh)  # only now: other threads rely on the whole chain

    def get(self, key: str) -> bytes:
        check_key(key)
        try:
            return Path(f"{self._root}/{key}").read_bytes()
        except OSError as error:
            raise self._failure(error, "read", key) from error

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        check_key(key)
        if first_byte < next_byte:
            try:
                # Not by obstore: it takes ten times as long to start, and most segments are small.
                handle = os.open(f"{self._root}/{key}", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    return os.pread(handle, next_byte - first_byte, first_byte)
                finally:
                    os.close(handle)
            except OSError as error:
                raise self._failure(error, "read", key) from error
        if self.head(key) is None:
            raise self._missing(key)
        return b""

    def head(self, key: str) -> ObjectInfo | None:
        check_key(key)
        try:
            return info_of(self._store.head(key))
        except (OSError, BaseError) as error:
            failure = self._failure(error, "read", key)
            if isinstance(failure, ObjectMissing):
                return None
            raise failure from error

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        folder = prefix.removesuffix("/")
        if folder:
            check_key(folder)
        return self._walk(folder, after)

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        """Yield what `list` yields except the known keys, without opening their files."""
        check_key(prefix)
        return unknown_objects(
            self._root, prefix, known_keys, lambda error: self._failure(error, "listed", prefix)
        )

    def _walk(self, folder: str, after: str | None) -> Iterator[ObjectInfo]:
        # Folder by folder: this needs memory for one at a time, and never opens folders wholly below `after`.
        remove_leftovers(self._root / folder, brief=BRIEF_FOLDER.fullmatch(folder) is not None)
        try:
            listed = self._store.list_with_delimiter(folder or None)
        except (OSError, BaseError) as error:
            raise self._failure(error, "listed", folder) from error
        yield from in_key_order(listed, after, self._walk)

    def delete(self, key: str, *, durable: bool = True) -> None:
        check_key(key)
        folder = (self._root / key).parent
        try:
            self._store.delete(key)
        except (OSError, BaseError) as error:
            failure = self._failure(error, "deleted", key)
            if not isinstance(failure, ObjectMissing):
                raise failure from error
        if BRIEF_FOLDER.fullmatch(key.rpartition("/")[0]):
            self._deleted_in.add(folder)
            if durable:
                self._remove_unfinished()
            else:
                self._remove_empty(folder)
        if durable:  # even if it was missing: another process may have removed it just now
            try:
                while folder != self._root and not folder.is_dir():
                    folder = folder.parent
                sync_folder(folder)
            except OSError as error:
                raise self._failure(error, "deleted", key) from error

    def _remove_unfinished(self) -> None:
        """Remove what dead processes left of objects next to those that were deleted."""
        for folder in list(self._deleted_in):
            self._deleted_in.discard(folder)
            remove_leftovers(folder, brief=False, age_s=_UNFINISHED_S)
            self._remove_empty(folder)

    def _remove_empty(self, folder: Path) -> None:
        """Remove a folder of a video or of pictures, and its parents of this kind, if they are empty."""
        with suppress(OSError):  # it has objects, or is gone
            while BRIEF_FOLDER.fullmatch(folder.relative_to(self._root).as_posix()):
                folder.rmdir()
                folder = folder.parent

    def sync(self) -> None:
        self._remove_unfinished()
        try:
            sync_file_system(self._root)
        except OSError as error:
            raise self._failure(error, "written", "") from error

    def change(self, key: str, make: Change) -> bytes | None:
        check_key(key)
        with self._alone():
            return change_alone(self, key, make)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold a lock on the folder, which ends with the process."""
        try:
            folder = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Retryable(
                f"{self.url} cannot be opened ({error.strerror}); check that its disk is mounted", part=_PART
            ) from error
        until_s = time.monotonic() + _LOCK_PATIENCE_S

        def give_up() -> None:
            if time.monotonic() > until_s:
                raise Retryable(
                    f"{self.url}: another process has locked the manifests for {_LOCK_PATIENCE_S:g} s; if "
                    "you suspended that process (Ctrl-Z), resume or end it"
                )

        with locked(folder, look_every_s=_LOCK_LOOK_UP_S, on_held=give_up):
            yield

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        """Return the file's URL, percent-escaped; it works as long as the file exists."""
        del ttl_s
        check_key(key)
        return (self._root / key).as_uri()

    def resumable(self, key: str, part_key: str) -> GrowingFile:
        """Start or resume an interruptible write to `key`; see `ObjectStore.resumable`."""
        check_key(key)
        check_key(part_key)
        return GrowingFile(
            key,
            growing=self._root / part_key,
            final=self._root / key,
            sync_folders=self._sync_folders,
            failure=lambda error: self._failure(error, "written", key),
        )

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _lacks_hard_links(self) -> bool:
        """Return whether the file system refuses a second name for our own file in our own folder."""
        probe, second_probe = (self._root / f"put#{secrets.randbelow(10**18)}" for _ in range(2))
        with suppress(OSError):
            probe.touch()
            try:
                os.link(probe, second_probe)
                second_probe.unlink()
            except OSError as error:
                return error.errno in _NO_LINK
            finally:
                probe.unlink()
        return False

    def _unusable(self, reason: str) -> Misconfigured:
        return Misconfigured(
            f"store folder {self._root}: {reason}; give this user permission to write there, or set "
            "FRAMETALLY_STORE_URL or FRAMETALLY_DATA_DIR to another folder"
        )

    def _missing(self, key: str) -> ObjectMissing:
        return ObjectMissing(f"no object {key!r} in {self.url}")

    def _failure(self, error: Exception, verb: str, key: str) -> FrametallyError:
        number = _errno(error)
        if number in _NO_OBJECT and verb != "written":
            return self._missing(key)
        if number in _NO_ROOM:
            return DiskFull(
                f"no space left in store folder {self._root} for {key}: free some space there, or set "
                "FRAMETALLY_STORE_URL to a folder on another disk",
                part=_PART,
            )
        if number in _NO_LINK and verb == "written" and self._lacks_hard_links():
            kind = file_system(self._root) or "of unknown type"
            return Misconfigured(
                f"store folder {self._root} is on a file system without hard links ({kind}), which "
                "frametally needs so that only one of two writers succeeds: set FRAMETALLY_STORE_URL or "
                "FRAMETALLY_DATA_DIR to a folder on a file system such as ext4, XFS, Btrfs or APFS"
            )
        reason = os.strerror(number) if number else str(error).partition("\n")[0]
        if number in _NO_RIGHT:
            return Misconfigured(
                f"{self._root / key} cannot be {verb} ({reason}): give this user permission, or set "
                "FRAMETALLY_STORE_URL to another folder"
            )
        if number in _NO_SUCH_NAME:
            return Poison(f"key {key[:200]!r} cannot be {verb} ({reason}): choose another key")
        if isinstance(error, InvalidPathError):
            return Misconfigured(
                f"store folder {self._root} has a file that frametally did not write ({reason}): delete it"
            )
        return Retryable(
            f"{self._root / key} could not be {verb} ({reason}): check the disk and try again", part=_PART
        )


def check_key(key: str) -> None:
    """Refuse invalid keys: paths that leave the folder, control characters, staging names.

    Raises:
        Poison: The key is invalid.
    """
    if _ORDINARY_KEY.fullmatch(key):
        return
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or CONTROL.search(key):
        raise Poison(f"key {key[:200]!r} is not a relative path of plain names; write it like media/a.json")
    if _RESERVED_NAME.fullmatch(parts[-1]):
        raise Poison(
            f"key {key[:200]!r}: {parts[-1]!r} looks like a temporary file or a drive; choose another key"
        )


def _errno(error: Exception) -> int:
    """Return the operating system's error number in an error of obstore or Python, or 0 if there is none."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if isinstance(error, FileNotFoundError):  # obstore's, also if the path is a folder
        return errno.ENOENT
    match = _OS_ERROR.search(str(error))
    return int(match[1]) if match else 0


def _give_name(staging: Path, final: Path, *, if_absent: bool) -> bool:
    """Give the staging file its final name; return False if `if_absent` and there is an object."""
    if not if_absent:
        staging.replace(final)
        return True
    try:
        os.link(staging, final)
    except FileExistsError:
        return False
    return True
