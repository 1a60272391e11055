"""A resumable write to a folder: a file grows, and gets its key once it is complete.

The file's size is the progress of the write, so no record of it can be wrong. The file's lock is held while
bytes are added and while it gets its name, so if two processes continue one write, one of them finds that its
bytes do not follow.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.files.work_lock import locked
from frametally.ports.object_store import PIECE_BYTES, NoRoom

_LOCK_PATIENCE_S, _LOCK_LOOK_UP_S = 30.0, 0.005
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class GrowingFile:
    """Bytes on their way to a file of a `FileStore`; see `ResumableWrite`. Nothing is open between calls."""

    def __init__(
        self,
        key: str,
        *,
        growing: Path,
        final: Path,
        sync_folders: Callable[[Path], None],
        failure: Callable[[Exception], FrametallyError],
    ) -> None:
        """Continue with `growing`, if it is there; created by `FileStore.resumable`.

        Args:
            key: The object's key.
            growing: The file that grows.
            final: The path of the finished file.
            sync_folders: Makes the names in a folder, and that of the folder, survive power loss.
            failure: Turns an error of the disk into ours, one line with the remedy.
        """
        self.key = key
        self._growing = growing
        self._final = final
        self._sync_folders = sync_folders
        self._failure = failure
        self._over = False

    @property
    def durable_bytes(self) -> int:
        """The number of bytes in the file, all synced to the disk."""
        return self.flush()

    def append(self, data: bytes, *, at_byte: int) -> None:
        if not data:
            return
        with self._told_plainly(), self._alone(make=at_byte == 0) as handle:
            end = os.fstat(handle).st_size
            if end != at_byte:
                raise Poison(
                    f"the bytes of {self.key} from {at_byte} on do not follow the {end} bytes received so far"
                )
            left = memoryview(data)
            while left:
                left = left[os.pwrite(handle, left[:PIECE_BYTES], at_byte) :]
                before, at_byte = at_byte, end + len(data) - len(left)
                if at_byte // PIECE_BYTES > before // PIECE_BYTES:
                    os.fsync(handle)
            if not end:
                self._sync_folders(self._growing.parent)

    def flush(self) -> int:
        with self._told_plainly():
            try:
                handle = os.open(self._growing, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return 0
            try:
                os.fsync(handle)
                return os.fstat(handle).st_size
            finally:
                os.close(handle)

    def finish(self) -> bool:
        """Give the file its key, unless there is an object; see `ResumableWrite.finish`."""
        with self._told_plainly():
            self._final.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self._alone(make=False) as handle:
                    os.fsync(handle)
                    is_stored = self._give_name()
            except Poison:
                if not self._final.is_file():
                    raise
                is_stored = False
            self._sync_folders(self._final.parent)
            self._growing.unlink(missing_ok=True)
        self._over = True
        return is_stored

    def _give_name(self) -> bool:
        try:
            os.link(self._growing, self._final)
        except FileExistsError:
            if self._final.is_dir():
                raise Poison(f"key {self.key[:200]!r}: a folder has that name; choose another key") from None
            return False
        except FileNotFoundError:
            raise self._is_over() from None
        return True

    def abort(self) -> None:
        """Remove the received bytes; an existing object stays."""
        with self._told_plainly():
            self._growing.unlink(missing_ok=True)
        self._over = True

    @contextmanager
    def _alone(self, *, make: bool) -> Iterator[int]:
        """Open and lock the file; with `make`, create it if needed."""
        if self._over:
            raise self._is_over()
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0)
        try:
            if make:
                self._growing.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._growing, flags, 0o666)
        except FileNotFoundError:
            raise self._is_over() from None
        until_s = time.monotonic() + _LOCK_PATIENCE_S

        def give_up() -> None:
            if time.monotonic() > until_s:
                raise Retryable(
                    f"{self.key}: another process has been writing to it for {_LOCK_PATIENCE_S:g} s; "
                    "if you suspended it (Ctrl-Z), resume or end it"
                )

        with locked(handle, look_every_s=_LOCK_LOOK_UP_S, on_held=give_up):
            if not os.fstat(handle).st_nlink or not self._is_named(handle):
                raise self._is_over()
            yield handle

    def _is_named(self, handle: int) -> bool:
        """Return whether the open file is still the one that grows, not finished by another process."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self._growing))  # noqa: PTH116
        except FileNotFoundError:
            return False

    def _is_over(self) -> Poison:
        return Poison(f"the write of {self.key} has already been finished or aborted; start again")

    @contextmanager
    def _told_plainly(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise NoRoom(
                    f"no space left for {self.key}: free some space on the store's disk, or set "
                    "FRAMETALLY_STORE_URL to a folder on another disk"
                ) from error
            if error.errno == errno.EXDEV:
                raise Misconfigured(
                    f"{self._growing.parent} and {self._final.parent} are on different file systems, so "
                    "frametally cannot move a finished file into place in one step: put the store's whole "
                    "folder on one file system"
                ) from error
            raise self._failure(error) from error
